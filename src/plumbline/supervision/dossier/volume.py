"""Making a volume (出具合订案卷包): all reports of a project or a year into one file, while it streams to disk.

Which reports and entries stands fast in one moment of the facts; bytes, receipts and files are read after it, since they never change.
Every receipt is against a checkpoint of one head, or an earlier one that outsiders attest; that all of them are of one log is proven.
No personal part goes in, as in the bundle of one report.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import psycopg
from psycopg.rows import DictRow, dict_row

from plumbline.evidence.note import encode_base64
from plumbline.evidence.position import place_of, position_of
from plumbline.exchange.signatures import Signer
from plumbline.sdk.bundle.format import BundleContent, BundleEntry
from plumbline.sdk.bundle.records import as_told
from plumbline.sdk.bundle.standing import standing_of
from plumbline.sdk.bundle.verify import chain_of
from plumbline.sdk.bundle.volume_format import FilePart, Scope
from plumbline.sdk.bundle.volume_write import VolumeWriter
from plumbline.supervision.config import Platform
from plumbline.supervision.dossier.build import (
    BundleIncomplete,
    GivenFiles,
    await_projection,
    pictures_with,
    reach_of,
)
from plumbline.supervision.dossier.volume_plan import (
    Plan,
    PlannedReport,
    Planner,
    Visible,
    VolumeRefused,
    read_entry,
)
from plumbline.supervision.journal.files import FileStore
from plumbline.supervision.journal.heads import CheckpointSigner, HeadRow
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.journal.receipts import (
    StoredEntry,
    consistency_of,
    cosigned_point,
    receipts_of,
    signed_head,
)
from plumbline.supervision.scanner import ScanSettings

__all__ = ["Progress", "VolumeRefused", "volume_to"]

#: How long one waits for cosigners to sign what the volume speaks of; without them it says so.
COSIGN_WAIT_S = 15.0
#: Disk that must stay free for everybody else; and never less than all volumes together take.
SPARE_BYTES = 1 << 30
#: Entries that several reports need are kept ready, so many at most.
_READY = 2048
#: (what is done, how many of how many).
Progress = Callable[[str, int, int], None]


def volume_to(path: Path, platform: Platform, scope: Scope, visible: Visible, told: Progress) -> int:
    """Write the volume of a scope to a new file; returns its length.

    `visible` tells of the scope's applications which the reader may see, and see wholly: the others are listed as left out. Raises
    :class:`VolumeRefused`, :class:`BundleIncomplete` when facts and journal disagree, OSError of the disk.
    """
    keys = PlatformKeys.load(platform.folder("keys"))
    signer = CheckpointSigner(keys.log, platform.folder("marks"), sm2=keys.log_sm2)
    web, files = keys.signer("web"), FileStore(platform.folder("files"))
    worker, gateway = platform.conninfo("plumb_worker"), platform.conninfo("plumb_gateway")
    with (
        psycopg.connect(worker, row_factory=dict_row, autocommit=True) as conn,
        psycopg.connect(worker, autocommit=True) as plain,
        psycopg.connect(gateway, autocommit=True) as log,
    ):
        await_projection(conn)
        with conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            planner = Planner(conn, web.key_id)
            plan = planner.plan(scope, visible, lambda done, total: told("收集", done, total))
        given = GivenFiles(files, plain, ScanSettings.from_env().policy)
        source = _Source(conn, log, signer, given, plan)
        with path.open("xb") as target:
            return _write(target, source, web, told)


def _write(target: BinaryIO, source: _Source, web: Signer, told: Progress) -> int:
    plan = source.plan
    writer = VolumeWriter(target, origin=source.head[0].origin, size=plan.size, scope=plan.scope)
    shared, folder = plan.shared, Path(target.name).parent
    others = sum(_length(each) for each in folder.iterdir())
    for done, report in enumerate(plan.reports, 1):
        if shutil.disk_usage(folder).free < max(SPARE_BYTES, others + writer.bytes):
            raise VolumeRefused(
                "平台留给案卷包的磁盘空间用完了，没有出具；请等旧的案卷包到期，或联系运维人员腾出空间再提"
            )
        content, pdf, absent = source.content(report)
        try:
            standing = standing_of(chain_of(content, as_told(content)))
            writer.add(content, standing=standing, shared=shared, pdf=pdf, absent=absent)
        except ValueError as error:
            raise BundleIncomplete(f"报告 {report.number} 放不进包里：{error}") from error
        told("写入", done, len(plan.reports))
    # With a parked entry nobody can say that nothing is missing.
    writer.finish(source.consistency(writer), plan.left_out, web if plan.is_complete else None)
    target.flush()
    return writer.bytes


def _length(path: Path) -> int:
    """Bytes of a file; none when it was swept away in between."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


