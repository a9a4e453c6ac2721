"""Commands of the institution (机构命令): sign a report with the key folder that only the institution holds."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from plumbline.lab.keys import InstitutionKeys, KeyboxError
from plumbline.lab.reporting.sign import SigningRefusedError, sign_report


def run_sign(arguments: argparse.Namespace) -> int:
    """Sign and stamp a PDF; the output is written only when the signature is made."""
    try:
        keys = InstitutionKeys.load(Path(arguments.keys))
        signed = sign_report(Path(arguments.pdf).read_bytes(), keys, signed_at=datetime.now(UTC))
    except (OSError, KeyboxError, SigningRefusedError) as error:
        print(f"没有签成：{error}", file=sys.stderr)
        return 1
    Path(arguments.out).write_bytes(signed)
    print(f"已签章：{arguments.out}")
    return 0
