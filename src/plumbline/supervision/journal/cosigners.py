"""Who cosigns this log (联署方名单): `cosigners.toml` beside the marks, because a restore of the database must not forget a cosigner.

See docs/decisions/0022-cosigners.md.
"""

from __future__ import annotations

import json
import threading
import time
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import httpx

from plumbline.evidence.checkpoint import parse_verifier
from plumbline.evidence.note import NoteError
from plumbline.evidence.witnessing import checkpoint_path
from plumbline.supervision.journal.keys import write_private

FILE = "cosigners.toml"
ASK_TIMEOUT_S = 2.0
#: What a cosigner said is believed for so long: processes make signers often, and cosigners only see more.
ASKED_LIFE_S = 60.0
_FIELDS = {"url", "key", "trust_domain", "external"}


class CosignersProblem(ValueError):
    """`cosigners.toml` cannot be used; the message is one plain sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """One cosigner as the operator entered it."""

    url: str
    #: Its vkey; the name stands in it.
    key: str
    #: Who runs that machine.
    trust_domain: str
    #: Whether that is somebody else than the operator of this platform.
    external: bool = True

    @property
    def name(self) -> str:
        """Key name."""
        return self.key.partition("+")[0]

    @property
    def key_id(self) -> bytes:
        """Key id, 4 bytes."""
        return parse_verifier(self.key).key_id


def read_cosigners(folder: Path) -> tuple[Configured, ...]:
    """The cosigners of a folder of marks, none without a file; raises :class:`CosignersProblem`."""
    path = folder / FILE
    try:
        told = tomllib.loads(path.read_text("utf-8")).get("cosigner", [])
        found = tuple(_checked(each) for each in told)
    except FileNotFoundError:
        return ()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError, AttributeError) as error:
        raise CosignersProblem(f"{path} 读不懂：{error}") from error
    if len({each.name for each in found}) != len(found):
        raise CosignersProblem(f"{path} 里有两个联署方同名")
    return found


def _checked(told: dict[str, object]) -> Configured:
    unknown = sorted(set(told) - _FIELDS)
    if unknown or not {"url", "key", "trust_domain"} <= set(told):
        raise CosignersProblem(f"联署方要写 url、key、trust_domain，可写 external；不认得 {unknown}")
    made = Configured(
        url=str(told["url"]).rstrip("/"),
        key=str(told["key"]).strip(),
        trust_domain=str(told["trust_domain"]).strip(),
        external=told.get("external", True) is True,
    )
    require_usable(made)
    return made


def require_usable(cosigner: Configured) -> None:
    """Raise :class:`CosignersProblem` for a key that is no cosigner's, an address that is none, or an empty trust domain."""
    try:
        verifier = parse_verifier(cosigner.key)
    except NoteError as error:
        raise CosignersProblem(f"联署方的公钥不对：{error}") from error
    if not verifier.is_cosigner:
        raise CosignersProblem(
            "这是日志的公钥，不是联署方的公钥；请向联署方要它执行 plumbline cosign init 得到的那一行"
        )
    if not cosigner.url.startswith(("http://", "https://")):
        raise CosignersProblem(f"联署方的地址 {cosigner.url!r} 应以 http:// 或 https:// 开头")
    domain = cosigner.trust_domain
    if not domain or len(domain) > 100 or any(ord(char) < 0x20 for char in domain):
        raise CosignersProblem("信任域要写明谁在管联署方的机器，一行，不超过 100 字")


def write_cosigners(folder: Path, cosigners: Iterable[Configured]) -> None:
    """Replace the list durably."""
    parts = []
    for each in cosigners:
        require_usable(each)
        lines = [
            f"{name} = {json.dumps(value, ensure_ascii=False)}"
            for name, value in (("url", each.url), ("key", each.key), ("trust_domain", each.trust_domain))
        ]
        parts.append("\n".join(["[[cosigner]]", *lines, f"external = {str(each.external).lower()}"]))
    write_private(folder / FILE, ("\n\n".join(parts) + "\n").encode())


_asked: dict[tuple[str, str], tuple[float, str | None]] = {}
_asking = threading.Lock()


def newest_of(cosigner: Configured, origin: str, *, fresh: bool = False) -> str | None:
    """The newest checkpoint that a cosigner shows of a log; None when it has none, or is no program of ours and cannot show it.

    Raises httpx.HTTPError when it does not answer. Answers, and that there was none, are remembered for a minute unless `fresh`: one that
    hangs must not hold up every process that starts to sign.
    """
    place = (cosigner.url, origin)
    with _asking:
        at, known = _asked.get(place, (float("-inf"), None))
    if not fresh and time.monotonic() - at < ASKED_LIFE_S:
        return known
    note = None
    try:
        answer = httpx.get(cosigner.url + checkpoint_path(origin), timeout=ASK_TIMEOUT_S, trust_env=False)
        if answer.status_code not in (200, 404):
            answer.raise_for_status()
        note = answer.text if answer.status_code == 200 else None
    finally:
        with _asking:
            _asked[place] = (time.monotonic(), note)
    return note
