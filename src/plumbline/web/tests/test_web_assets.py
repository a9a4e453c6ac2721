"""Shared assets: vendored files, tokens, contrast, and what the browser scripts compute."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from datetime import date

import pytest

from plumbline.web.jinja import STATIC_FOLDER

NODE = shutil.which("node")
TOKENS = (STATIC_FOLDER / "css/tokens.css").read_text(encoding="utf-8")


def _tokens(opening: str) -> dict[str, str]:
    block = TOKENS[TOKENS.index(opening) :].split("}")[0]
    return dict(re.findall(r"--([\w-]+):\s*([^;]+);", block))


LIGHT, DARK, DARK_BY_DEVICE = _tokens(":root {"), _tokens(".dark {"), _tokens(":root:not(.light) {")


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_vendored_files_match_their_recorded_hashes() -> None:
    readme = (STATIC_FOLDER / "vendor/README.md").read_text(encoding="utf-8")
    recorded = re.findall(r"`([\w.-]+\.js)` .*`([0-9a-f]{64})`", readme)
    assert recorded
    for name, digest in recorded:
        assert hashlib.sha256((STATIC_FOLDER / "vendor" / name).read_bytes()).hexdigest() == digest


def test_dark_by_class_and_by_device_are_the_same() -> None:
    assert DARK == DARK_BY_DEVICE
    assert set(DARK) <= set(LIGHT)


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
def test_text_colours_reach_4_5_on_their_grounds(tokens: dict[str, str]) -> None:
    for text in ("ink", "ink2", "ink3", "acc", "ok", "bad", "warn"):
        for ground in ("bg", "surface", f"{text}-s"):
            if ground in tokens:
                assert _contrast(tokens[text], tokens[ground]) >= 4.5, (text, ground)
    assert _contrast(tokens["on-acc"], tokens["acc"]) >= 4.5
    assert _contrast(tokens["ctl"], tokens["surface"]) >= 3


def test_own_scripts_are_strict_and_evaluate_nothing() -> None:
    for script in (STATIC_FOLDER / "js").glob("*.js"):
        text = script.read_text(encoding="utf-8")
        assert '"use strict"' in text
        assert not re.search(
            r"\beval\(|new Function|innerHTML|document\.write|insertAdjacentHTML|https?://", text
        ), script


def _node(program: str, *names: str) -> object:
    if NODE is None:
        pytest.skip("没有 node，浏览器脚本的算法不在这里检验")
    loads = ";".join(
        f"const m{i}=require({json.dumps(str(STATIC_FOLDER / 'js' / n))})" for i, n in enumerate(names)
    )
    done = subprocess.run(
        [NODE, "-e", f"{loads};console.log(JSON.stringify({program}))"], capture_output=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("length", [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000])
def test_the_plain_sha256_equals_the_library_at_block_borders(length: int) -> None:
    content = bytes(i * 7 % 256 for i in range(length))
    assert (
        _node(f"m0.plain(new Uint8Array({list(content)}))", "sha256.js")
        == hashlib.sha256(content).hexdigest()
    )


def test_thinning_keeps_the_highest_and_lowest_point() -> None:
    program = "m0.thin([0,1,2,3,4,5,6,7,8,9],[0,1,99,2,3,4,-5,4,3,2],1,0,9)"
    assert _node(program, "curve-chart.js") == [[0, 0], [2, 99], [6, -5], [9, 2]]


def test_a_gap_breaks_the_line() -> None:
    assert _node("m0.broken([[0,1],[5,2]],[[1,4]])", "curve-chart.js") == [[0, 1], [2.5, None], [5, 2]]


def test_the_browser_reads_the_claims_that_the_issuer_writes() -> None:
    claims = pytest.importorskip("plumbline.exchange.claims")
    import base64

    written = claims.CodeClaims(
        key_number=1,
        code="2611HCAK7QM4X9WTRH3PD",
        issued_on=date(2026, 11, 20),
        institution=bytes(range(8)),
        verdict="PASS",
        report_digest=bytes(16),
        report_number="衡-2026-004187",
    )
    fragment = base64.b32encode(written.encode() + bytes(64)).decode().rstrip("=")
    read = _node(f"m0.read('#{fragment}')", "claims.js")
    assert isinstance(read, dict)
    assert (read["code"], read["day"], read["verdict"]) == (written.code, "2026-11-20", "合格")
    assert read["number"] == written.report_number
    assert _node(f"m0.read('{fragment[:-30]}')", "claims.js") is None
