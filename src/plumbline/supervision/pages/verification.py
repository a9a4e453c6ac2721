"""What the public verification page says, as frozen values without framework (公众验证页的视图模型).

The gateway fills a ``VerificationPage`` from the masked rows of the database function for the public and
draws it with the Jinja templates beside it; nothing here imports Django. Every state has one sentence of at
most 22 characters and one paragraph in plain words. A document that is registered but fails its test is
genuine: the verdict is about the document, not about the material.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from plumbline.supervision.pages.wording import Tone


class VerificationState(StrEnum):
    """What became of a code, or of a file held against it (验证结果)."""

    GENUINE = "genuine"
    GENUINE_DEMO = "genuine_demo"
    REGISTERED_ONLY = "registered_only"
    CHANGED = "changed"
    UNKNOWN = "unknown"
    RESERVED = "reserved"
    UNUSED_EXPIRED = "unused_expired"
    WITHHELD = "withheld"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"
    UNREACHABLE = "unreachable"
    UNSOUND = "unsound"


@dataclass(frozen=True, slots=True)
class VerdictWords:
    """Headline, icon and tone of a state, and the paragraph used when the page brings none of its own."""

    headline: str
    detail: str
    tone: Tone
    icon: str


VERDICT_WORDS: dict[VerificationState, VerdictWords] = {
    VerificationState.GENUINE: VerdictWords(
        "这份报告是真的", "签发后内容没有改动，也没有撤回。", Tone.OK, "rosette-discount-check"
    ),
    VerificationState.GENUINE_DEMO: VerdictWords(
        "这份报告是真的，演示证书",
        "签发后内容没有改动，也没有撤回。签章用的是演示证书，只供演示，不能用于工程。",
        Tone.OK,
        "rosette-discount-check",
    ),
    VerificationState.REGISTERED_ONLY: VerdictWords(
        "已登记，没有机构签名，不能证明",
        "平台登记过这份报告，但机构报送时只用了对称密钥，没有签名，所以不能向第三方证明是机构出具的。",
        Tone.WARN,
        "alert-circle",
    ),
    VerificationState.CHANGED: VerdictWords(
        "这份文件被改过，请不要采用",
        "监管码是真的，但您选的这个 PDF 与登记的原件不一样：不是原件，或者签发之后改动过。",
        Tone.BAD,
        "shield-x",
    ),
    VerificationState.UNKNOWN: VerdictWords(
        "查不到这个监管码",
        "请逐组核对纸面上的字符，或看看是不是别省的报告。扫码也查不到的，请不要采用。",
        Tone.BAD,
        "circle-x",
    ),
    VerificationState.RESERVED: VerdictWords(
        "报告还没有登记，先不要采用",
        "这个监管码已经发给检测机构，但机构还没有登记签章后的报告。登记之后才有效。",
        Tone.WARN,
        "hourglass",
    ),
    VerificationState.UNUSED_EXPIRED: VerdictWords(
        "这个监管码没有用过，已作废",
        "监管码发出后，机构在期限内没有登记报告。带有这个码的报告都不能采用。",
        Tone.BAD,
        "circle-x",
    ),
    VerificationState.WITHHELD: VerdictWords(
        "这份报告没有发码，不要采用",
        "机构申请过监管码，因为缺少应有的记录，平台没有发放。请向检测机构询问。",
        Tone.BAD,
        "lock",
    ),
    VerificationState.WITHDRAWN: VerdictWords(
        "这份报告已撤回，请不要采用",
        "检测机构已经撤回这份报告。内容没有被改动，但不再有效。",
        Tone.BAD,
        "circle-x",
    ),
    VerificationState.SUPERSEDED: VerdictWords(
        "这份报告有新版，请看新版",
        "这一版是真的，但检测机构已经更正，请以新版为准。",
        Tone.WARN,
        "history",
    ),
    VerificationState.UNREACHABLE: VerdictWords(
        "现在连不上平台，还不能确定",
        "内容有没有改、有没有撤回，要连上平台才知道。请稍后再扫一次。",
        Tone.WARN,
        "wifi-off",
    ),
    VerificationState.UNSOUND: VerdictWords(
        "登记的文件不合要求，请不要采用",
        "机构登记了报告，但文件的签章没有通过查验。请向监督机构反映。",
        Tone.BAD,
        "shield-x",
    ),
}


def headline_parts(headline: str) -> tuple[str, ...]:
    """Return the clauses of a headline, each with its comma: 这份文件被改过， 请不要采用."""
    parts = headline.split("，")
    return (*(part + "，" for part in parts[:-1]), parts[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicFact:
    """One fact to hold against the paper; large ones are those that forgers change most (核对项)."""

    #: machine name of the item, sent back by a complaint: grade, strength, part, date, client …
    key: str
    label: str
    value: str
    #: second line
    note: str = ""
    #: shown also in large print, where fewer facts stand
    is_essential: bool = True
    is_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One value of the registered document beside the same place in another file (差别)."""

    label: str
    registered: str
    presented: str
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TechnicalDetail:
    """The folded part for those who want to check themselves (技术细节); an empty value is left out."""

    sha256: str = ""
    document_bytes: int | None = None
    signer: str = ""
    #: 正式根证书 · 演示证书
    root_kind: str = ""
    log_origin: str = ""
    log_index: int | None = None
    checkpoint_size: int | None = None
    checkpoint_at: datetime | None = None
    root: str = ""
    cosigners: tuple[str, ...] = ()
    receipt_url: str | None = None
    verify_command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicAction:
    """One way on from the verdict: 看取样到报告的全过程, 看新版."""

    label: str
    icon: str
    url: str
    is_primary: bool = False
    #: left out of the large-print page
    is_essential: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationPage:
    """The answer to one scanned code, fit to be shown to anyone (公众验证页)."""

    state: VerificationState
    #: in groups as printed; as typed when unknown
    code: str
    #: when the platform judged
    judged_at: datetime
    #: replaces the paragraph of the state, e.g. with institution and day of issue
    detail: str = ""
    facts: tuple[PublicFact, ...] = ()
    #: names masked already
    participants: str = ""
    participants_note: str = ""
    technical: TechnicalDetail | None = None
    #: the registered document itself
    document_url: str = ""
    actions: tuple[PublicAction, ...] = ()
    differences: tuple[Difference, ...] = ()
    #: where a complaint goes, e.g. 衡川市质监站; empty: the form says 监督机构
    complaint_office: str = ""
    #: fragment of the QR code exactly as issued; the browser holds the scanned one against it, field by field
    registered_claims: str = ""
    #: name of the institution that the claims name by its id
    claims_institution: str = ""
    #: error or problem number for the telephone
    problem_number: str = ""
    is_demo: bool = False

    @property
    def words(self) -> VerdictWords:
        """Headline, icon and tone of the state."""
        return VERDICT_WORDS[self.state]

    @property
    def headline(self) -> str:
        """The one sentence."""
        return self.words.headline

    @property
    def headline_parts(self) -> tuple[str, ...]:
        """The headline cut after each comma, so that a line never breaks inside a word."""
        return headline_parts(self.headline)

    @property
    def paragraph(self) -> str:
        """The page's own paragraph, or the one of the state."""
        return self.detail or self.words.detail

    @property
    def path(self) -> str:
        """Path of the page: groups joined, so that a code reads the same with and without hyphens."""
        return "/v/" + self.code.replace("-", "").replace(" ", "")

    @property
    def accepts_file(self) -> bool:
        """True when there is a registered document to hold a file against."""
        return self.state in {
            VerificationState.GENUINE,
            VerificationState.GENUINE_DEMO,
            VerificationState.REGISTERED_ONLY,
            VerificationState.CHANGED,
            VerificationState.SUPERSEDED,
            VerificationState.WITHDRAWN,
        }

    @property
    def may_match_paper(self) -> bool:
        """True when the question 与纸面一致吗 makes sense: facts of a registered report are shown."""
        return bool(self.facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintPage:
    """The answer to 不一致: the complaint is an entry of the log and has a number (举报已受理)."""

    code: str
    number: str
    logged_at: datetime
    log_index: int
    receipt_url: str
    office: str = ""
    is_demo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeEntryPage:
    """The page where a code is typed or scanned (输入监管码)."""

    typed: str = ""
    #: what was wrong with what was typed, in one sentence
    problem: str = ""
    is_demo: bool = False


def file_answer(
    state: VerificationState,
    *,
    detail: str = "",
    differences: tuple[Difference, ...] = (),
    problem_number: str = "",
) -> dict[str, object]:
    """Return the JSON of ``GET /v/CODE/check?sha256=``: what the header changes to, in words and tone.

    ``state`` is GENUINE or GENUINE_DEMO when the bytes are the registered ones and the report is in force,
    CHANGED when they are not, else the state of the report (withdrawn, superseded …).
    """
    words = VERDICT_WORDS[state]
    return {
        "kind": state.value,
        "tone": words.tone.value,
        "icon": words.icon,
        "headline": words.headline,
        "detail": detail or words.detail,
        "differences": [
            {"label": d.label, "registered": d.registered, "presented": d.presented, "place": d.place}
            for d in differences
        ],
        "problem_number": problem_number,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedPage:
    """A form that never came as far as its page: too large, too slow, at an address that cannot be (没有收到的表单)."""

    headline: str
    remedy: str
    detail: str = ""
    #: Where the reader can go on, and what the link says.
    back: str = "/"
    back_word: str = "回到首页"
    is_demo: bool = False
