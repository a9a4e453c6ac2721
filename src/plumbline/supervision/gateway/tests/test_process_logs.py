"""What the processes write about errors (进程日志): never the number that the database refused."""

from __future__ import annotations

import importlib
import inspect
import logging
import sys

import pytest

from plumbline.supervision.logs import MaskingFormatter

MOBILE, SERIAL = "13912345678", "0192f3a1186001234509ab"


def test_an_error_is_told_without_the_number_in_it() -> None:
    try:
        raise ValueError(f'invalid input syntax for type date: "{MOBILE}"')
    except ValueError:
        told = sys.exc_info()
    record = logging.LogRecord(
        "plumbline.gateway", logging.ERROR, "x", 1, "failure at /v/%s of %s", (MOBILE, SERIAL), told
    )
    line = MaskingFormatter().format(record)
    assert MOBILE not in line
    assert "＊" * 11 in line and SERIAL in line
    assert "ValueError: invalid input syntax" in line and "Traceback" in line


@pytest.mark.parametrize("process", ["gateway.app", "projection.__main__", "worker.__main__"])
def test_every_process_writes_by_it(process: str) -> None:
    source = inspect.getsource(importlib.import_module(f"plumbline.supervision.{process}"))
    assert "begin_logging()" in source and "basicConfig(" not in source


def test_a_record_is_one_line_whatever_it_holds() -> None:
    typed = "x\r\n2026-11-20 plumbline INFO all is well\x1b[2J\u2028"
    record = logging.LogRecord("plumbline.web", logging.WARNING, "x", 1, "refused %s", (typed,), None)
    line = MaskingFormatter().format(record)
    assert len(line.splitlines()) == 1 and "\x1b" not in line
    assert "x\\r\\n2026-11-20" in line
