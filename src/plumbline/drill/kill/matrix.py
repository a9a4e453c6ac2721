"""Every failpoint by itself (故障点矩阵): step × {error, kill} × {sent again, not sent again}, and after each what must hold.

Inside a transaction a third fault: the process is held there while its database session ends.

Of each point it is known what is durable when it strikes (nothing, the file's name, its row, the entry): a cell that finds more or less
has found a step in the wrong place. A point that never strikes fails its cell too.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from plumbline.drill.kill import chain
from plumbline.drill.kill.invariants import find_decisions, find_file, find_message, find_personal
from plumbline.drill.kill.ledger import Ledger, Upload
from plumbline.drill.kill.site import Site
from plumbline.drill.kill.storm import send_once
from plumbline.exchange.encode import encode_message

ACTIONS = ("error", "kill")
#: The session of the held process ends under it.
SESSION = "session"
#: Kill, from outside, what has just answered; `database` is the whole of PostgreSQL.
ON_ANSWER = ("answer.gateway", "answer.database")
#: The worker dies after its entry and comes back while the projection has not seen it.
UNSEEN = "register.unseen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One fault at one place."""

    #: append, file, key, project, register, sign.
    step: str
    point: str
    action: str
    sent_again: bool

    @property
    def label(self) -> str:
        """For results."""
        again = "重发" if self.sent_again else "不重发"
        return f"{self.step} {self.point}={self.action}，{again}"


@dataclass(frozen=True, slots=True)
class Point:
    """A failpoint with what is durable when it strikes: of a message its entry, of a file one of `FILE_STATES`."""

    name: str
    durable: bool | str


_APPEND = (
    Point("append.before_begin", False),
    Point("append.after_entries", False),
    Point("append.after_claims", False),
    Point("append.after_personal", False),
    Point("append.after_head_lock", False),
    Point("append.after_leaves", False),
    Point("append.before_commit", False),
    Point("append.after_commit", True),
    Point("answer.before_sent", True),
)
_SIGN = tuple(
    Point(name, True)
    for name in (
        "mark.locked",
        "mark.compared",
        "mark.temp_written",
        "mark.temp_synced",
        "mark.renamed",
        "mark.folder_synced",
        "append.after_mark",
        "append.after_sign",
    )
)
_FILE = (
    Point("file.after_write", "nothing"),
    Point("file.after_fsync", "nothing"),
    Point("file.after_rename", "file"),
    Point("file.after_directory_fsync", "file"),
    Point("file.after_row", "row"),
    Point("append.before_commit", "row"),
    Point("append.after_commit", "entry"),
    Point("append.after_sign", "entry"),
    Point("file.after_entry", "entry"),
)
_KEY = tuple(Point(name, False) for name in ("key.temp_written", "key.linked", "key.folder_synced"))
_PROJECT = ("project.after_rows", "project.before_commit", "project.after_commit")
_REGISTER = (
    "register.before_append",
    "append.before_commit",
    "append.after_commit",
    "append.after_sign",
    "register.after_append",
)
_IN_TRANSACTION = (
    ("append", "append.after_entries"),
    ("append", "append.before_commit"),
    ("file", "append.before_commit"),
    ("project", "project.before_commit"),
    ("register", "append.before_commit"),
)
_PUBLISH = ("publish.before_row", "publish.after_row")


def cells() -> list[Cell]:
    """The whole matrix, in a fixed order."""
    names = {
        "append": [p.name for p in _APPEND],
        "key": [p.name for p in _KEY],
        "sign": [p.name for p in _SIGN] + list(_PUBLISH),
        "file": [p.name for p in _FILE],
        "project": list(_PROJECT),
        "register": list(_REGISTER),
    }
    found = [
        Cell(step=step, point=point, action=action, sent_again=again)
        for step, points in names.items()
        for point, action, again in itertools.product(points, ACTIONS, (False, True))
    ]
    found += [
        Cell(step=step, point=point, action=SESSION, sent_again=again)
        for (step, point), again in itertools.product(_IN_TRANSACTION, (False, True))
    ]
    found.append(Cell(step="register", point=UNSEEN, action="kill", sent_again=False))
    # Last the database: what is sent just after it came back may fail before it reaches a point.
    return found + [
        Cell(step="append", point=point, action="kill", sent_again=again)
        for point, again in itertools.product(ON_ANSWER, (False, True))
    ]


