"""Two reports of one project in one log in memory, bound into a volume that a test may open, change and close (合订案卷包测试用的故事)."""

from __future__ import annotations

import hashlib
import io
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import msgspec

from plumbline.domain.reporting.code import new_code
from plumbline.exchange.claims import CodeClaims, sign_claims
from plumbline.exchange.encode import encode_message
from plumbline.exchange.handbook.example_cast import at, uid
from plumbline.sdk.bundle.container import ContainerReader, ContainerWriter
from plumbline.sdk.bundle.format import BundleContent
from plumbline.sdk.bundle.records import as_told
from plumbline.sdk.bundle.standing import standing_of
from plumbline.sdk.bundle.verify import chain_of
from plumbline.sdk.bundle.volume_format import FilePart, LeftOut, Scope, digest_of
from plumbline.sdk.bundle.volume_verify import ReportFinding, VolumeCheck, VolumeTrust, verify_volume
from plumbline.sdk.bundle.volume_write import VolumeWriter
from plumbline.sdk.tests.bundle_story import CODE_KEYS, ORIGIN, Story, Verifier, key, log_key

#: What the second report has of its own, with the party that sends it.
SECOND = (
    ("number.taken", "institution"),
    ("report.applied", "institution"),
    ("code.reserved", "platform"),
    ("report.registered", "institution"),
    ("report.examined", "platform"),
)
FIRST_ONLY = tuple(kind for kind, _ in SECOND)


class TwoReports(Story):
    """The story with a second report over the same commission and tests."""

    def __init__(self, pdf: bytes, second_pdf: bytes) -> None:
        super().__init__(pdf)
        self.second_pdf = second_pdf
        for kind, role in SECOND:
            message = self.told[kind].message
            self.add(
                f"{kind}/2", msgspec.structs.replace(message, uid=uid(f"{kind}/2", message.occurred_at)), role
            )
        self.tie()

    def tie(self) -> None:
        """What the second report's messages name of one another."""
        told = {kind: self.told[f"{kind}/2"] for kind in FIRST_ONLY}
        number = f"{told['number.taken'].message.number}9"
        told["number.taken"].change(number=number, serial=told["number.taken"].message.serial * 10 + 9)
        told["report.applied"].change(number=number, number_entry=self.entry("number.taken/2"))
        applied, code = (
            told["report.applied"].message,
            new_code(date(2026, 11, 1), "HCZ", random.Random(2).getrandbits),
        )
        claims = CodeClaims(
            key_number=1, code=code, issued_on=at().date(), institution=bytes.fromhex(applied.sender)[:8], verdict=applied.conclusion,
            report_digest=hashlib.sha256(encode_message(applied)).digest()[:16], report_number=number,
        )  # fmt: skip
        names = {"application": self.entry("report.applied/2"), "code": code}
        told["code.reserved"].change(**names, claims=sign_claims(claims, key("code.key")))
        told["report.registered"].change(
            **names, pdf_sha256=hashlib.sha256(self.second_pdf).hexdigest(), pdf_bytes=len(self.second_pdf)
        )
        told["report.examined"].change(registration=self.entry("report.registered/2"))

    def reports(self) -> list[BundleContent]:
        """What each report's bundle would hold."""
        whole, names = self.content(), list(self.told)
        first = {at for at, name in enumerate(names) if not name.endswith("/2")}
        second = {at for at, name in enumerate(names) if name not in FIRST_ONLY}

        def part(places: set[int], **fields: object) -> BundleContent:
            entries = tuple(each for at, each in enumerate(whole.entries) if at in places)
            kept = {each.entry for each in entries}
            pictures = tuple(each for each in whole.pictures if each.entry in kept)
            return replace(whole, entries=entries, pictures=pictures, **fields)

        applied, reserved = self.told["report.applied/2"].message, self.told["code.reserved/2"].message
        other = part(
            second, application=self.entry("report.applied/2"), code=reserved.code, number=applied.number, pdf=self.second_pdf
        )  # fmt: skip
        return [part(first), other]

    def bind(
        self,
        path: Path,
        *,
        scope: Scope | None = None,
        left_out: tuple[LeftOut, ...] = (),
        stated: bool = True,
        absent_pdf: str | None = None,
    ) -> None:
        """Write both into a volume, as the platform does; `absent_pdf`: why no PDF goes in."""
        contents = self.reports()
        uses = Counter(each.place for content in contents for each in content.entries)
        shared = {place for place, count in uses.items() if count > 1}
        wanted = scope or Scope(kind="project", project=self.entry("project.registered"))
        with path.open("wb") as target:
            writer = VolumeWriter(target, origin=ORIGIN, size=contents[0].size, scope=wanted)
            for content in contents:
                pdf = (
                    FilePart(sha256=digest_of(content.pdf or b""), because=absent_pdf)
                    if content.code
                    else None
                )
                given = replace(content, pdf=None) if absent_pdf else content
                writer.add(
                    given,
                    standing=standing_of(chain_of(given, as_told(given))),
                    shared=shared,
                    pdf=pdf,
                    absent={each.sha256: "people" for each in content.pictures},
                )
            writer.finish({}, left_out, key("web.key") if stated else None)


def check(
    path: Path, verifier: Verifier, *, only: str = "", **trust: object
) -> tuple[VolumeCheck, list[ReportFinding]]:
    """The result and what was told on the way."""
    given = {"log_keys": [log_key()], "roots": verifier.roots, "code_keys": CODE_KEYS} | trust
    told: list[ReportFinding] = []
    return verify_volume(path, VolumeTrust(**given), only=only, told=lambda each, _: told.append(each)), told  # type: ignore[arg-type]


def members(path: Path) -> dict[str, bytes]:
    """Everything in a volume, in its order."""
    reader = ContainerReader(path)
    found = {name: reader.read(name).data for name in reader.places}
    reader.close()
    return found


def rewrite(path: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Change the members and write the container anew, with right sums: what somebody who knows the format would do."""
    found = members(path)
    change(found)
    target = io.BytesIO()
    writer = ContainerWriter(target)
    for name, data in found.items():
        writer.add(name, data)
    writer.close()
    path.write_bytes(target.getvalue())
