"""Peer: FastAPI with SQLAlchemy's asynchronous mapper (对照：FastAPI + SQLAlchemy)."""

from __future__ import annotations

import uuid
from typing import Any

from plumbline.bench.peers.checks import Peer
from plumbline.bench.requests import PATH

#: Connections of the pool: 8 was the fastest of 4, 8 and 16.
POOL = 8


def application() -> Any:
    """Factory for the ASGI server."""
    from fastapi import FastAPI, Request
    from sqlalchemy import DateTime, LargeBinary, Text, Uuid
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
    from sqlalchemy.orm import DeclarativeBase, mapped_column

    class Base(DeclarativeBase):
        pass

    class Entry(Base):
        __tablename__ = "bench_peer"
        uid = mapped_column(Uuid, primary_key=True)
        sender_id = mapped_column(LargeBinary, primary_key=True)
        key_id = mapped_column(Text)
        envelope = mapped_column(LargeBinary)
        message = mapped_column(LargeBinary)
        arrived_at = mapped_column(DateTime(timezone=True))

    peer = Peer.from_env()
    url = f"postgresql+psycopg://{peer.user}@/{peer.database}?host={peer.host}"
    engine = create_async_engine(url, pool_size=POOL, max_overflow=0)
    app = FastAPI()

    async def accept(request: Request) -> dict[str, str]:
        row = peer.check(request.headers, await request.body())
        async with AsyncSession(engine) as session, session.begin():
            session.add(
                Entry(
                    uid=uuid.UUID(row.uid),
                    sender_id=row.sender_id,
                    key_id=row.key_id,
                    envelope=row.envelope,
                    message=row.message,
                    arrived_at=row.arrived_at,
                )
            )
        return {"uid": row.uid}

    # The annotation is a name that only this function knows.
    accept.__annotations__["request"] = Request
    app.add_api_route(PATH, accept, methods=["POST"], status_code=201)
    return app
