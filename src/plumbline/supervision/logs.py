"""What a process writes about itself (进程日志): one form of line, and no number of a person in it, not even in an error's words."""

from __future__ import annotations

import logging

from plumbline.exchange.masking import masked_text

FORMAT = "%(asctime)s %(name)s %(levelname)s %(message)s"


class MaskingFormatter(logging.Formatter):
    """Stars the numbers of people in the record and its traceback: a database error repeats the value, a path what was typed."""

    def __init__(self) -> None:
        super().__init__(FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The message on one line: what a visitor typed cannot begin a line of its own."""
        record.message = "".join(
            c if c.isprintable() else c.encode("unicode_escape").decode() for c in record.message
        )
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return masked_text(super().format(record))


def begin_logging() -> None:
    """For the processes without Django; the web process is told by its settings."""
    handler = logging.StreamHandler()
    handler.setFormatter(MaskingFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
