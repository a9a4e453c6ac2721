"""Where the drill's files are made (工场): one institution's genuine reports, and whoever wants to pass as it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from plumbline.drill.hostile_pdf import identities as ids
from plumbline.drill.hostile_pdf.case import Case
from plumbline.drill.hostile_pdf.identities import NAME, SIGNED_AT, USCC, Identity, Wish
from plumbline.drill.hostile_pdf.raw import FREE, RawReport
from plumbline.drill.hostile_pdf.sealing import Manner, dated, sealed
from plumbline.lab.keys import DemoAuthority, InstitutionKeys
from plumbline.lab.reporting.document import PrintedTable, ReportDocument
from plumbline.lab.reporting.render import render_report
from plumbline.lab.reporting.samples import sample_document
from plumbline.lab.reporting.sign import sign_report
from plumbline.sdk.pdf.roots import Revocation, TrustRoot

#: An institution's software may pack its objects in many ways; each is signed by a sound key.
_PACKED = {FREE: b"<</A 1>>", FREE + 1: b"[1 2]"}


@dataclass(frozen=True)
class Genuine:
    """One genuine report: how it was made, and its bytes."""

    variant: str
    data: bytes
    root_kind: str = "demo"


class Workshop:
    """Keys, certificates and genuine reports of one run."""

    def __init__(self, documents: int = 4) -> None:
        # Both are read into memory when they are made.
        with tempfile.TemporaryDirectory(prefix="plumbline-drill-pdf-") as name:
            demo = DemoAuthority.create(Path(name) / "root")
            self._keys = InstitutionKeys.create_demo(Path(name) / "keys", NAME, USCC, authority=demo)
        #: the root and the key that sign almost everything
        self.root = Identity(demo.key, demo.certificate)
        self.lab = Identity(self._keys.report_key, self._keys.certificate)
        self.licensed = ids.authority("国信电子认证根证书")
        self.middle = ids.authority("国信电子认证机构签发中心", self.licensed, path_length=0)
        self.ended = ids.authority("旧电子认证根证书")
        self.stranger = ids.authority("准绳演示根证书 DEMO ROOT (NOT FOR REAL REPORTS)")
        self.other = ids.institution(self.root, ids.OTHER_NAME, ids.OTHER_USCC)
        self.revoked = ids.institution(self.root)
        self.printed = [render_report(document) for document in _documents(documents)]
        self.signed = [sign_report(pdf, self._keys, signed_at=SIGNED_AT) for pdf in self.printed]

    @cached_property
    def roots(self) -> list[TrustRoot]:
        """The verifier's list: a demonstration root, a licensed one, and one that was dropped."""
        taken_back = Revocation(f"{self.revoked.certificate.serial_number:x}", SIGNED_AT - timedelta(days=30))
        return [
            replace(ids.trusted(self.root), revoked=(taken_back,)),
            ids.trusted(self.licensed, "licensed"),
            ids.trusted(self.ended, "licensed", until=ids.ENDED_AT),
        ]

    @cached_property
    def plain(self) -> bytes:
        """A small report, written byte by byte, without its signature."""
        return RawReport().write()

    def resigned(self, pdf: bytes) -> bytes:
        """`pdf` (unsigned) signed by the institution's own software."""
        return sign_report(pdf, self._keys, signed_at=SIGNED_AT)

    def altered(self) -> bytes:
        """Another conclusion under the same number, printed."""
        document = sample_document()
        return render_report(replace(document, conclusion="该组试件抗压强度代表值为 43.9 MPa，合格。"))

    def seal(self, report: RawReport, identity: Identity | None = None) -> bytes:
        """A report written byte by byte and signed, by the institution unless another is named."""
        return sealed(report.write(), identity or self.lab)

    def genuine(self, *, full: bool = True) -> list[Genuine]:
        """Reports that must be accepted; `full` with the slow keys and the long documents."""
        found = [Genuine(f"本平台排版，第 {index} 份", data) for index, data in enumerate(self.signed, 1)]
        found += [Genuine(f"其他软件的写法：{name}", data) for name, data in self._spellings()]
        found += self._licensed()
        if full:
            found += [Genuine(f"其他软件的写法：{name}", data) for name, data in self._tagged(8000)]
            found += [
                Genuine(name, sealed(self.plain, ids.institution(self.root, key=key)))
                for name, key in _keys()
            ]
            found += [
                Genuine(f"本平台排版，证书 {name}", sealed(self.signed[0], self._with(key)))
                for name, key in _keys()
            ]
        return found

    def _with(self, key: ids.Key) -> Identity:
        return ids.institution(self.root, key=key)

    def _spellings(self) -> list[tuple[str, bytes]]:
        return [
            ("交叉引用表", self.seal(RawReport(base=_PACKED))),
            ("交叉引用流", self.seal(RawReport(base=_PACKED, listed="stream"))),
            ("对象流", self.seal(RawReport(base=_PACKED, packed=list(_PACKED)))),
            ("摘要 SHA-384", sealed(self.plain, self.lab, Manner(digest="sha384"))),
            ("摘要 SHA-512", sealed(self.plain, self.lab, Manner(digest="sha512"))),
        ]

    def _tagged(self, count: int) -> list[tuple[str, bytes]]:
        """As office software exports long reports: a structure element for every cell of a table."""
        element = b"<</Type/StructElem/S/TD/P %d 0 R/Pg 3 0 R/K[<</Type/MCR/Pg 3 0 R/MCID %d>>]/A<</O/Table/ColSpan 1>>>>"
        tags = {FREE + index: element % (FREE + index // 9, index) for index in range(count)}
        return [
            (f"{count} 个结构标签", self.seal(RawReport(base=tags))),
            (f"{count} 个结构标签，在对象流里", self.seal(RawReport(base=tags, packed=list(tags)))),
        ]

    def _licensed(self) -> list[Genuine]:
        before = dated(self.plain, ids.ENDED_AT - timedelta(seconds=1))
        under = ids.institution(self.licensed)
        return [
            Genuine("正式根证书", sealed(self.signed[0], under), "licensed"),
            Genuine("正式根证书，经签发中心", sealed(self.plain, ids.institution(self.middle)), "licensed"),
            Genuine("根证书停用前一秒签", sealed(before, ids.institution(self.ended)), "licensed"),
        ]

    def broken(self) -> list[tuple[str, Identity, str]]:
        """Signers that no verifier may accept: what is wrong, the signer, the reason."""
        early, late = datetime(2021, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
        name = ids.subject(NAME, USCC)
        twice, nameless = ids.subject(NAME, USCC, twice=True), ids.subject(NAME)
        clerk = ids.institution(self.root)
        return [
            ("证书已过期", ids.institution(self.root, not_after=early), "out_of_time"),
            ("证书还没有生效", ids.institution(self.root, not_before=late), "out_of_time"),
            ("证书已吊销", self.revoked, "revoked"),
            ("根证书已停用", ids.institution(self.ended), "root_ended"),
            ("证书由机构自己签发", ids.certified(None, Wish(subject=name)), "untrusted"),
            ("证书由另一家机构的证书签发", Identity(*_pair(clerk), (clerk.certificate,)), "untrusted"),
            ("同名的另一个根", ids.institution(self.stranger), "untrusted"),
            ("同名的另一个根，夹带真根", self._smuggled(), "untrusted"),
            ("签发中心以下又有签发中心", self._too_deep(), "untrusted"),
            ("证书不能用来签文件", ids.institution(self.root, signs_documents=False), "untrusted"),
            ("证书有看不懂的必需扩展", ids.institution(self.root, unknown_critical=True), "untrusted"),
            ("证书里机构名写了两个", ids.certified(self.root, Wish(subject=twice)), "no_name"),
            ("证书里没有统一社会信用代码", ids.certified(self.root, Wish(subject=nameless)), "no_name"),
            ("RSA 1024 位", ids.institution(self.root, key=_small()), "weak_digest"),
        ]

    def _smuggled(self) -> Identity:
        false = ids.institution(self.stranger)
        return Identity(false.key, false.certificate, (self.root.certificate,))

    def _too_deep(self) -> Identity:
        return ids.institution(ids.authority("第二级签发中心", self.middle))

    def cases(self, *, full: bool = True) -> list[Case]:
        """The genuine ones as cases."""
        return [
            Case(
                family="真报告",
                variant=each.variant,
                data=each.data,
                signer=NAME,
                genuine=True,
                root_kind=each.root_kind,
            )
            for each in self.genuine(full=full)
        ]


def _pair(issuer: Identity) -> tuple[ids.Key, x509.Certificate]:
    made = ids.institution(issuer)
    return made.key, made.certificate


def _small() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)  # noqa: S505 -- what the verifier must refuse


def _keys() -> Sequence[tuple[str, ids.Key]]:
    return [
        ("RSA 2048", rsa.generate_private_key(65537, 2048)),
        ("RSA 3072", rsa.generate_private_key(65537, 3072)),
        ("P-384", ec.generate_private_key(ec.SECP384R1())),
        ("P-521", ec.generate_private_key(ec.SECP521R1())),
    ]


def _documents(count: int) -> list[ReportDocument]:
    """The sample report and longer ones: each has some pages more."""
    first = sample_document()
    made = [first]
    for index in range(1, count):
        rows = tuple((*row[:1], *row[1:]) for row in first.results.rows) * (12 * index)
        made.append(
            replace(
                first,
                report_number=f"HNT-2025-03-{index:05}",
                received_on=date(2025, 2, 20),
                printed_at=SIGNED_AT - timedelta(minutes=index),
                results=PrintedTable(columns=first.results.columns, rows=rows),
            )
        )
    return made
