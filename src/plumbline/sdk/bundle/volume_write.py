"""Writing a volume (出具合订案卷包): one report after another straight into the file, what several share written when it is first met."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import BinaryIO

from plumbline.evidence.checkpoint import Checkpoint, parse_note
from plumbline.exchange.signatures import Signer
from plumbline.sdk.bundle.container import ContainerWriter
from plumbline.sdk.bundle.format import BundleContent
from plumbline.sdk.bundle.volume_format import (
    MANIFEST,
    MAX_REPORTS,
    README,
    STATEMENT,
    VOLUME_VERSION,
    FilePart,
    LeftOut,
    NoteLine,
    PicturePart,
    Place,
    ReportLine,
    ReportPart,
    Scope,
    Volume,
    digest_of,
    encoded,
    entry_part,
    note_name,
    pdf_name,
    picture_name,
    report_name,
    shared_name,
    volume_statement,
)
from plumbline.sdk.bundle.volume_readme import README_BYTES


class VolumeWriter:
    """Writes into an open file. Memory holds a line for each report, member and checkpoint, and one report."""

    def __init__(self, target: BinaryIO, *, origin: str, size: int, scope: Scope) -> None:
        self._container = ContainerWriter(target)
        self._origin, self._size, self._scope = origin, size, scope
        self._lines: list[ReportLine] = []
        #: digest → what each checkpoint of the volume says
        self.points: dict[str, Checkpoint] = {}
        self._container.add(README, README_BYTES)

    @property
    def bytes(self) -> int:
        """How long the file is by now."""
        return self._container.bytes

    def add(
        self,
        content: BundleContent,
        *,
        standing: str,
        shared: Container[Place],
        pdf: FilePart | None,
        absent: Mapping[str, str],
    ) -> None:
        """Append one report. `shared`: places of entries that other reports need too; `absent`: picture → why it is not here.

        ValueError for more than `MAX_REPORTS`, or an entry whose bytes are no text.
        """
        if len(self._lines) >= MAX_REPORTS:
            raise ValueError(f"a volume holds at most {MAX_REPORTS} reports")
        own = []
        for entry in content.entries:
            part, text = entry_part(entry)
            self._note(part.note, text)
            if entry.place not in shared:
                own.append(part)
            elif (name := shared_name(entry.place)) not in self._container:
                self._container.add(name, encoded(part))
        pictures = [
            PicturePart(
                entry=each.entry,
                picture=each.picture,
                sha256=each.sha256,
                because=None if each.data is not None else absent[each.sha256],
            )
            for each in content.pictures
        ]
        self._files(content, pdf)
        data = encoded(
            ReportPart(
                application=content.application,
                code=content.code,
                number=content.number,
                places=[entry.place for entry in content.entries],
                own=own,
                pdf=pdf,
                pictures=pictures,
            )
        )
        line = ReportLine(
            application=content.application,
            code=content.code,
            number=content.number,
            standing=standing,
            sha256=digest_of(data),
        )
        self._lines.append(line)
        self._container.add(report_name(len(self._lines)), data)

    def _note(self, digest: str, text: str) -> None:
        if digest not in self.points:
            self.points[digest] = Checkpoint.parse(parse_note(text).text)
            self._container.add(note_name(digest), text.encode())

    def _files(self, content: BundleContent, pdf: FilePart | None) -> None:
        files = {picture_name(each.sha256): each.data for each in content.pictures}
        if pdf is not None:
            files[pdf_name(pdf.sha256)] = content.pdf
        for name, data in files.items():
            if data is not None and name not in self._container:
                self._container.add(name, data)

    def finish(
        self,
        consistency: Mapping[str, Sequence[str]],
        left_out: Sequence[LeftOut] = (),
        statement: Signer | None = None,
    ) -> None:
        """Write the manifest, the platform's statement if it makes one, and the end. `consistency`: checkpoint → proof, in base64."""
        volume = Volume(
            version=VOLUME_VERSION,
            origin=self._origin,
            size=self._size,
            scope=self._scope,
            reports=self._lines,
            left_out=list(left_out),
            notes=[
                NoteLine(sha256=digest, consistency=list(consistency.get(digest, ())))
                for digest in self.points
            ],
        )
        manifest = encoded(volume)
        self._container.add(MANIFEST, manifest)
        if statement is not None:
            self._container.add(STATEMENT, volume_statement(manifest, statement))
        self._container.close()