@dataclass(slots=True)
class Matrix:
    """Runs cells on a site; breaches are collected."""

    site: Site
    ledger: Ledger
    broken: list[str] = field(default_factory=list)
    done: int = 0
    #: The gateway that all cells use; None: each the next.
    only: int | None = None
    _turn: int = 0

    def run(self, wanted: Iterable[Cell], progress: Callable[[str], None] = lambda text: None) -> None:
        """Each cell, then the platform is whole again before the next."""
        by_step: dict[str, Callable[[Cell], None]] = {
            "append": self._message,
            "key": self._message,
            "sign": self._message,
            "file": self._file,
            "project": self._project,
            "register": self._register,
        }
        for cell in wanted:
            before, strange = len(self.broken), len(self.ledger.strange)
            if cell.point in ON_ANSWER:
                self._on_answer(cell)
            elif cell.point == UNSEEN:
                self._unseen(cell)
            elif cell.point in _PUBLISH:
                self._publish(cell)
            else:
                by_step[cell.step](cell)
            self.broken += [f"{cell.label}：{each}" for each in self.ledger.strange[strange:]]
            self.done += 1
            progress(f"{'不成立' if len(self.broken) > before else '成立'}  {cell.label}")

    # Helpers ------------------------------------------------------------------------------------------

    def _breach(self, cell: Cell, sentence: str) -> None:
        self.broken.append(f"{cell.label}：{sentence}")

    def _gateway(self) -> int:
        """The next gateway in turn: the one before may still be starting."""
        if self.only is not None:
            self._turn = self.only
        else:
            self._turn = (self._turn + 1) % len(self.site.ports)
        return self._turn

    def _arm(self, name: str, cell: Cell) -> None:
        self._arm_points(name, {cell.point: "hold" if cell.action == SESSION else cell.action})

    def _arm_points(self, name: str, points: dict[str, str]) -> None:
        self.site.wait(lambda: self.site.arm(name, points) is not None, f"{name} 接受故障点")

    def _struck(self, name: str, pid: int | None, cell: Cell) -> None:
        """Disarm, and see that the point has struck."""
        if cell.action == "kill":
            self.site.wait(lambda: self.site.pid(name) != pid, f"{cell.label}：{name} 没有被击中", 30)
        elif cell.point not in (self.site.arm(name, {}) or []):
            self._breach(cell, "故障点没有经过")

    def _is_held(self, name: str, point: str) -> None:
        self.site.wait(lambda: point in (self.site.arm(name, None) or []), f"{name} 停在 {point}", 60)

    def _end_session(self, name: str, cell: Cell) -> None:
        """End the session of a process that is held in its transaction, and let it go on."""
        try:
            self._is_held(name, cell.point)
            if not self.site.end_sessions("plumb_projector" if name == "projector" else "plumb_gateway"):
                self._breach(cell, "没有停在事务里")
        finally:
            self.site.arm(name, {})

    def _send(self, gateway: int, upload: Upload, *, persistent: bool = False) -> bool:
        """One attempt, or attempts until it is acknowledged, at whichever gateway answers."""
        others = range(len(self.site.ports)) if self.only is None else ()
        numbers = itertools.cycle([gateway, *others])

        strange = len(self.ledger.strange)

        def attempt() -> bool:
            with self.site.client(next(numbers)) as client:
                taken = send_once(client, self.site, upload, self.ledger)
            return (
                taken or len(self.ledger.strange) > strange
            )  # a refusal that no fault explains is told, not repeated

        return bool(self.site.wait(attempt, "重发得到答复")) if persistent else attempt()

    # Cells --------------------------------------------------------------------------------------------

    def _strike(self, cell: Cell, upload: Upload) -> None:
        """The upload meets the fault, and is sent again if the cell says so."""
        gateway = self._gateway()
        name = f"gateway-{gateway}"
        self.site.wait_for_gateway(gateway)  # its switch is there a moment before its port is
        self._arm(name, cell)
        pid = self.site.pid(name)
        taken: list[bool] = []
        sender = threading.Thread(target=lambda: taken.append(self._send(gateway, upload)), daemon=True)
        sender.start()
        if cell.action == SESSION:
            self._end_session(name, cell)
        sender.join()
        if taken != [False]:
            self._breach(cell, "故障之后仍然答复已收")
        if cell.action != SESSION:
            self._struck(name, pid, cell)

    def _message(self, cell: Cell) -> None:
        upload = self.ledger.person(self.site) if cell.step == "key" else self.ledger.next(self.site)
        self._strike(cell, upload)
        expected = next(p.durable for p in (*_APPEND, *_KEY, *_SIGN) if p.name == cell.point)
        found = self.site.wait(lambda: [find_message(self.site, upload)], "数据库应答")[0]
        if found != int(expected):
            self._breach(cell, f"故障后应有 {int(expected)} 条入账，有 {found} 条")
        if cell.sent_again:
            self._send(self._turn, upload, persistent=True)
            if (found := find_message(self.site, upload)) != 1:
                self._breach(cell, f"重发后有 {found} 条入账")
        entered = bool(expected) or cell.sent_again
        if (found := find_personal(self.site, upload)) != entered * len(upload.personal):
            self._breach(cell, f"入账的个人信息部分有 {found} 份，应有 {entered * len(upload.personal)} 份")

    def _file(self, cell: Cell) -> None:
        upload = self.ledger.file(5000 + self.done)
        self._strike(cell, upload)
        expected = next(p.durable for p in _FILE if p.name == cell.point)
        found = self.site.wait(lambda: find_file(self.site, upload), "数据库应答")
        if found != expected:
            self._breach(cell, f"故障后应已落到 {expected}，实为 {found}")
        if cell.sent_again:
            self._send(self._turn, upload, persistent=True)
            if (found := find_file(self.site, upload)) != "entry":
                self._breach(cell, f"重发后实为 {found}")

    def _project(self, cell: Cell) -> None:
        self._arm("projector", cell)
        pid = self.site.pid("projector")
        upload = self.ledger.next(self.site)
        self._send(self._gateway(), upload, persistent=True)
        if cell.action == SESSION:
            self._end_session("projector", cell)
        else:  # an error that a projector does not expect ends it, as a kill does
            self.site.wait(lambda: self.site.pid("projector") != pid, f"{cell.label}：没有被击中", 30)
        if cell.sent_again:
            self._send(self._gateway(), upload, persistent=True)
        self.site.settle()
        found = self.site.rows("SELECT count(*) FROM fact.event WHERE uid = %s", upload.uid)[0][0]
        if found != 1:
            self._breach(cell, f"投影了 {found} 次")

    def _register(self, cell: Cell) -> None:
        """Withheld under the fault; then released, registered and examined."""
        asked = self.ledger.message(chain.applied(self.site, self.ledger.serial()))
        self._meet(cell, asked)
        application = str((asked.answer or {})["entry"])
        self._until(application, "withheld")
        chain.release(self.site, application)
        code = self._until(application, "reserved")
        pdf = self.ledger.file(3000 + self.done)
        self._send(self._gateway(), pdf, persistent=True)
        message = chain.registered(self.site, application, str(code), pdf.sha256, len(pdf.data))
        filed = self.ledger.add(Upload(what="message", data=encode_message(message), uid=str(message.uid)))
        self._meet(cell, filed)
        registration = str((filed.answer or {})["entry"])
        self.site.wait(lambda: chain.examined(self.site, registration), f"{cell.label}：终稿得到查验")

    def _meet(self, cell: Cell, upload: Upload) -> None:
        """Send what gives the worker something to do, and let the fault meet it."""
        self._arm("worker", cell)
        pid = self.site.pid("worker")
        self._send(self._gateway(), upload, persistent=True)
        if cell.action == SESSION:
            self._end_session("worker", cell)
        elif cell.action == "kill":
            self.site.wait(lambda: self.site.pid("worker") != pid, f"{cell.label}：没有被击中", 30)
        else:
            self.site.wait(lambda: cell.point in (self.site.arm("worker", None) or []), cell.label, 30)
            self.site.arm("worker", {})
        if cell.sent_again:
            self._send(self._gateway(), upload, persistent=True)

    def _unseen(self, cell: Cell) -> None:
        """What it decides a second time, not knowing of the first, leaves one decision."""
        before, after = "register.before_append", "register.after_append"
        self._arm_points("worker", {before: "hold"})
        asked = self.ledger.message(chain.applied(self.site, self.ledger.serial()))
        self._send(self._gateway(), asked, persistent=True)
        entry = str((asked.answer or {})["entry"])
        self._is_held("worker", before)  # so the projection knows the application
        self.site.pause("projector", on=True)
        try:
            pid = self.site.pid("worker")
            self.site.arm("worker", {after: "kill"})
            self.site.wait(lambda: self.site.pid("worker") != pid, f"{cell.label}：没有被击中", 60)
            self._arm_points("worker", {after: "hold"})
            self.site.wait(
                lambda: (
                    find_decisions(self.site, entry) > 1 or after in (self.site.arm("worker", None) or [])
                ),
                f"{cell.label}：又作一次",
            )
            self.site.arm("worker", {})
        finally:
            self.site.pause("projector", on=False)
        self.site.settle()
        if (found := find_decisions(self.site, entry)) != 1:
            self._breach(cell, f"一次申请作了 {found} 次决定")

    def _until(self, application: str, state: str) -> str | None:
        def reached() -> tuple[str, str | None] | None:
            found = chain.state_of(self.site, application)
            return found if found and found[0] == state else None

        return self.site.wait(reached, f"申请到 {state}")[1]  # type: ignore[no-any-return]

    def _publish(self, cell: Cell) -> None:
        """The worker publishes a checkpoint under the fault, and publishes again afterwards."""
        self._arm("worker", cell)
        pid = self.site.pid("worker")
        upload = self.ledger.next(self.site)
        self._send(self._gateway(), upload, persistent=True)
        if cell.action == "kill":
            self.site.wait(lambda: self.site.pid("worker") != pid, f"{cell.label}：没有被击中", 30)
        else:
            self.site.wait(lambda: cell.point in (self.site.arm("worker", None) or []), cell.label, 30)
            self.site.arm("worker", {})
        newest = "SELECT 1 FROM journal.checkpoint c, journal.head h WHERE c.size >= h.size"
        self.site.wait(
            lambda: self.site.rows(newest, role="plumb_gateway"), f"{cell.label}：又发布了检查点", 60
        )

    def _on_answer(self, cell: Cell) -> None:
        """What has just acknowledged is killed at once; what it acknowledged must be there."""
        upload = self.ledger.next(self.site)
        gateway = self._gateway()
        self._send(gateway, upload, persistent=True)
        if cell.point == "answer.gateway":
            self.site.kill(f"gateway-{gateway}")
        elif self.site.cluster is not None:
            self.site.kill_postmaster()
        found = self.site.wait(lambda: [find_message(self.site, upload)], "数据库应答")[0]
        if found != 1:
            self._breach(cell, f"答复过的消息有 {found} 条入账")
        if cell.sent_again:
            self._send(self._gateway(), upload, persistent=True)


def cell(name: str, *, sent_again: bool) -> Cell:
    """The cell named `step point=action`."""
    found = [each for each in cells() if f"{each.step} {each.point}={each.action}" == name]
    return next(each for each in found if each.sent_again == sent_again)
