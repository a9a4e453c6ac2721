"""What a chain says of a checkpoint (上链结论): the contract's state decides, the line in a receipt only says where to look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from plumbline.evidence.anchor import AnchorPlace, log_id
from plumbline.evidence.attachments import ANCHOR_TYPE, attachments
from plumbline.evidence.checkpoint import Checkpoint, Note, parse_note
from plumbline.sdk.anchor.artefact import artefact
from plumbline.sdk.anchor.node import Held, Node, NodeProblem
from plumbline.sdk.anchor.trust import TrustedContract
from plumbline.sdk.timestamp.findings import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorFinding:
    """One contract and the checkpoint."""

    name: str
    standing: Standing
    zh: str
    en: str
    at: datetime | None = None
    #: The line says another place or another time than the chain: a re-organisation, or somebody changed the line.
    is_moved: bool = False


def anchor_findings(
    checkpoint_note: str, contracts: Sequence[TrustedContract], node: Node | None
) -> tuple[AnchorFinding, ...]:
    """What the reader's contracts hold of a checkpoint, asked of the reader's node; without a node only what the lines claim."""
    note = parse_note(checkpoint_note)
    places = {each.name: _place(each.data) for each in attachments(note, ANCHOR_TYPE)}
    if node is None:
        return tuple(_claimed(name, place) for name, place in places.items())
    found = [_unlisted(name) for name in places if name not in {each.name for each in contracts}]
    try:
        chain = node.chain_id()
        for contract in contracts:
            if contract.chain_id == chain:
                found.append(_checked(note, contract, places.get(contract.name), node))
            elif contract.name in places:
                found.append(_other_chain(contract, chain))
    except NodeProblem as problem:
        found.append(
            _finding(
                "node", "unchecked", f"上链没有核对：{problem}。", f"Anchors were not checked: {problem}."
            )
        )
    return tuple(found)


def _finding(name: str, standing: Standing, zh: str, en: str) -> AnchorFinding:
    return AnchorFinding(name=name, standing=standing, zh=zh, en=en)


def _place(data: bytes) -> AnchorPlace | None:
    try:
        return AnchorPlace.decode(data)
    except ValueError:
        return None


def _claimed(name: str, place: AnchorPlace | None) -> AnchorFinding:
    if place is None:
        return _finding(
            name, "unchecked", f"{name} 的上链凭据读不懂。", f"The anchor of {name} is not readable."
        )
    zh = f"据称写进了 {name}（链 {place.chain_id}）第 {place.block_number} 块；没有联网核对，请用 --anchor 给出您信任的节点。"
    en = f"Said to be in block {place.block_number} of {name} (chain {place.chain_id}); not checked, give a node by --anchor."
    return _finding(name, "unchecked", zh, en)


def _unlisted(name: str) -> AnchorFinding:
    zh = f"带有 {name} 的上链凭据；您没有登记这个合同（trust.txt 里的 anchor 一行），没有核对。"
    return _finding(
        name, "unchecked", zh, f"There is an anchor of {name}, which is not on your list: not checked."
    )


def _other_chain(contract: TrustedContract, chain: int) -> AnchorFinding:
    zh = f"{contract.name} 在链 {contract.chain_id} 上，您给的节点属于链 {chain}，没有核对。"
    return _finding(
        contract.name, "unchecked", zh, f"{contract.name}: the node is of chain {chain}, not checked."
    )


def _checked(note: Note, contract: TrustedContract, place: AnchorPlace | None, node: Node) -> AnchorFinding:
    checkpoint, name = Checkpoint.parse(note.text), contract.name
    if node.code(contract.contract) != artefact().deployed:
        zh = f"{name}：地址 0x{contract.contract.hex()} 上不是本程序认得的上链合同。"
        return _finding(name, "fails", zh, f"{name}: the code at the address is not the known contract.")
    held = node.held(contract.contract, log_id(checkpoint.origin), checkpoint.size)
    if held is None:
        if place is None:
            zh = f"{name}：链上没有这个检查点（{checkpoint.size} 条）；平台按间隔上链，可稍后再取回执。"
            return _finding(name, "unchecked", zh, f"{name}: this checkpoint was not anchored (yet).")
        zh = f"{name}：凭据说写进了第 {place.block_number} 块，链上没有：链重组过，或凭据是编的。"
        return _finding(name, "fails", zh, f"{name}: the contract does not hold this checkpoint.")
    if held.root != checkpoint.root:
        zh = f"{name}：链上 {checkpoint.size} 条的根与这个检查点不同：日志分了叉或被改写。"
        return _finding(
            name, "fails", zh, f"{name}: the chain holds another root at this size: the log was rewritten."
        )
    return _held(contract, held, place, node)


def _held(contract: TrustedContract, held: Held, place: AnchorPlace | None, node: Node) -> AnchorFinding:
    block, later = node.block_hash(held.block_number), node.height() - held.block_number
    if later < 0:
        raise NodeProblem("节点的答复自相矛盾：写着检查点的块比最新的块还新")
    at = datetime.fromtimestamp(held.block_time, UTC)
    when = at.astimezone().isoformat(timespec="seconds")
    stands = (held.block_number, block, held.block_time)
    is_moved = place is not None and (place.block_number, place.block_hash, place.block_time) != stands
    moved = ""
    if place is not None and is_moved:
        claimed = place.at.astimezone().isoformat(timespec="seconds")
        moved = f"凭据里写的是 {claimed} 的第 {place.block_number} 块，与链上的不同：链重组以后换了块，或凭据被改过；以链上的为准。"
    domain = contract.trust_domain or "您没有写明"
    zh = (
        f"在 {when} 之前已存在，写在 {contract.name}（链 {contract.chain_id}）第 {held.block_number} 块，"
        f"其后又有 {later} 块（信任域：{domain}）。{moved}"
    )
    en = (
        f"It existed before {when}: block {held.block_number} of {contract.name} (chain {contract.chain_id}), "
        f"{later} blocks since (trust domain: {contract.trust_domain or 'not named by you'})."
    )
    if is_moved:
        en += " The line names another block or time: the chain was re-organised, or the line was changed; the chain decides."
    return AnchorFinding(name=contract.name, standing="holds", zh=zh, en=en, at=at, is_moved=is_moved)