class _Source:
    """Bytes, receipts and files of the reports of a plan."""

    def __init__(
        self,
        conn: psycopg.Connection[DictRow],
        log: psycopg.Connection,
        signer: CheckpointSigner,
        files: GivenFiles,
        plan: Plan,
    ) -> None:
        self._conn, self._log, self._signer, self._files, self.plan = conn, log, signer, files, plan
        self.head = _head_for(log, signer, plan.size)
        #: The entry whose receipt reaches as far as the volume speaks: the first of the newest epoch, which every report has.
        self._opening = position_of(place_of(plan.size)[0], 0)
        self._shared = lru_cache(maxsize=_READY)(self._entry)

    def content(self, report: PlannedReport) -> tuple[BundleContent, FilePart | None, Mapping[str, str]]:
        """One report with its files, which PDF it names, and of pictures without bytes why."""
        own = [position for position in report.positions if self.plan.uses[position] == 1]
        entries = self._entries(own)
        entries |= {each: self._shared(each) for each in report.positions if each not in entries}
        in_order = [entries[position] for position in report.positions]
        pictures, absent = pictures_with(in_order, self._files)
        data, pdf = None, None
        if report.pdf_sha256 is not None:
            data, because = self._files.find(report.pdf_sha256)
            pdf = FilePart(sha256=report.pdf_sha256, because=because)
        content = BundleContent(
            origin=self.head[0].origin,
            size=self.plan.size,
            application=report.application,
            code=report.code,
            number=report.number,
            entries=tuple(in_order),
            pdf=data,
            pictures=pictures,
        )
        return content, pdf, absent

    def _entry(self, position: int) -> BundleEntry:
        return self._entries([position])[position]

    def _entries(self, positions: list[int]) -> dict[int, BundleEntry]:
        wanted = {position: self.plan.entries[position] for position in positions}
        receipts = self._receipts(positions)
        made = {}
        for position, entry in wanted.items():
            message, envelope = read_entry(self._conn, *entry.identity)
            receipt = receipts.get(entry.identity)
            if receipt is None:
                raise BundleIncomplete(f"第 {place_of(position)[1]} 条没有回执")
            made[position] = BundleEntry(
                role=entry.kind,
                sender=entry.sender.hex(),
                uid=entry.uid,
                epoch=receipt.epoch,
                index=receipt.index,
                message=message,
                envelope=envelope,
                receipt=receipt.receipt.encode(),
            )
        return made

    def _receipts(self, positions: list[int]) -> dict[tuple[uuid.UUID, bytes], StoredEntry]:
        """Receipts against what outsiders say the most about; of the newest epoch's first entry one that reaches as far as the volume."""
        identities = [self.plan.entries[position].identity for position in positions]
        found = receipts_of(self._log, self._signer, identities, attested=True, at=self.head)
        if self._opening in positions:
            opening = self.plan.entries[self._opening].identity
            found |= receipts_of(self._log, self._signer, [opening], cosigned=True, at=self.head)
            if opening in found and reach_of(found[opening]) < self.plan.size:
                found |= receipts_of(self._log, self._signer, [opening], at=self.head)
        return found

    def consistency(self, writer: VolumeWriter) -> dict[str, list[str]]:
        """For each checkpoint the proof that the largest one of its epoch continues it."""
        tips: dict[int, int] = {}
        epochs = {}
        for digest, point in writer.points.items():
            epoch = epochs[digest] = int(point.origin.rpartition("/")[2].partition("-")[0])
            tips[epoch] = max(tips.get(epoch, 0), point.size)
        proofs: dict[str, list[str]] = {}
        for digest, point in writer.points.items():
            tip = tips[epochs[digest]]
            path = consistency_of(self._log, self._signer, epochs[digest], point.size, tip)
            if path is None:
                raise BundleIncomplete(f"日志第 {epochs[digest]} 期没有 {tip} 条")
            proofs[digest] = [encode_base64(each) for each in path]
        return proofs


def _head_for(log: psycopg.Connection, signer: CheckpointSigner, size: int) -> tuple[HeadRow, str]:
    """A signed head that covers `size`, taken once cosigners have signed that far, or when they took too long."""
    until = time.monotonic() + COSIGN_WAIT_S
    while True:
        head, note = signed_head(log, signer)
        epoch, reach = place_of(size)
        newest = cosigned_point(log, head.log_origin, 0, head.size)
        covered = epoch != head.epoch or newest is None or newest[0] >= reach
        if covered or time.monotonic() > until:
            return head, note
        time.sleep(0.5)
