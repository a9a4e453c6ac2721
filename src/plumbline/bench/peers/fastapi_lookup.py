"""Peer: a look-up by FastAPI with SQLAlchemy's asynchronous mapper (对照：FastAPI + SQLAlchemy 的查验).

One query joins the four rows of an answer. How it was tuned stands in decision 0042.
"""

from __future__ import annotations

from typing import Any

from plumbline.bench.peers.checks import Peer
from plumbline.bench.peers.lookups import HEADERS, PATH, Desk, refusal
from plumbline.exchange.problems import Problem
from plumbline.supervision.memory import settle

#: Connections of the pool: of 2, 4 and 8 the fastest.
POOL = 8


def _question() -> tuple[Any, Any]:
    """(the query, its one parameter)."""
    from sqlalchemy import Boolean, ForeignKey, Text, bindparam, select
    from sqlalchemy.orm import DeclarativeBase, mapped_column

    class Base(DeclarativeBase):
        pass

    class Party(Base):
        __tablename__ = "party"
        id = mapped_column(Text, primary_key=True)
        name = mapped_column(Text)

    class Application(Base):
        __tablename__ = "application"
        id = mapped_column(Text, primary_key=True)
        number = mapped_column(Text)
        attestation = mapped_column(Text)

    class Registration(Base):
        __tablename__ = "registration"
        id = mapped_column(Text, primary_key=True)
        pdf_sha256 = mapped_column(Text)
        examined = mapped_column(Boolean)
        accepted = mapped_column(Boolean)
        root_kind = mapped_column(Text)
        attestation = mapped_column(Text)

    class Code(Base):
        __tablename__ = "code"
        id = mapped_column(Text, primary_key=True)
        state = mapped_column(Text)
        claims = mapped_column(Text)
        application = mapped_column(ForeignKey(Application.id))
        institution = mapped_column(ForeignKey(Party.id))
        registration = mapped_column(ForeignKey(Registration.id))

    asked = bindparam("code", type_=Text)
    columns = (
        Code.id,
        Application.number,
        Party.name,
        Registration.pdf_sha256,
        Code.claims,
        Code.state,
        Registration.examined,
        Registration.accepted,
        Registration.root_kind,
        Application.attestation,
        Registration.attestation,
    )
    return (
        select(*columns)
        .select_from(Code)
        .join(Application, Application.id == Code.application)
        .join(Party, Party.id == Code.institution)
        .outerjoin(Registration, Registration.id == Code.registration)
        .where(Code.id == asked),
        asked,
    )


def application() -> Any:
    """Factory for the ASGI server."""
    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse, Response
    from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

    peer, desk = Peer.from_env(), Desk()
    query, asked = _question()
    engine = create_async_engine(
        f"postgresql+asyncpg://{peer.user}@/{peer.database}?host={peer.host}",
        pool_size=POOL,
        max_overflow=0,
        pool_reset_on_return=None,
        isolation_level="AUTOCOMMIT",
        connect_args={"server_settings": {"search_path": "fact"}},
    )
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    app = FastAPI()

    async def look_up(request: Request, typed: str) -> Any:
        assert request.client is not None
        code = desk.code(request.client.host, typed)
        async with sessions() as session:
            row = (await session.execute(query, {asked.key: code})).first()
        return JSONResponse(desk.answer(row), headers=HEADERS)

    async def refused(_: Any, problem: Any) -> Any:
        body, status = refusal(problem)
        return Response(body, status, media_type="application/problem+json")

    # The annotations are names that only this function knows.
    look_up.__annotations__ |= {"request": Request, "typed": str}
    app.add_api_route(f"{PATH}{{typed}}", look_up, methods=["GET"])
    app.add_exception_handler(Problem, refused)
    settle()
    return app
