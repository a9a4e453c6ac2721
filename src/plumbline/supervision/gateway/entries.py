"""Uploads, receipts and the change feed (报送、回执、变更): the machine interface under /x/v1/."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime

from psycopg.rows import dict_row
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from plumbline.evidence.attachments import ANCHOR_TYPE, STAMP_TYPE, attachments
from plumbline.evidence.checkpoint import Note, parse_note
from plumbline.evidence.proof import parse_proof
from plumbline.exchange.decode import MAX_BODY_BYTES
from plumbline.exchange.messages import kind_of
from plumbline.exchange.messages.header import Message
from plumbline.exchange.messages.reports import ReportApplied
from plumbline.exchange.problems import Problem, field_problem
from plumbline.supervision.codes.facts import dry_run_decision
from plumbline.supervision.gateway.answers import json_response, receipt_body
from plumbline.supervision.gateway.context import client_of, context_of, received, require_media
from plumbline.supervision.gateway.monitor import Stored
from plumbline.supervision.gateway.results import asked_wait_s, results
from plumbline.supervision.gateway.sandbox import TRIAL, sandbox_body
from plumbline.supervision.journal.failpoints import hit
from plumbline.supervision.journal.model import Accepted

#: What a party sent itself, what the platform decided about its reports and runs, and what gave rise to a finding about its own
#: objects. Of a stranger's entry only kind, time and the finding are told.
_CHANGES = """
SELECT e.idx, e.id AS entry, e.kind, e.logged_at::text,
       CASE WHEN told.own THEN e.uid::text END AS uid, CASE WHEN told.own THEN e.sender END AS sender,
       CASE WHEN told.own THEN e.subject END AS subject,
       a.state, a.code, a.reasons, g.accepted, found.findings, t.body AS request
  FROM fact.event e
  LEFT JOIN fact.registration g ON g.id = e.subject AND e.kind = 'report.examined'
  LEFT JOIN fact.run r ON r.id = e.subject AND e.kind = 'evaluation.computed'
  LEFT JOIN fact.application a ON a.id = coalesce(g.application, e.subject)
   AND e.kind IN ('code.reserved', 'code.withheld', 'code.released', 'report.examined', 'clock.deadline_passed')
  LEFT JOIN fact.retransmission t ON t.id = e.id AND e.kind = 'retransmit.requested' AND t.party = %(party)s
  CROSS JOIN LATERAL (SELECT e.sender = %(party)s OR t.party IS NOT NULL OR a.institution IS NOT DISTINCT FROM %(party)s
                             OR r.institution IS NOT DISTINCT FROM %(party)s AS own) told
  CROSS JOIN LATERAL (
       SELECT jsonb_agg(jsonb_build_object('code', f.code, 'clause', f.clause, 'severity', f.severity, 'sentence', f.sentence,
                                           'remedy', f.remedy, 'subject', f.subject) ORDER BY f.code) AS findings
         FROM fact.finding f WHERE f.idx = e.idx AND f.entry = e.id AND (e.sender = %(party)s OR f.institution = %(party)s)) found
 WHERE e.idx > %(after)s AND (told.own OR found.findings IS NOT NULL)
 ORDER BY e.idx LIMIT 200
