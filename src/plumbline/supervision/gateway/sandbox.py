"""Messages on trial (沙箱): checked like any other, counted, and never entered in the log."""

from __future__ import annotations

from plumbline.exchange.messages import kind_of
from plumbline.exchange.messages.header import Message
from plumbline.supervision.gateway.context import Context
from plumbline.supervision.gateway.directory import KnownKey

#: Conforming messages of one application that are counted; more prove nothing more.
MOST_COUNTED = 500
_COUNT = """
INSERT INTO ops.sandbox_passed (application, uid, kind)
SELECT %(application)s, %(uid)s, %(kind)s
 WHERE (SELECT count(*) FROM ops.sandbox_passed p WHERE p.application = %(application)s) < %(most)s
    ON CONFLICT DO NOTHING
"""


#: Header of an answer to a trial.
TRIAL = {"Plumb-Sandbox": "true"}


async def sandbox_body(context: Context, key: KnownKey, message: Message) -> dict[str, object]:
    """Count a conforming message of a sandbox key, and say plainly that nothing was stored."""
    values = {
        "application": key.sandbox,
        "uid": message.uid,
        "kind": kind_of(message).tag,
        "most": MOST_COUNTED,
    }
    async with context.pool.connection() as conn:
        await conn.execute(_COUNT, values)
        found = await conn.execute(
            "SELECT count(*) FROM ops.sandbox_passed WHERE application = %s", [key.sandbox]
        )
        row = await found.fetchone()
    return {
        "sandbox": True,
        "stored": False,
        "kind": kind_of(message).tag,
        "uid": str(message.uid),
        "conforming": int(row[0]) if row else 0,
        "detail": "沙箱：内容符合规定，只作试报，没有入账，没有回执。批准正式使用后，用同一把密钥重新报送（换新的 uid）。",
    }
