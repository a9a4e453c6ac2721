"""Printing beside sending (排版签章进程): one process sets and signs reports while another sends what is ready."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from plumbline.demo.printing import PrintJob, SignedReport, signed_report
from plumbline.supervision.memory import settle

#: How long it may take to end, once nothing is left to print, seconds.
_END_S = 10.0


class Printer:
    """A process that prints one report after another, in the order in which they come; a `Press` and a context manager.

    It ends with whoever started it, however that ends: nobody else holds the other end of its pipe.
    """

    def __init__(self) -> None:
        # Not forked: the sender has threads.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), name="plumbline-printer", daemon=True)
        self._process.start()
        theirs.close()
        self._jobs = ThreadPoolExecutor(1, thread_name_prefix="printer")

    def __call__(self, job: PrintJob) -> Callable[[], SignedReport]:
        """Have a report printed; what hands it over raises as `signed_report` does, EOFError when the process is gone."""
        return self._jobs.submit(self._printed, job).result

    def _printed(self, job: PrintJob) -> SignedReport:
        self._pipe.send(job)
        came: SignedReport | Exception = self._pipe.recv()
        if isinstance(came, Exception):
            raise came
        return came

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What nobody waits for any more need not be printed.
        self._jobs.shutdown(cancel_futures=True)
        self._pipe.close()
        self._process.join(_END_S)
        if self._process.is_alive():
            self._process.terminate()


def _serve(jobs: Connection) -> None:
    # Ctrl-C reaches every process of the terminal; this one ends when its sender does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settle()
    while True:
        try:
            job = jobs.recv()
        except EOFError:
            return
        came: SignedReport | Exception
        try:
            came = signed_report(job)
        except Exception as error:
            came = error
        try:
            jobs.send(came)
        except BrokenPipeError:
            return
