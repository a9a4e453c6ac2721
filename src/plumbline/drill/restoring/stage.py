"""The stage of the drill (恢复演练的平台): one platform, two parties that send, a database that is restored."""

from __future__ import annotations

import secrets
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from plumbline.drill.kill import chain
from plumbline.drill.kill.ledger import number_taken, registered_person
from plumbline.drill.kill.site import ORIGIN, Site
from plumbline.drill.restoring.pitr import Recovery
from plumbline.drill.restoring.senders import Sender, enrol
from plumbline.exchange.messages.custody import ReceiptRecorded, TagScanned
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.project import PourRecorded
from plumbline.exchange.personal import PersonalFields, make_record
from plumbline.sdk.client import Client
from plumbline.supervision.boot import DEMO_OPERATOR, Settings, prepare

#: How long a party waits for what another has to send first; far beyond what it takes.
PATIENCE_S = 60.0
_CONTRACTOR = "91610300MA6XBM018"
_STORED = """
SELECT encode(e.sender_id, 'hex'), e.uid::text, e.message, l.epoch::bigint * 1099511627776 + l.idx
  FROM journal.entry e JOIN journal.leaf l ON l.uid = e.uid AND l.sender_id = e.sender_id ORDER BY 4
"""


@dataclass(slots=True)
class Report:
    """A report on its way: its application, its code, its registration."""

    application: str = ""
    code: str = ""
    registration: str = ""
    pdf: bytes = b""


@dataclass(slots=True)
class Stage:
    """Everything that a scene needs."""

    site: Site
    folder: Path
    recovery: Recovery = field(init=False)
    house: Sender = field(init=False)
    contractor: Sender = field(init=False)
    project: str = ""
    serial: int = 0
    #: (entry that is named, entry that names it), across parties.
    pairs: list[tuple[str, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        site = self.site
        self.recovery = Recovery(site, self.folder)
        self.recovery.switch_on()
        self.prepare()
        self.house = Sender(
            "检测机构", site.party, site.transport_key, site.origin_key, self.folder / "house"
        )
        self.contractor = enrol(site, "施工单位", _CONTRACTOR, ["contractor"], self.folder)
        self.project = str(site.rows("SELECT id FROM fact.project")[0][0])

    @property
    def senders(self) -> list[Sender]:
        """Those who send."""
        return [self.house, self.contractor]

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`plumbline …` as an operator types it."""
        data = ["--data-dir", str(self.site.platform.data_dir)]
        argv = [sys.executable, "-m", "plumbline.cli", *arguments, *data]
        return subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False)

    def log(self, what: str, *options: str) -> subprocess.CompletedProcess[str]:
        """`plumbline log …`."""
        return self.command("log", what, *options)

    def prepare(self) -> None:
        """What every start of the platform does first: among it, destructions are replayed."""
        assert self.site.running is not None
        settings = Settings(
            origin=ORIGIN, public_url="http://127.0.0.1:1", demo=False, operator=DEMO_OPERATOR
        )
        self.site.platform = prepare(self.site.platform.data_dir, self.site.running, settings)

    # Sending ------------------------------------------------------------------------------------------

    def traffic(self, count: int, gateway: int = 0) -> None:
        """Messages of both parties: claims, personal parts, files, and what one names of the other's."""
        with (
            self.house.client(self.site, gateway=gateway) as house,
            self.contractor.client(self.site) as site,
        ):
            for _ in range(count // 4):
                self.four(house, site)

    def four(self, house: Client, contractor: Client) -> None:
        """A pour of the contractor, its reception by the institution, a number, and a person with a name or a file."""
        with self._lock:
            self.serial += 1
            serial = self.serial
        poured, _ = self.contractor.send(contractor, self._pour(serial))
        received, _ = self.house.send(house, self._received(poured, serial))
        self.pairs.append((poured, received))
        self.house.send(house, number_taken(self.site, serial))
        if serial % 2:
            record = make_record(f"{serial:032x}", PersonalFields(name=f"演练{serial}"))
            self.house.send(house, registered_person(self.site, record), (record,))
        else:
            house.upload(secrets.token_bytes(2000 + serial), "application/octet-stream")

    def _pour(self, serial: int) -> Message:
        return self.site.message(
            self.contractor.party,
            PourRecorded,
            project=self.project,
            structural_part=f"{serial} 层柱",
            grade="C30",
            volume_m3="12.5",
            started_at=datetime.now(UTC),
        )

    def _received(self, sample: str, serial: int) -> Message:
        return self.site.message(
            self.house.party,
            ReceiptRecorded,
            commission=self.site.commission,
            sample=sample,
            site="S1",
            receiver="11" * 16,
            scanned=[TagScanned(tag=f"YL{serial:06d}", seal_intact=True, condition="完好")],
            accepted=True,
            witness_present=True,
        )

    def apply(self, client: Client) -> Report:
        """Step one: applied, and withheld because nothing was tested; what it names is there, some of it from the other party."""
        with self._lock:
            self.serial += 1
            serial = self.serial
        with self.contractor.client(self.site) as contractor:
            poured, _ = self.contractor.send(contractor, self._pour(serial))
        received, _ = self.house.send(client, self._received(poured, serial))
        number, _ = self.house.send(client, number_taken(self.site, serial))
        applied = chain.applied(self.site, serial, runs=[received], number_entry=number, sample=poured)
        entry, _ = self.house.send(client, applied, wait_s=20)
        self.pairs += [(poured, received), (poured, entry), (number, entry)]
        self.site.wait(lambda: (chain.state_of(self.site, entry) or ("",))[0] == "withheld", "暂不发放")
        return Report(application=entry, pdf=b"%PDF-1.7\n" + secrets.token_bytes(3000))

    def reserve(self, client: Client, report: Report) -> None:
        """Two officers release; the institution asks for its code, and keeps the claims for its print."""
        chain.release(self.site, report.application)
        self.site.wait(lambda: (chain.state_of(self.site, report.application) or ("", None))[1], "发码")
        held = self.house.sent.submission(report.application)
        assert held is not None
        answer = client.send_bytes(held.message, origin=held.origin, wait_s=20)
        report.code = str((answer.result or {})["decision"]["code"])

    def register(self, client: Client, report: Report) -> None:
        """The final bytes."""
        import hashlib

        client.upload(report.pdf, "application/pdf")
        digest = hashlib.sha256(report.pdf).hexdigest()
        message = chain.registered(self.site, report.application, report.code, digest, len(report.pdf))
        report.registration, _ = self.house.send(client, message, wait_s=20)

    # Looking ------------------------------------------------------------------------------------------

    def stored(self) -> list[tuple[str, str, bytes, int]]:
        """(sender, uid, message, place) of everything in the journal, in order."""
        with psycopg.connect(self.site.platform.conninfo("plumb_projector")) as conn:
            return [(row[0], row[1], bytes(row[2]), row[3]) for row in conn.execute(_STORED).fetchall()]

    def acknowledged(self) -> dict[tuple[str, str], bytes]:
        """Everything that any sender was told is there."""
        return {(each.sender, each.uid): each.message for who in self.senders for each in who.acknowledged}

    def in_background(self, work: Any, *arguments: Any) -> Future[Any]:
        """Do something in a thread, while the main thread tends the processes."""
        pool = ThreadPoolExecutor(1)
        future = pool.submit(work, *arguments)
        pool.shutdown(wait=False)
        return future

    def tend_until(self, future: Future[Any], what: str) -> Any:
        """Its result."""
        self.site.wait(future.done, what, 600)
        return future.result()

    def close(self) -> None:
        """Close the books."""
        for each in self.senders:
            each.close()
