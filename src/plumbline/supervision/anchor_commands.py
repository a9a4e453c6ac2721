"""`plumbline anchors` (上链名单): which chains hold this platform's checkpoints; each change is an audit event."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import psycopg

from plumbline.evidence.anchor import AnchorPlace
from plumbline.evidence.attachments import ANCHOR_TYPE, format_attachment
from plumbline.sdk.anchor.findings import anchor_findings
from plumbline.sdk.anchor.node import MAX_ANSWER, TIMEOUT_S, Node
from plumbline.supervision.config import Platform
from plumbline.supervision.fetch import FetchFailed, client
from plumbline.supervision.journal.anchoring import (
    CHAINS,
    CONFIRMATIONS,
    EVERY_MINUTES,
    MAX_GWEI,
    AnchorChain,
    usable_chain,
)
from plumbline.supervision.journal.keys import write_private
from plumbline.supervision.journal.outside_lists import ListProblem
from plumbline.supervision.outside_audit import note_change
from plumbline.supervision.worker.evm import Account, ChainProblem

_NO_CONTRACT = "0x" + "0" * 40
_STATES = {"waiting": "等待", "sent": "已发出，等确认", "confirmed": "已确认"}


def run_anchors(platform: Platform, arguments: argparse.Namespace) -> int:
    """0 when done, 1 when the list, a chain or an anchor is not in order, 2 for wrong usage."""
    try:
        known = CHAINS.read(platform.folder("marks"))
        if arguments.what == "list":
            return _list(platform, known)
        if arguments.what == "check":
            return _check(platform, known)
        if not arguments.by:
            print("请用 --by 写明是谁改的名单。", file=sys.stderr)
            return 2
        if arguments.what == "add":
            return _add(platform, known, arguments)
        return _remove(platform, known, arguments)
    except (ListProblem, ChainProblem) as problem:
        print(problem, file=sys.stderr)
        return 1


def _add(platform: Platform, known: tuple[AnchorChain, ...], arguments: argparse.Namespace) -> int:
    if not (arguments.name and arguments.url and arguments.chain_id and arguments.trust_domain):
        print("请给出名称、--url、--chain-id 和 --trust-domain。", file=sys.stderr)
        return 2
    if bool(arguments.contract) == arguments.deploy:
        print("请用 --contract 给出合同地址，或用 --deploy 新装一个。", file=sys.stderr)
        return 2
    made = usable_chain(
        AnchorChain(
            name=arguments.name.strip(),
            url=arguments.url.strip().rstrip("/"),
            trust_domain=arguments.trust_domain.strip(),
            chain_id=arguments.chain_id,
            contract=(arguments.contract or _NO_CONTRACT).strip(),
            every_minutes=arguments.every or EVERY_MINUTES,
            confirmations=arguments.confirmations or CONFIRMATIONS,
            max_gwei=arguments.max_gwei or MAX_GWEI,
        )
    )
    former = next((each for each in known if each.name == made.name), None)
    if former and (arguments.deploy or (former.chain_id, former.address) != (made.chain_id, made.address)):
        # Anchors that are kept, and receipts that were given, speak of the former contract by this name.
        told = f"{made.name} 这个名称已用在链 {former.chain_id} 的合同 {former.contract} 上，请另取一个名称。"
        print(told, file=sys.stderr)
        return 1
    keys = platform.folder("keys")
    if not (keys / made.key_file).exists():
        address = _new_key(platform, made)
        print(f"已为 {made.name} 新建账户 {address}，密钥在 {keys / made.key_file}。")
        print("请先给这个账户存入手续费，再执行一次同样的命令。")
        return 1
    account = Account.open(made, keys)
    try:
        if arguments.deploy:
            made = usable_chain(replace(made, contract=account.deploy()))
            account.chain = made
        account.require()
    finally:
        account.close()
    CHAINS.write(platform.folder("marks"), [*(each for each in known if each.name != made.name), made])
    note_change(platform, arguments.by, "anchor.add", f"{made.name} {made.chain_id} {made.contract}")
    print(
        f"已加上 {made.name}：链 {made.chain_id}，合同 {made.contract}。核验的人在自己的 trust.txt 里加一行："
    )
    print(f"anchor {made.name} {made.chain_id} {made.contract} {made.trust_domain}")
    return 0


def _new_key(platform: Platform, chain: AnchorChain) -> str:
    try:
        from eth_account import Account as EvmAccount
    except ImportError as error:
        raise ChainProblem("本机没有安装上链部件，请安装 plumbline[anchor]") from error
    made = EvmAccount.create()
    write_private(platform.folder("keys") / chain.key_file, bytes(made.key).hex().encode())
    return str(made.address)


def _remove(platform: Platform, known: tuple[AnchorChain, ...], arguments: argparse.Namespace) -> int:
    if arguments.name not in {each.name for each in known if not each.retired}:
        print(f"名单里没有 {arguments.name or '（请给出名称）'}，或已停用。", file=sys.stderr)
        return 2
    kept = [replace(each, retired=each.retired or each.name == arguments.name) for each in known]
    CHAINS.write(platform.folder("marks"), kept)
    note_change(platform, arguments.by, "anchor.remove", arguments.name)
    print(f"已停用 {arguments.name}。写过的检查点照旧在链上，合同留在名单里备查。")
    return 0


def _list(platform: Platform, known: tuple[AnchorChain, ...]) -> int:
    with psycopg.connect(platform.conninfo("plumb_gateway")) as conn:
        rows = conn.execute(
            "SELECT name, state, size, anchored_at, confirmations, problem FROM ops.anchor_chain"
        ).fetchall()
    told, status = {row[0]: row[1:] for row in rows}, 0
    for each in known:
        state, size, at, blocks, problem = told.get(each.name, ("waiting", 0, None, 0, ""))
        kind = "已停用" if each.retired else _STATES[state]
        when = f"，写到 {size} 条，{at.astimezone().isoformat(timespec='seconds')}" if at else ""
        print(
            f"{each.name}（{each.trust_domain}）链 {each.chain_id}，合同 {each.contract}：{kind}（{blocks}/{each.confirmations} 块）{when}"
        )
        if problem:
            print(f"  {problem}")
            status = 1
    if not known:
        print("没有登记链。", file=sys.stderr)
    return status


_KEPT = """
SELECT a.name, a.size, a.proof, c.note
  FROM journal.anchor a JOIN journal.checkpoint c ON c.origin = a.origin AND c.size = a.size
 ORDER BY a.name, a.received_at
