"""`./plumb scan`: bandit, own semgrep rules, secrets, bill of materials and the age of pins, in an environment of its own.

Slow and heavy to install, so no part of every test run; what is quick stands in test_hardening_rules.py. A finding counts unless
`hardening/accepted.toml` names tool, rule, file and reason; an entry there that no finding needs any more counts too.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
OWN = Path(__file__).parent / "hardening"
DAY = 86400


class Finding(NamedTuple):
    """One thing that a tool complains about."""

    tool: str
    rule: str
    path: str
    line: int
    text: str = ""


def judged(
    findings: Iterable[Finding], accepted: list[dict[str, Any]]
) -> tuple[list[Finding], list[dict[str, Any]]]:
    """(findings that nobody accepted, entries that accept nothing). An entry takes at most `most` findings of its kind."""
    left: list[Finding] = []
    taken: Counter[int] = Counter()
    for each in findings:
        for place, entry in enumerate(accepted):
            room = taken[place] < entry.get("most", 10**6)
            named = entry["tool"] == each.tool and entry["rule"] == each.rule
            if named and room and fnmatchcase(each.path, entry["path"]):
                taken[place] += 1
                break
        else:
            left.append(each)
    return left, [entry for place, entry in enumerate(accepted) if not taken[place]]


def pins(lock: str) -> dict[str, str]:
    """Distribution → version of a lock file."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", lock, re.M)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def missing_components(bill: dict[str, Any], lock: str) -> list[str]:
    """Pins that the bill of materials does not list with the same version."""
    listed = {
        re.sub(r"[-_.]+", "-", each["name"]).lower(): each.get("version")
        for each in bill.get("components", ())
    }
    return [f"{name}=={version}" for name, version in pins(lock).items() if listed.get(name) != version]


def ages(blamed: str, now: float) -> dict[str, int]:
    """Distribution → days since its pin was last changed, from `git blame --line-porcelain` of a lock."""
    found, at = {}, 0.0
    for line in blamed.splitlines():
        if line.startswith("committer-time "):
            at = float(line.split()[1])
        elif line.startswith("\t"):
            found.update({name: int((now - at) // DAY) for name in pins(line[1:])})
    return found


def _tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _json(*command: str) -> Any:
    # semgrep looks for its other half on the path
    settings = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError as error:
        raise SystemExit(f"{command[0]} 没有给出结果：{done.stderr.strip()[-500:]}") from error


def _bandit() -> list[Finding]:
    told = _json(_tool("bandit"), "-q", "-r", "src", "-c", "pyproject.toml", "-f", "json")
    return [
        Finding("bandit", each["test_id"], each["filename"], each["line_number"], each["issue_text"])
        for each in told["results"]
    ]


def _semgrep(*targets: str) -> list[Finding]:
    command = [_tool("semgrep"), "scan", "--metrics", "off", "--disable-version-check", "--no-git-ignore"]
    told = _json(*command, "--config", str(OWN / "semgrep.yaml"), "--json", "--exclude", "tests", *targets)
    return [
        Finding("semgrep", each["check_id"].rpartition(".")[2], each["path"], each["start"]["line"])
        for each in told["results"]
    ]


def _samples_that_fail() -> list[str]:
    """Semgrep rules that miss their bad sample or catch their good one."""
    known = set(re.findall(r"- id: ([a-z-]+)", (OWN / "semgrep.yaml").read_text("utf-8")))
    samples = tomllib.loads((OWN / "rules.toml").read_text("utf-8"))["rule"]
    with tempfile.TemporaryDirectory() as folder:
        for each in samples:
            for kind in ("bad", "good"):
                Path(folder, f"{kind}_{each['id']}.py").write_text(each[kind] if each["id"] in known else "")
        found = {(Path(each.path).stem, each.rule) for each in _semgrep(folder)}
    missed = [f"{rule} 没有抓到坏样例" for rule in sorted(known) if (f"bad_{rule}", rule) not in found]
    return missed + [f"{rule} 误抓好样例" for rule in sorted(known) if (f"good_{rule}", rule) in found]


def _secrets() -> list[Finding]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [name for name in listed.stdout.splitlines() if not name.endswith((".lock", ".min.js"))]
    told = _json(_tool("detect-secrets"), "scan", *files)
    return [
        Finding("secrets", each["type"], path, each["line_number"])
        for path, many in told["results"].items()
        for each in many
    ]


def _bill() -> list[str]:
    """Write `build/sbom.json` of what a server installs; returns what is missing in it."""
    out, lock = ROOT / "build" / "sbom.json", ROOT / "requirements" / "server.lock"
    out.parent.mkdir(exist_ok=True)
    command = [_tool("cyclonedx-py"), "requirements", str(lock), "--pyproject", str(ROOT / "pyproject.toml")]
    subprocess.run([*command, "--of", "JSON", "--output-reproducible", "-o", str(out)], check=True)
    return missing_components(json.loads(out.read_text("utf-8")), lock.read_text("utf-8"))


def _pin_ages() -> str:
    command = ["git", "blame", "--line-porcelain", "requirements/server.lock"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = ages(done.stdout, time.time())
    if not found:
        return "钉住的版本：不在 git 里，看不出多久没有动过。"
    oldest = sorted(found, key=lambda name: -found[name])[:5]
    told = "、".join(f"{name} {found[name]} 天" for name in oldest)
    return f"钉住的版本 {len(found)} 个，最久没有动过的：{told}。超过 90 天的要复核（docs/reference/security.md）。"


def main() -> int:
    """Run everything, print what is open, end with one when anything is."""
    accepted = tomllib.loads((OWN / "accepted.toml").read_text("utf-8"))["accepted"]
    findings: list[Finding] = []
    for name, run in (("bandit", _bandit), ("semgrep", lambda: _semgrep("src")), ("secrets", _secrets)):
        begun, found = time.monotonic(), run()
        findings += found
        print(f"{name}：{len(found)} 处（{time.monotonic() - begun:.0f} 秒）", flush=True)
    left, stale = judged(findings, accepted)
    problems = [f"{each.path}:{each.line} {each.tool} {each.rule} {each.text}" for each in left]
    problems += [
        f"accepted.toml 里已经用不着：{each['tool']} {each['rule']} {each['path']}" for each in stale
    ]
    problems += [f"semgrep 规则 {each}" for each in _samples_that_fail()]
    problems += [f"build/sbom.json 缺 {each}" for each in _bill()]
    print("\n".join(problems))
    print(_pin_ages())
    print(
        f"已说明理由的 {len(findings) - len(left)} 处，没有处理的 {len(problems)} 处；清单在 build/sbom.json。"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
