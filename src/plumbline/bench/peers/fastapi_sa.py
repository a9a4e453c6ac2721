"""Peer: FastAPI with SQLAlchemy's asynchronous mapper and a log of its own (对照：FastAPI + SQLAlchemy，承诺相同).

One request is one transaction: the entry, its claims, then under the lock of the head row its leaf, the nodes that it completes and the new
head; after the commit the checkpoint and the receipt. How it was tuned stands in decision 0037.
"""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from plumbline.bench.peers.checks import Peer, Row
from plumbline.bench.peers.promise import EPOCH, Draft, Notary, Place, Stored
from plumbline.bench.requests import PATH
from plumbline.evidence.paths import LeafAndNodeSource
from plumbline.exchange.problems import Problem
from plumbline.supervision.memory import settle

#: Connections of the pool: of 2, 4, 8 and 16 the fastest, since all wait for one row.
POOL = 2


def _tables() -> SimpleNamespace:
    from sqlalchemy import BigInteger, Boolean, DateTime, Integer, LargeBinary, Text, Uuid
    from sqlalchemy.orm import DeclarativeBase, mapped_column

    class Base(DeclarativeBase):
        pass

    class Entry(Base):
        __tablename__ = "bench_peer_entry"
        uid = mapped_column(Uuid, primary_key=True)
        sender_id = mapped_column(LargeBinary, primary_key=True)
        key_id = mapped_column(Text)
        envelope = mapped_column(LargeBinary)
        message = mapped_column(LargeBinary)
        arrived_at = mapped_column(DateTime(timezone=True))

    class Claim(Base):
        __tablename__ = "bench_peer_claim"
        kind = mapped_column(Text, primary_key=True)
        value = mapped_column(Text, primary_key=True)
        entry = mapped_column(LargeBinary)

    class Leaf(Base):
        __tablename__ = "bench_peer_leaf"
        epoch = mapped_column(Integer, primary_key=True, autoincrement=False)
        idx = mapped_column(BigInteger, primary_key=True, autoincrement=False)
        uid = mapped_column(Uuid)
        sender_id = mapped_column(LargeBinary)
        logged_at = mapped_column(DateTime(timezone=True))
        leaf_hash = mapped_column(LargeBinary)

    class Node(Base):
        __tablename__ = "bench_peer_node"
        epoch = mapped_column(Integer, primary_key=True, autoincrement=False)
        level = mapped_column(Integer, primary_key=True, autoincrement=False)
        start = mapped_column(BigInteger, primary_key=True, autoincrement=False)
        hash = mapped_column(LargeBinary)

    class Head(Base):
        __tablename__ = "bench_peer_head"
        single = mapped_column(Boolean, primary_key=True)
        size = mapped_column(BigInteger)
        root = mapped_column(LargeBinary)
        frontier = mapped_column(LargeBinary)
        last_time = mapped_column(DateTime(timezone=True))

    return SimpleNamespace(Entry=Entry, Claim=Claim, Leaf=Leaf, Node=Node, Head=Head)


