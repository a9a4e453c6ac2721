"""Who cosigns this log (联署方名单): `cosigners.toml` beside the marks, because a restore of the database must not forget a cosigner.

See docs/decisions/0022-cosigners.md.
"""

from __future__ import annotations

import json
import threading
import time
import tomllib
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from plumbline.evidence.checkpoint import parse_cosigner, parse_verifier
from plumbline.evidence.note import DEFAULT_NOTE_LIMIT, NoteError
from plumbline.evidence.witnessing import checkpoint_path
from plumbline.supervision.fetch import FetchFailed, FetchRefused, fetch, origin_of
from plumbline.supervision.journal.keys import write_private

FILE = "cosigners.toml"
#: The list that could be read last: one that somebody spoilt must not stop reception.
LAST_GOOD = "cosigners.last.toml"
ASK_TIMEOUT_S = 2.0
#: What a cosigner said is believed for so long: processes make signers often, and cosigners only see more.
ASKED_LIFE_S = 60.0
#: Bytes that are read of an answer: a checkpoint with all its signatures is shorter.
MAX_ANSWER = DEFAULT_NOTE_LIMIT
_FIELDS = {"url", "keys", "trust_domain", "external"}
#: One key for each algorithm.
MAX_KEYS = 2


class CosignerSilent(RuntimeError):
    """A cosigner did not answer in time, or not with anything that can be read; the message is a short technical word."""


class CosignersProblem(ValueError):
    """`cosigners.toml` cannot be used; the message is one plain sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """One cosigner as the operator entered it."""

    url: str
    #: Its vkeys, one for each algorithm that it signs with; the name stands in each.
    keys: tuple[str, ...]
    #: Who runs that machine.
    trust_domain: str
    #: Whether that is somebody else than the operator of this platform.
    external: bool = True

    @property
    def name(self) -> str:
        """Key name."""
        return self.keys[0].partition("+")[0]

    @property
    def told(self) -> tuple[str, str, bool]:
        """What the list says of it: name, trust domain, external or not."""
        return self.name, self.trust_domain, self.external

    @property
    def key_ids(self) -> list[bytes]:
        """Key ids, 4 bytes each."""
        return [parse_cosigner(each).key_id for each in self.keys]


def read_cosigners(folder: Path) -> tuple[Configured, ...]:
    """The cosigners of a folder of marks, none without a file; raises :class:`CosignersProblem`."""
    return _read(folder / FILE)


def known_cosigners(folder: Path) -> tuple[tuple[Configured, ...], str]:
    """The list and no word; or, when it cannot be read, the last one that could, and why. Reception goes on with either."""
    try:
        return read_cosigners(folder), ""
    except CosignersProblem as problem:
        try:
            return _read(folder / LAST_GOOD), str(problem)
        except CosignersProblem:
            return (), str(problem)


def remember_cosigners(folder: Path) -> None:
    """Keep a list that an operator wrote by hand, if it can be read, as the last good one; OSError when the disk refuses."""
    path, last = folder / FILE, folder / LAST_GOOD
    if path.exists() and (not last.exists() or path.read_bytes() != last.read_bytes()):
        write_cosigners(folder, read_cosigners(folder), name=LAST_GOOD)


def _read(path: Path) -> tuple[Configured, ...]:
    try:
        told = tomllib.loads(path.read_text("utf-8")).get("cosigner", [])
        if not isinstance(told, list) or not all(isinstance(each, dict) for each in told):
            raise CosignersProblem(f"{path} 里的每个联署方要写成一节，以 [[cosigner]] 开头")
        found = tuple(_checked(each) for each in told)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise CosignersProblem(f"{path} 读不了：{error.strerror or type(error).__name__}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CosignersProblem(f"{path} 读不懂，不是 TOML：{error}") from error
    if len({each.name for each in found}) != len(found):
        raise CosignersProblem(f"{path} 里有两个联署方同名")
    require_apart(found)
    return found


def _checked(told: dict[str, object]) -> Configured:
    unknown = sorted(set(told) - _FIELDS)
    if unknown or not {"url", "keys", "trust_domain"} <= set(told):
        raise CosignersProblem(f"联署方要写 url、keys、trust_domain，可写 external；不认得 {unknown}")
    keys = told["keys"]
    if not isinstance(keys, list):
        raise CosignersProblem('联署方的 keys 要写成一列公钥，如 keys = ["某大学.example/1+…"]')
    url, domain, external = told["url"], told["trust_domain"], told.get("external", True)
    for field, value in (("url", url), ("trust_domain", domain), *(("keys 的每一项", each) for each in keys)):
        if not isinstance(value, str):
            raise CosignersProblem(f"联署方的 {field} 要写成一段文字，用双引号括起来；这里是 {value!r}")
    if not isinstance(external, bool):
        raise CosignersProblem(f"联署方的 external 写 true 或 false，不加引号；这里是 {external!r}")
    made = Configured(
        url=str(url).rstrip("/"),
        keys=tuple(str(each).strip() for each in keys),
        trust_domain=str(domain).strip(),
        external=external,
    )
    require_usable(made)
    return made


def require_usable(cosigner: Configured) -> None:
    """Raise :class:`CosignersProblem` for a key that is no cosigner's, an address that is none, or an empty trust domain."""
    _require_keys(cosigner.keys)
    try:
        origin_of(cosigner.url)
    except FetchRefused as refusal:
        raise CosignersProblem(
            f"联署方的地址 {cosigner.url!r} 应以 http:// 或 https:// 开头：{refusal}"
        ) from None
    domain = cosigner.trust_domain
    if not domain or len(domain) > 100 or any(ord(char) < 0x20 for char in domain):
        raise CosignersProblem("信任域要写明谁在管联署方的机器，一行，不超过 100 字")


