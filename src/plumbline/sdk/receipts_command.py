"""`plumbline receipts check` (回执对账): what this sender was acknowledged, against the platform as it is today."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime

from plumbline.evidence.checkpoint import trusted_verifiers
from plumbline.evidence.note import NoteError
from plumbline.sdk.bundle.trust import read_trust
from plumbline.sdk.client.receipt_check import Log, PlatformSilent, check_receipts
from plumbline.sdk.client.receipts import open_receipts
from plumbline.sdk.client.transport import open_http
from plumbline.sdk.unread import told_unread


def run_receipts(arguments: argparse.Namespace) -> int:
    """0 when everything that was acknowledged is there, 1 when something is not, 2 when it could not be asked."""
    try:
        store = open_receipts(arguments.folder)
        trust = read_trust(arguments.trust, arguments.log_key)
        if not trust.log_keys:
            print(
                "请用 --log-key 或 --trust 给出您信任的日志公钥，即当初登记时抄下的那一份。", file=sys.stderr
            )
            return 2
        since = datetime.fromisoformat(arguments.since).astimezone() if arguments.since else None
        keys = trusted_verifiers([*trust.log_keys, *trust.cosigners], trust.ended)
        with open_http(arguments.url, arguments.ca) as http:
            log = Log(arguments.url, http, keys)
            report = check_receipts(store.kept(), log, since=since)
    except PlatformSilent as silent:
        print(f"{silent}；什么也没有证明，请稍后再查。", file=sys.stderr)
        return 2
    except (OSError, ValueError, NoteError) as error:
        print(told_unread(error), file=sys.stderr)
        return 2
    for fault in report.faults:
        print(f"✗ {fault.sentence}")
    for told in report.notes:
        print(f"· {told}")
    if report.resent:
        print(f"· 其中 {len(report.resent)} 份是以前一期的：平台恢复时缺了，已在后来一期按原编号补上。")
    print(
        f"回执 {report.asked} 份（其中 {report.cosigned} 份有您信任的联署方），日志 {report.heads} 个时刻。"
    )
    if report.faults:
        print(f"对不上 {len(report.faults)} 处。回执有平台自己的签名，任何人都能用 plumbline verify 核验。")
        return 1
    print("平台确认过的都还在，原位原样，日志只增不改。")
    return 0
