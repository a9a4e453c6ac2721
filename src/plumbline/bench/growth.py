"""A platform that has grown (长大的平台): millions of entries in the journal, hundreds of thousands of reports to look up.

Rows are written in bulk past the front door, since ten million real submissions would take a day. What they are is
real: the log is a log (leaves, nodes, head and frontier agree, receipts of later entries verify over it), and a
report's rows are copies of one that the projector made, under names of their own.
"""

from __future__ import annotations

import os
import secrets
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

import psycopg
from psycopg import sql

from plumbline.bench import mix
from plumbline.bench.p1a_accept import Lost
from plumbline.bench.requests import sign
from plumbline.bench.world import World, message
from plumbline.domain.basics.calendar import local_date
from plumbline.domain.basics.identifiers import party_id
from plumbline.domain.reporting.code import new_code
from plumbline.evidence.leaf import Leaf, leaf_hash, sha256, sm3, us_from_instant
from plumbline.exchange.messages.project import ContractSigned, ProjectRegistered, ScopeLine
from plumbline.exchange.messages.registry import PersonRegistered
from plumbline.exchange.personal import PersonalFields, make_record
from plumbline.exchange.uids import new_uid
from plumbline.supervision.boot import DEMO_OPERATOR
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.heads import read_head
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.journal.model import Accepted
from plumbline.supervision.journal.submit import PlatformSender
from plumbline.supervision.journal.vault import Vault

#: What an ordinary message without curves and its envelope take.
MESSAGE_BYTES, ENVELOPE_BYTES = 600, 500
_SET = 16_384
_ENTRY = (
    "COPY journal.entry (uid, sender_id, key_id, envelope, message, arrived_at) FROM STDIN (FORMAT BINARY)"
)
_LEAF = "COPY journal.leaf (epoch, idx, uid, sender_id, logged_at, leaf_hash) FROM STDIN (FORMAT BINARY)"
_NODE = "COPY journal.node (epoch, level, start, hash) FROM STDIN (FORMAT BINARY)"
_HEAD = "UPDATE journal.head SET size = %s, root = %s, frontier = %s, last_time = %s WHERE single"
#: What a look-up reads, one row each a report.
LOOKED_UP = ("sample", "witnessing", "commission", "application", "code", "registration")
Progress = Callable[[int], None]


def _silent(_: int) -> None:
    return


def grow_journal(world: World, count: int, progress: Progress = _silent) -> None:
    """Append `count` entries of the institution to the journal, 16 384 a transaction, each with its leaf."""
    sender = world.senders["institution"]
    party, done = bytes.fromhex(sender.party), 0
    with world.connect() as conn:
        while done < count:
            step = min(_SET, count - done)
            _grow_once(conn, party, sender.transport.key_id, step)
            done += step
            progress(done)


def _grow_once(conn: psycopg.Connection, party: bytes, key_id: str, count: int) -> None:
    noise = secrets.token_bytes(4096)
    with conn.transaction():
        before = read_head(conn, lock=True)
        at = max(datetime.now(UTC), before.last_time)
        uids = sorted(new_uid(at) for _ in range(count))
        envelope = os.urandom(ENVELOPE_BYTES)
        messages = [each.bytes + noise[: MESSAGE_BYTES - 16] for each in uids]
        _copy(
            conn,
            _ENTRY,
            ["uuid", "bytea", "text", "bytea", "bytea", "timestamptz"],
            (
                (uid, party, key_id, envelope, message, at)
                for uid, message in zip(uids, messages, strict=True)
            ),
        )
        hashes = [_leaf(party, uid, at, envelope, each) for uid, each in zip(uids, messages, strict=True)]
        grown = before.frontier.append(hashes)
        places = enumerate(zip(uids, hashes, strict=True), before.size)
        _copy(
            conn,
            _LEAF,
            ["int4", "int8", "uuid", "bytea", "timestamptz", "bytea"],
            ((before.epoch, place, uid, party, at, digest) for place, (uid, digest) in places),
        )
        nodes = [(before.epoch, node.level, node.start, node.hash) for node in grown.nodes]
        _copy(conn, _NODE, ["int4", "int4", "int8", "bytea"], nodes)
        after = before.grown(grown.frontier, at)
        conn.execute(_HEAD, [after.size, after.root, after.frontier.encode(), at])


def _leaf(party: bytes, uid: uuid.UUID, at: datetime, envelope: bytes, message: bytes) -> bytes:
    leaf = Leaf(
        sender_id=party,
        uid=uid,
        arrived_at_us=us_from_instant(at),
        logged_at_us=us_from_instant(at),
        envelope_sha256=sha256(envelope),
        message_sha256=sha256(message),
        message_sm3=sm3(message),
    )
    return leaf_hash(leaf.encode())


def _copy(
    conn: psycopg.Connection, statement: str, types: Sequence[str], rows: Iterable[tuple[object, ...]]
) -> None:
    with conn.cursor().copy(statement.encode()) as copy:
        copy.set_types(list(types))
        for row in rows:
            copy.write_row(row)