class _Store:
    """The five tables through SQLAlchemy's mapper, by statements of it: cheaper than its unit of work."""

    def __init__(self) -> None:
        from sqlalchemy import insert, select, update

        to = self._to = _tables()
        self._inserts = {each: insert(each) for each in (to.Entry, to.Claim, to.Leaf, to.Node)}
        # the table holds one row, so that nothing has to find it
        self._locked = select(to.Head.frontier, to.Head.last_time).with_for_update()
        self._grow = update(to.Head).execution_options(synchronize_session=False)

    async def append(self, session: Any, draft: Draft) -> Place:
        """In the transaction of the session; sqlalchemy.exc.IntegrityError when the entry, or a claim of it, is there already."""
        to, row = self._to, draft.row
        entry = {
            "uid": draft.uid,
            "sender_id": row.sender_id,
            "key_id": row.key_id,
            "envelope": row.envelope,
            "message": row.message,
            "arrived_at": row.arrived_at,
        }
        await session.execute(self._inserts[to.Entry], entry)
        for kind, value in row.claims:
            claim = {"kind": kind, "value": value, "entry": draft.entry}
            await session.execute(self._inserts[to.Claim], claim)
        frontier, last_time = (await session.execute(self._locked)).one()
        place = draft.place(frontier, last_time, datetime.now(UTC))
        leaf = {
            "epoch": EPOCH,
            "idx": place.index,
            "uid": draft.uid,
            "sender_id": row.sender_id,
            "logged_at": place.logged_at,
            "leaf_hash": place.leaf_hash,
        }
        await session.execute(self._inserts[to.Leaf], leaf)
        for each in place.nodes:
            node = {"epoch": EPOCH, "level": each.level, "start": each.start, "hash": each.hash}
            await session.execute(self._inserts[to.Node], node)
        head = {
            "size": place.after.size,
            "root": place.root,
            "frontier": place.after.encode(),
            "last_time": place.logged_at,
        }
        await session.execute(self._grow, head)
        return place

    def again(self, session: Any, draft: Draft, notary: Notary) -> dict[str, object]:
        """The answer for an entry that is stored; Problem when there is none, for then a claim was lost."""
        from sqlalchemy import select

        to, identity = self._to, {"uid": draft.uid, "sender_id": draft.row.sender_id}
        entry = session.get(to.Entry, identity)
        if entry is None:
            raise Problem(slug="claim-lost", detail="号码已被另一条占用")
        leaf = session.scalars(select(to.Leaf).filter_by(**identity)).one()
        head = session.scalars(select(to.Head)).one()
        parts = (entry.key_id, entry.envelope, entry.message, entry.arrived_at)
        row = Row(draft.row.uid, draft.row.sender_id, *parts, [])
        stored = Stored(Draft.of(row), leaf.idx, leaf.logged_at, head.size, head.root)
        return notary.again(draft, stored, self._source(session, head.size))

    def _source(self, session: Any, size: int) -> LeafAndNodeSource:
        from sqlalchemy import select

        node, leaf = self._to.Node, self._to.Leaf

        def stored(level: int, start: int) -> bytes | None:
            found = session.get(node, (EPOCH, level, start))
            return None if found is None else bytes(found.hash)

        def hashes(start: int, end: int) -> list[bytes]:
            rows = select(leaf.leaf_hash).where(leaf.epoch == EPOCH, leaf.idx >= start, leaf.idx < end)
            return list(session.scalars(rows.order_by(leaf.idx)))

        return LeafAndNodeSource(size, stored, hashes)


def application() -> Any:
    """Factory for the ASGI server."""
    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse
    from sqlalchemy.exc import IntegrityError
    from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

    peer = Peer.from_env()
    engine = create_async_engine(
        f"postgresql+asyncpg://{peer.user}@/{peer.database}?host={peer.host}",
        pool_size=POOL,
        max_overflow=0,
        connect_args={"server_settings": {"synchronous_commit": "on"}},
    )
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    store, notary = _Store(), Notary(peer.origin, peer.log_key)
    app = FastAPI()

    async def accept(request: Request) -> Any:
        draft = Draft.of(peer.check(request.headers, await request.body()))
        try:
            async with sessions.begin() as session:
                place = await store.append(session, draft)
        except IntegrityError:
            async with sessions() as session:
                return JSONResponse(await session.run_sync(store.again, draft, notary))
        return JSONResponse(notary.answer(draft, place), 201)

    async def refused(request: Any, problem: Any) -> Any:
        return JSONResponse(problem.body("-"), problem.kind.status)

    # The annotation is a name that only this function knows.
    accept.__annotations__["request"] = Request
    app.add_api_route(PATH, accept, methods=["POST"], status_code=201)
    app.add_exception_handler(Problem, refused)
    settle()
    return app