def _require_keys(keys: tuple[str, ...]) -> None:
    """Keys of one cosigner, one an algorithm."""
    if not 1 <= len(keys) <= MAX_KEYS:
        raise CosignersProblem(f"联署方要有一把公钥，或 Ed25519、SM2 各一把；这里有 {len(keys)} 把")
    try:
        verifiers = [parse_verifier(each) for each in keys]
    except NoteError as error:
        raise CosignersProblem(f"联署方的公钥不对：{error}") from error
    if not all(each.is_cosigner for each in verifiers):
        raise CosignersProblem(
            "这是日志的公钥，不是联署方的公钥；请向联署方要它执行 plumbline cosign init 得到的那一行"
        )
    if len({each.name for each in verifiers}) > 1:
        raise CosignersProblem("两把公钥的名称不同：一个联署方的公钥用同一个名称")
    if len({parse_cosigner(each).algorithm for each in keys}) < len(keys):
        raise CosignersProblem("两把公钥是同一种算法：每种算法只能有一把")
    if len({each.key_id for each in verifiers}) < len(verifiers):
        raise CosignersProblem("两把公钥的密钥编号（4 字节）相同，签名分不清是哪一把签的：请联署方换一把")


def require_apart(cosigners: Sequence[Configured]) -> None:
    """Raise :class:`CosignersProblem` for a key under two names: two cosigners that are one would count as two."""
    owners: dict[bytes, str] = {}
    for each in cosigners:
        for key in each.keys:
            other = owners.setdefault(parse_cosigner(key).public, each.name)
            if other != each.name:
                raise CosignersProblem(f"{each.name} 与 {other} 用的是同一把公钥：一个联署方只能有一个名称")


def write_cosigners(folder: Path, cosigners: Iterable[Configured], *, name: str = FILE) -> None:
    """Replace the list durably, and with it the one that could be read last."""
    parts, every = [], tuple(cosigners)
    require_apart(every)
    for each in every:
        require_usable(each)
        lines = [
            f"{field} = {json.dumps(value, ensure_ascii=False)}"
            for field, value in (
                ("url", each.url),
                ("keys", list(each.keys)),
                ("trust_domain", each.trust_domain),
            )
        ]
        parts.append("\n".join(["[[cosigner]]", *lines, f"external = {str(each.external).lower()}"]))
    data = ("\n\n".join(parts) + "\n").encode()
    for file in dict.fromkeys((name, LAST_GOOD)):
        write_private(folder / file, data)


_asked: dict[tuple[str, str], tuple[float, str | None]] = {}
_under_way: dict[tuple[str, str], Future[str | None]] = {}
_asking = threading.Lock()


def newest_of(
    cosigners: Iterable[Configured], origin: str, *, fresh: bool = False
) -> dict[Configured, str | CosignerSilent | None]:
    """The newest checkpoint that each cosigner shows of a log; None when it has none, or is no program of ours and cannot show it.

    All are asked at the same time and waited for once, whatever they do: a cosigner that answers a byte a second must not hold up a
    process that starts to sign. Answers, and that there was none, are remembered for a minute unless `fresh`.
    """
    until = time.monotonic() + ASK_TIMEOUT_S
    asked = {each: _ask((each.url, origin), fresh=fresh) for each in cosigners}
    return {each: _answer((each.url, origin), told, until) for each, told in asked.items()}


def _ask(place: tuple[str, str], *, fresh: bool) -> Future[str | None]:
    """The answer to come; a question that is still under way is not asked twice."""
    with _asking:
        at, known = _asked.get(place, (float("-inf"), None))
        told: Future[str | None] = Future()
        if not fresh and time.monotonic() - at < ASKED_LIFE_S:
            told.set_result(known)
        elif place in _under_way:
            return _under_way[place]
        else:
            _under_way[place] = told
            threading.Thread(target=_fetch, args=(place, told), daemon=True).start()
        return told


def _answer(place: tuple[str, str], told: Future[str | None], until: float) -> str | CosignerSilent | None:
    try:
        return told.result(max(0.0, until - time.monotonic()))
    except CosignerSilent as silent:
        return silent
    except TimeoutError:
        with _asking:
            _asked[place] = (time.monotonic(), None)
        return CosignerSilent("TimeoutError")


def _fetch(place: tuple[str, str], told: Future[str | None]) -> None:
    note: str | None = None
    problem: CosignerSilent | None = None
    try:
        url = place[0] + checkpoint_path(place[1])
        answer = fetch(url, timeout_s=ASK_TIMEOUT_S, max_bytes=MAX_ANSWER)
        if answer.status not in (200, 404):
            raise FetchFailed(f"HTTP {answer.status}")
        note = answer.text() if answer.status == 200 else None
    except Exception as error:  # whatever an outsider answers, it is no reason to stop
        problem = CosignerSilent(str(error) if isinstance(error, FetchFailed) else type(error).__name__)
    with _asking:
        _asked[place] = (time.monotonic(), note)
        _under_way.pop(place, None)
    if problem is None:
        told.set_result(note)
    else:
        told.set_exception(problem)
