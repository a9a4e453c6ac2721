"""A report's bundle whose members are changed (案卷包篡改), and the bundle of a chain that was changed before it was made."""

from __future__ import annotations

import io
import zipfile

from plumbline.drill.tampering.acts import Tally
from plumbline.sdk.bundle.trust import Trust
from plumbline.sdk.bundle.verify import BundleCheck, verify_bundle


def _zipped(members: dict[str, bytes], order: list[zipfile.ZipInfo]) -> bytes:
    """An archive like the one that was read: same order, same kind of storage."""
    made = io.BytesIO()
    known = {info.filename: info for info in order}
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in members.items():
            if name in known:
                info = zipfile.ZipInfo(name, known[name].date_time)
                info.compress_type, info.external_attr = known[name].compress_type, known[name].external_attr
                archive.writestr(info, data)
            else:
                archive.writestr(name, data)
    return made.getvalue()


def _checked(data: bytes, trust: Trust) -> BundleCheck:
    """As `plumbline verify` checks it, with everybody who is trusted."""
    return verify_bundle(
        data,
        log_keys=[*trust.log_keys, *trust.cosigners],
        roots=trust.roots,
        code_keys=trust.code_keys,
        authorities=trust.authorities,
        ended=trust.ended,
    )


def said_of(data: bytes, trust: Trust, genuine: frozenset[str] = frozenset()) -> list[str]:
    """What `plumbline verify` objects to in a bundle; where it objects to nothing, what it does not say of the genuine one.

    A bundle without the platform's statement of completeness is a bundle too: verify says that it has none.
    """
    check = _checked(data, trust)
    if not check.ok:
        return [step.sentence_zh for step in check.steps if not step.ok]
    return [step.sentence_zh for step in check.steps if genuine and step.sentence_zh not in genuine]


def change_members(data: bytes, trust: Trust, tally: Tally) -> None:
    """Every member: a bit flipped, cut short, taken out; one more put in."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        order = archive.infolist()
        members = {info.filename: archive.read(info) for info in order}
    check = _checked(data, trust)
    genuine = frozenset(step.sentence_zh for step in check.steps)
    if said := said_of(_zipped(members, order), trust, genuine):
        tally.broken.append(f"案卷包原样重新打包，核验却不通过：{said[0]}")
    for name, content in members.items():
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        others = {"翻转一位": members | {name: flipped}, "截短": members | {name: content[:-1]}}
        others["删去"] = {each: value for each, value in members.items() if each != name}
        for what, changed in others.items():
            said = said_of(_zipped(changed, order), trust, genuine)
            tally.judge("案卷包", f"案卷包 {name} {what}", said, named=bool(said))
    said = said_of(_zipped(members | {"extra.txt": b"x"}, order), trust, genuine)
    tally.judge("案卷包", "案卷包多一个文件", said, named=bool(said))
