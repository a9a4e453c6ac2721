"""What the pages show, as frozen values that queries fill and templates draw.

页面的视图模型：查询负责填写，模板只管画，两边都不认识对方。

Pure: no Django, no database, no clock. Times are aware UTC instants (shown in Asia/Shanghai by the
templates); measured values are strings exactly as they were measured; names that the public may see are
masked before they come here. The trace page's models live in ``trace_models`` and can be had from here too;
the public verification page has its own module, ``verification``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from plumbline.supervision.pages.list_models import Column, RecordRow
from plumbline.supervision.pages.trace_models import (
    Agreement as Agreement,
)
from plumbline.supervision.pages.trace_models import (
    Answer as Answer,
)
from plumbline.supervision.pages.trace_models import (
    Change as Change,
)
from plumbline.supervision.pages.trace_models import (
    Chip as Chip,
)
from plumbline.supervision.pages.trace_models import (
    CurveFact as CurveFact,
)
from plumbline.supervision.pages.trace_models import (
    CurvePanel as CurvePanel,
)
from plumbline.supervision.pages.trace_models import (
    EvidenceBlock as EvidenceBlock,
)
from plumbline.supervision.pages.trace_models import (
    FindingCard as FindingCard,
)
from plumbline.supervision.pages.trace_models import (
    FindingsPanel as FindingsPanel,
)
from plumbline.supervision.pages.trace_models import (
    History as History,
)
from plumbline.supervision.pages.trace_models import (
    HistoryEntry as HistoryEntry,
)
from plumbline.supervision.pages.trace_models import (
    Interval as Interval,
)
from plumbline.supervision.pages.trace_models import (
    KeyPicture as KeyPicture,
)
from plumbline.supervision.pages.trace_models import (
    ProofChip as ProofChip,
)
from plumbline.supervision.pages.trace_models import (
    ReportHead as ReportHead,
)
from plumbline.supervision.pages.trace_models import (
    SpecimenCurve as SpecimenCurve,
)
from plumbline.supervision.pages.trace_models import (
    StepState as StepState,
)
from plumbline.supervision.pages.trace_models import (
    TracePage as TracePage,
)
from plumbline.supervision.pages.trace_models import (
    TraceStep as TraceStep,
)
from plumbline.supervision.pages.trace_models import (
    VerdictBlock as VerdictBlock,
)
from plumbline.supervision.pages.trace_models import (
    VersionInfo as VersionInfo,
)
from plumbline.supervision.pages.trace_models import (
    cube_facts as cube_facts,
)
from plumbline.supervision.pages.trace_models import (
    tension_facts as tension_facts,
)
from plumbline.supervision.pages.wording import Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleCard:
    """One card of the demo's front page: enter as this role with one click (角色卡片)."""

    key: str
    title: str
    sentence: str
    icon: str
    #: POST here (a sign-in), or GET when ``needs_sign_in`` is false
    url: str
    needs_sign_in: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTest:
    """One test that runs now or has just ended (正在做的试验)."""

    title: str
    institution: str
    machine: str
    url: str
    #: None when the stream does not say
    started_at: datetime | None = None
    is_running: bool = True
    outcome: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CityLine:
    """How far the demo's city has come while it is still being filled (生成进度)."""

    text: str
    percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePage:
    """The first page: role cards in the demo, then what runs now and the newest reports (首页)."""

    #: empty outside the demo
    role_cards: tuple[RoleCard, ...] = ()
    live_tests: tuple[LiveTest, ...] = ()
    newest: tuple[RecordRow, ...] = ()
    figures: tuple[CurveFact, ...] = ()
    reports_url: str = "/reports/"
    #: false for the public, who may see neither reports nor running tests
    shows_work: bool = True
    #: only while the demo's city is being filled
    city: CityLine | None = None
    #: the line that leads to the tour of a demo
    offers_tour: bool = False

    @property
    def newest_columns(self) -> tuple[Column, ...]:
        """The columns of the newest reports."""
        return tuple(column for column, _ in self.newest[0].cells) if self.newest else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSpecimen:
    """One specimen of the group on the live page: done, on the machine, or waiting."""

    label: str
    tag: str
    #: done, running, waiting
    state: str
    #: peak load in kN as measured, when done
    peak_kN: str = ""
    strength_MPa: str = ""
    #: the finished curve, drawn grey behind the running one
    data_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCurvePage:
    """A test while it runs, read only; the curve grows by Server-Sent Events (实时曲线)."""

    title: str
    commission: str
    institution: str
    machine: str
    technician: str
    calibration: str
    stream_url: str
    #: loaded area in mm², to turn force into stress
    area_mm2: str
    specimens: tuple[LiveSpecimen, ...] = ()
    #: permitted loading rate in MPa/s as written in the method edition; empty when none applies
    band_low: str = ""
    band_high: str = ""
    band_text: str = ""
    #: width of the window over which the shown rate is taken, in s
    rate_window_s: int = 3
    force_axis_max_kN: str = "1000"
    time_axis_max_s: str = "90"
    #: force at which the design value is reached, and its word (C35)
    design_force_kN: str = ""
    design_label: str = ""
    trace_url: str | None = None
    #: ``automatic`` when the machine's driver says that nobody can load by hand; empty when it does not say
    load_control: str = ""
    others: tuple[LiveTest, ...] = ()
    #: permitted rates by grade as JSON ``{"C35": ["0.5", "0.8"]}``, for a stream that names its grade
    bands_json: str = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRow:
    """One running process with its heartbeat (进程)."""

    kind: str
    name: str
    tone: Tone
    standing: str
    started_at: datetime | None = None
    heartbeat_at: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPlace:
    """An entry of the log: its position, when it was logged, and where its receipt is fetched (入账)."""

    index: int
    at: datetime
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CosignerKeyRow:
    """One key of a cosigner as the log accepted it (联署方的密钥)."""

    name: str
    trust_domain: str
    is_external: bool
    algorithm: str
    key_id: str
    tone: Tone
    standing: str
    accepted: EntryPlace
    retired: EntryPlace | None = None
    #: size of the newest checkpoint that the key cosigned, and the time that it states
    signed_size: int | None = None
    signed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPage:
    """How the platform itself is (运行状态): the log, the projector's lag, the processes."""

    headline: Answer
    origin: str
    log_size: int
    projected_size: int
    #: seconds between an entry's logged_at and its projection; alarm from 5 s
    lag_seconds: float
    parked: int
    checkpoint_size: int | None
    checkpoint_at: datetime | None
    processes: tuple[ProcessRow, ...]
    #: (name, sentence): trust domain, how far it came, what is wrong
    cosigners: tuple[tuple[str, str], ...] = ()
    #: of them, those outside the operator's own trust domain; zero is shown in amber
    external_cosigners: int = 0
    #: keys that the log accepted, those in use first, and how many there are
    cosigner_keys: tuple[CosignerKeyRow, ...] = ()
    cosigner_key_count: int = 0
    #: (name, sentence): time-stamp authorities, and chains that hold checkpoints
    stamps: tuple[tuple[str, str], ...] = ()
    anchors: tuple[tuple[str, str], ...] = ()
    #: (name, sentence) of every later epoch of the log and of every correction of its time; none in a healthy log
    epochs: tuple[tuple[str, str], ...] = ()
    #: how the virus scan is; without a scanner that is said
    scanning: tuple[Tone, str] = (Tone.WARN, "没有接病毒扫描")
    #: how the patrol of stored files is
    patrol: tuple[Tone, str] = (Tone.WARN, "还没有巡检")
    #: (label, value) rows: database, files, version
    details: tuple[tuple[str, str], ...] = ()

    @property
    def waiting(self) -> int:
        """Entries in the log that the projector has not reached."""
        return max(0, self.log_size - self.projected_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedPage:
    """A submission is durable and logged, its projection is not there yet (已受理，正在入账)."""

    #: 评定记录, 举报 …: what was submitted
    subject: str
    log_index: int
    logged_at: datetime
    receipt_url: str
    #: where the result will stand
    target_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuItem:
    """One entry of the menu; a badge is a count."""

    label: str
    icon: str
    url: str
    is_active: bool = False
    badge: int | None = None
    is_urgent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """What surrounds every page: menu, header, person, division (页面外壳)."""

    #: (heading or "", items)
    menu: tuple[tuple[str, tuple[MenuItem, ...]], ...]
    person: str
    capacity: str
    division: str
    #: (label, url) of each level above the page, then the page itself with ""
    breadcrumb: tuple[tuple[str, str], ...] = ()
    product: str = "监管端"
    unread: int = 0
    is_demo: bool = False
    search_url: str = "/search/"
    #: name of the box's value in its address, and what may be typed
    search_name: str = "q"
    search_hint: str = "任意编号、工程、机构、人员、设备"
    verify_url: str = "/v/"
    search_text: str = ""
    #: What was searched for when the search opened this page at once.
    found_by: str = ""
    #: POST here to leave the role; empty when nobody is signed in
    sign_out_url: str = ""
    #: where the public signs in; empty for those who have
    sign_in_url: str = ""
    #: login name of the officer who looks with these eyes
    viewed_by: str = ""
    #: whether an account, not a role card of the demo, is signed in
    has_account: bool = False
    #: how many other sign-ins of the account were open when this one began
    elsewhere: int = 0
    #: told once after signing in: when and from where the sign-in before was, and how many were refused since
    signed_in_before: str = ""
