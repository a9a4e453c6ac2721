"""What the code gate is told of an application: values of record, each as of its own day (申码事实)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from plumbline.domain.basics.findings import Finding
from plumbline.domain.reporting.verdicts import Verdict


class Standing(StrEnum):
    """Whether something lies in an approved schedule on the day that counts; unknown never withholds."""

    WITHIN = "within"
    OUTSIDE = "outside"
    UNKNOWN = "unknown"


class DataOrigin(StrEnum):
    """How a measured value came in (自动采集、非自动采集)."""

    ACQUIRED = "acquired"
    KEYED = "keyed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedTest:
    """One test whose record the platform holds and has accepted."""

    uid: str
    #: `SampleFacts.uid` of the sample or in-situ item that was tested.
    sample: str
    started_at: datetime
    finished_at: datetime
    origin: DataOrigin
    #: Points of the force-time curve; 0 when there is no curve.
    curve_points: int = 0
    #: The person who ran the test; None when not told.
    technician: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedParameter:
    """One parameter in the report with the tests that it rests on."""

    #: Such as ``concrete_cube.compressive``; the force list of the jurisdiction uses the same codes.
    code: str
    #: Chinese name for the sentence.
    name: str
    method: str
    tests: tuple[AcceptedTest, ...]
    #: The institution's approval for this parameter and method at the site, on the day of the test.
    capability: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFacts:
    """One sample (组) or in-situ item with the moments that are on record; None when there is none."""

    uid: str
    #: Number or name for the sentence.
    label: str
    #: A tag of the sample, or the code of the in-situ item; None when it has none.
    tag: str | None
    #: A witness's record exists.
    witnessed: bool
    made_at: datetime | None = None
    witnessed_at: datetime | None = None
    commissioned_at: datetime | None = None
    received_at: datetime | None = None
    #: The report's commission lists it, and it is of that commission's project.
    commissioned: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonFacts:
    """A reviewer or approver and whether the approved schedule covers the person on that day."""

    uid: str
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeApplicationFacts:
    """An application for a supervision code."""

    institution: str
    #: Division code of the institution's registration; its province is compared with the project's.
    institution_division: str
    #: Filing (备案) with the project's province; asked only of an institution from another province.
    filing: Standing
    site: str
    #: The site in the approved schedule on the day of the tests.
    site_standing: Standing
    #: Division code of the project: whose parameters hold.
    division: str
    #: Such as ``witnessed``, ``client_submitted``, ``on_site``, ``supervision_spot``.
    test_category: str
    #: True when this test category needs a witness for every sample.
    witnessing_required: bool
    #: Such as ``owner``, ``contractor``, ``resident_engineer_firm``, ``other``.
    client_role: str
    applied_at: datetime
    parameters: tuple[ReportedParameter, ...]
    samples: tuple[SampleFacts, ...]
    reviewer: PersonFacts | None
    approver: PersonFacts | None
    reviewed_at: datetime | None
    approved_at: datetime | None
    #: The commission is on record and names this institution.
    own_commission: bool = True
    #: For the record alone: no condition reads it, a failing result gets its code like any other.
    conclusion: Verdict


@dataclass(frozen=True, slots=True)
class GateDecision:
    """Reserved, or withheld with every reason; notes never withhold."""

    reserved: bool
    reasons: tuple[Finding, ...]
    notes: tuple[Finding, ...]