"""
#: The one type of a body of messages.
JSON = "application/json"
_ENTRY = re.compile(r"[0-9a-f]{32}")
_INDEX = re.compile(r"-?[0-9]{1,15}")


def stored_note(message: Message, accepted: Accepted | None) -> Stored:
    """What the exchange monitor notes of a message that was taken, or tried (None)."""
    kind, uid = kind_of(message).tag, str(message.uid)
    if accepted is None:
        return Stored(kind=kind, uid=uid, outcome="sandbox")
    outcome = "duplicate" if accepted.duplicate else "accepted"
    return Stored(kind=kind, uid=uid, entry=accepted.entry.hex(), outcome=outcome)


async def post_entry(request: Request) -> Response:
    """Receive one submission; 201 for a new entry, 200 for one that was there with the same bytes."""
    context = context_of(request)
    got = await received(request, MAX_BODY_BYTES, is_trial=True)
    with context.appender.coming():  # its body is whole: who sends slowly, or stops, holds up nobody
        pending, message, key = await context.door.admit(got)
        # by now it is known who is refused: the refusal stands in the exchange monitor
        require_media(request, JSON)
        context.uploads.take(key.key_id)
    if pending is None:
        request.state.stored = stored_note(message, None)
        return json_response(await sandbox_body(context, key, message), 200, TRIAL)
    accepted = await context.appender.append(pending)
    hit("answer.before_sent")
    request.state.stored = stored_note(message, accepted)
    body = receipt_body(accepted, message.sender, str(message.uid))
    wait_s = asked_wait_s(got.headers)
    if wait_s:
        body |= {"result": (await results(context, [(accepted, message)], wait_s))[0]}
    return json_response(body, 200 if accepted.duplicate else 201, {"Location": str(body["receipt_url"])})


async def dry_run(request: Request) -> Response:
    """What the gate would say to this application now; nothing is stored."""
    context = context_of(request)
    got = await received(request, MAX_BODY_BYTES)
    _, proof, message = await context.door.open(got)
    key = proof.key
    require_media(request, JSON)
    context.uploads.take(key.key_id)
    if not isinstance(message, ReportApplied):
        raise field_problem("/message/kind", "试算只接受 report.applied", "其他消息直接报送")
    if message.sender != key.party:
        raise Problem(slug="sender-mismatch", detail="sender 不是密钥的主人")
    # judged as of now, as the application itself would be
    at = got.stated_at or got.arrived_at
    decision = await run_in_threadpool(
        dry_run_decision, context.platform.conninfo("plumb_worker"), message, at
    )
    return json_response(decision)


def _identity(request: Request) -> tuple[uuid.UUID, bytes]:
    try:
        return uuid.UUID(request.path_params["uid"]), bytes.fromhex(request.path_params["sender"])
    except ValueError:
        raise Problem(slug="not-found", detail="地址里的编号不对") from None


async def get_receipt(request: Request) -> Response:
    """The receipt of a stored entry in the newest checkpoint; whoever knows sender and uid may have it."""
    context = context_of(request)
    context.lookups.take(client_of(request))
    identity = _identity(request)
    stored = await run_in_threadpool(context.log.receipt, identity)
    if stored is None:
        raise Problem(slug="not-found", detail="没有这一条")
    accepted = stored.accepted(duplicate=True)
    if "text/plain" in request.headers.get("accept", ""):
        return PlainTextResponse(accepted.receipt)
    body = receipt_body(accepted, identity[1].hex(), str(identity[0]))
    note = parse_note(parse_proof(accepted.receipt).checkpoint_note)
    stamps, anchors = attachments(note, STAMP_TYPE), attachments(note, ANCHOR_TYPE)
    outside = {each.data for each in (*stamps, *anchors)}
    told = {
        "cosigned": _names(
            each.name
            for each in note.signatures
            if each.signature not in outside and each.name != _origin(note)
        ),
        "stamped": _names(each.name for each in stamps),
        "anchored": _names(each.name for each in anchors),
    }
    return json_response(body | told)


def _origin(note: Note) -> str:
    return note.text.partition("\n")[0]


def _names(names: Iterable[str]) -> str:
    """By comma, each once."""
    return ", ".join(dict.fromkeys(names)) or "none yet"


async def get_changes(request: Request) -> Response:
    """Entries after a position that concern the caller: its own, and decisions about its reports."""
    context = context_of(request)
    got = await received(request, 0)
    _, key, _ = await context.door.authenticate(got, b"")
    context.uploads.take(key.key_id)
    after = request.query_params.get("after", "-1")
    if not _INDEX.fullmatch(after):
        raise field_problem("/query/after", "after 是日志序号", "写上一次答复里的 next，从头取写 -1")
    async with context.pool.connection() as conn, conn.cursor(row_factory=dict_row) as cur:
        await cur.execute(
            _CHANGES,
            {"after": int(after), "party": key.party},
        )
        rows = await cur.fetchall()
    return json_response({"items": rows, "next": rows[-1]["idx"] if rows else int(after)})


async def get_entry(request: Request) -> Response:
    """Whether an entry is here and projected, for whoever has its id: a party that sends again waits for what others send before it."""
    context = context_of(request)
    got = await received(request, 0)
    _, key, _ = await context.door.authenticate(got, b"")
    context.uploads.take(key.key_id)
    entry = request.path_params["entry"]
    if not _ENTRY.fullmatch(entry):
        raise Problem(slug="not-found", detail="入账编号是 32 位十六进制")
    async with context.pool.connection() as conn:
        found = await conn.execute("SELECT 1 FROM fact.event WHERE id = %s", [entry])
        if await found.fetchone() is None:
            raise Problem(slug="not-found", detail="没有这一条，或还没有入账")
    return json_response({"entry": entry})


async def get_time(request: Request) -> Response:
    """The platform's time, for clients that correct their clocks."""
    return json_response({"now": datetime.now(UTC).isoformat()})