"""


def unheld(conn: psycopg.Connection, known: tuple[AnchorChain, ...]) -> tuple[int, list[str]]:
    """(anchors that are kept, a sentence for each that its chain does not hold, or not where and when the line says)."""
    rows = conn.execute(_KEPT).fetchall()
    chains, wrong = {each.name: each for each in known}, list[str]()
    with client((each.url for each in known), timeout_s=TIMEOUT_S, max_bytes=MAX_ANSWER + 1) as http:
        for name, size, proof, note in rows:
            label, chain = f"{name} 对 {size} 条的上链：", chains.get(name)
            if chain is None:
                wrong.append(f"{label}这条链不在名单里")
                continue
            try:
                line = format_attachment(name, ANCHOR_TYPE, AnchorPlace.decode(bytes(proof or b"")).encode())
            except ValueError:
                wrong.append(f"{label}凭据读不懂")
                continue
            try:
                findings = anchor_findings(note + line, [chain.trusted], Node(chain.url, http))
            except FetchFailed as problem:
                wrong.append(f"{label}节点没有答复（{problem}）")
                continue
            wrong += [label + told.zh for told in findings if told.standing != "holds" or told.is_moved]
    return len(rows), wrong


def _check(platform: Platform, known: tuple[AnchorChain, ...]) -> int:
    """Ask each chain for every anchor that is kept."""
    with psycopg.connect(platform.conninfo("plumb_gateway")) as conn:
        kept, wrong = unheld(conn, known)
    for sentence in wrong:
        print(sentence)
    print(f"上链 {kept} 个，链上都有。" if not wrong else f"上链 {kept} 个，{len(wrong)} 处没有核对上。")
    return 1 if wrong else 0