def template(world: World) -> dict[str, str]:
    """One report with its project, contract and person through journal and projector; table → id of its row.

    The person has a name in the vault, so that a look-up decrypts and masks it as in a city.
    """
    now, journal = datetime.now(UTC), world.journal()
    chain = _context(world, journal, now)
    pending = [
        sign(world.senders[role], message).pending(world.senders[role].transport.key_id)
        for role, message in chain.report(1)
    ]
    outcomes = journal.append(pending)
    journal.close()
    if not all(isinstance(each, Accepted) for each in outcomes):
        raise Lost("the journal refused the report that is to be copied")
    world.project()
    found = {}
    with world.connect() as conn:
        for table in LOOKED_UP[:4]:
            newest = sql.SQL("SELECT id FROM {} ORDER BY idx DESC LIMIT 1").format(
                sql.Identifier("fact", table)
            )
            row = conn.execute(newest).fetchone()
            if row is None:
                raise Lost(f"the projector made no row of {table}")
            found[table] = str(row[0])
    return found


def _context(world: World, journal: Journal, now: datetime) -> mix.Chain:
    """Project, contract and person of the report, registered."""
    folder = world.platform.folder
    station, parties = party_id(DEMO_OPERATOR[0]).hex(), {k: v.party for k, v in world.senders.items()}
    sender = PlatformSender(journal, PlatformKeys.load(folder("keys")).signer("web"))
    record = make_record(mix.PERSON, PersonalFields(name="量取样"))
    project = message(
        station,
        ProjectRegistered,
        now,
        name="测量用工程",
        code="6103002600001",
        division="610300",
        owner=parties["contractor"],
        contractor=parties["contractor"],
        resident_engineer_firm=parties["resident_engineer_firm"],
    )
    person = message(
        station,
        PersonRegistered,
        now,
        person=mix.PERSON,
        party=parties["contractor"],
        roles=["sampler"],
        valid_from=f"{now:%Y-%m-%d}",
        personal=record.ref,
    )
    contract = message(
        parties["institution"],
        ContractSigned,
        now,
        project=mix.entry_of(project),
        number="HT-2026-1",
        client=parties["contractor"],
        client_role="contractor",
        institution=parties["institution"],
        signed_on=f"{now:%Y-%m-%d}",
        scope=[ScopeLine(category="concrete_cube", parameters=["concrete_cube.compressive"])],
    )
    sender.submit(project)
    sender.submit(person, personal=[Vault(folder("subjects")).seal(record)])
    party = world.senders["institution"]
    outcome = journal.append([sign(party, contract).pending(party.transport.key_id)])[0]
    if not isinstance(outcome, Accepted):
        raise Lost(f"the journal refused the contract: {outcome}")
    return mix.Chain(world, now, mix.entry_of(project), mix.entry_of(contract))


def grow_reports(world: World, made: dict[str, str], count: int, progress: Progress = _silent) -> list[str]:
    """`count` registered reports beside the one of :func:`template`; returns their codes in the order of growth.

    Each has a row in the six tables of :data:`LOOKED_UP`: copies under names of their own, which point at one another.
    """
    fresh = codes(count)
    with world.connect() as conn:
        conn.execute("CREATE TEMP TABLE grown (n bigint PRIMARY KEY, code text)")
        first = conn.execute("SELECT count(*) FROM fact.application").fetchone()
        assert first is not None
        with conn.cursor().copy("COPY grown FROM STDIN") as copy:
            for number, code in enumerate(fresh, first[0]):
                copy.write_row((number, code))
        for table in LOOKED_UP:
            conn.execute(_copied(table, made))
            progress(count)
        conn.execute("DROP TABLE grown")
        conn.execute("ANALYZE")
    return fresh


#: What is not copied: the key of the row, what it points at, and what makes it a registered report.
_OWN = {
    "code": """'id', g.code, 'application', md5('application' || g.n), 'registration', md5('registration' || g.n),
        'state', 'registered', 'claims', 'genuine'""",
    "registration": """'id', md5('registration' || g.n), 'application', md5('application' || g.n), 'code', g.code,
        'state', 'registered', 'examined', true, 'accepted', true, 'root_kind', 'licensed', 'signer', '测量用单位',
        'pdf_sha256', md5('a' || g.n) || md5('b' || g.n),
        'body', jsonb_build_object('uid', gen_random_uuid(), 'pdf_bytes', 65000)""",
    "application": "'code', g.code, 'state', 'registered', 'number', 'HNT-S1-2026-' || g.n",
}


def _copied(table: str, made: dict[str, str]) -> sql.Composed:
    """Rows of `table` for every row of `grown`. Ids are replaced wherever they stand, in columns and in the message."""
    source = table if table in made else "application"
    text: sql.Composable = sql.SQL("to_jsonb(t)::text")
    for name, known in made.items():
        text = sql.SQL("replace({}, {}, md5({} || g.n))").format(text, known, name)
    own = sql.SQL(f", {_OWN[table]}") if table in _OWN else sql.SQL("")
    return sql.SQL(
        "INSERT INTO {target} SELECT r.* FROM grown g, {source} t, jsonb_populate_record(NULL::{target}, "
        "({text})::jsonb || jsonb_build_object('idx', 1000 + g.n{own})) r WHERE t.id = {known}"
    ).format(
        target=sql.Identifier("fact", table),
        source=sql.Identifier("fact", source),
        text=text,
        own=own,
        known=made[source],
    )


def codes(count: int) -> list[str]:
    """Fresh codes of this month."""
    month = local_date(datetime.now(UTC))
    return [new_code(month, "610", secrets.randbits) for _ in range(count)]
