"""The upload manual and its machine-readable forms (手册与接口描述), open without login."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from plumbline.exchange.messages import KINDS
from plumbline.exchange.problems import KINDS as PROBLEMS
from plumbline.exchange.problems import Problem
from plumbline.supervision.gateway.answers import json_response
from plumbline.supervision.gateway.context import context_of
from plumbline.web.security import CONTENT_SECURITY_POLICY

_HEADERS = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "X-Content-Type-Options": "nosniff"}


async def manual(request: Request) -> Response:
    """《检测数据上传指导手册》 as a page."""
    from plumbline.exchange.handbook.manual import manual_html

    return HTMLResponse(await run_in_threadpool(manual_html), headers=_HEADERS)


async def manual_pdf(request: Request) -> Response:
    """The same as PDF."""
    from plumbline.supervision.handbook import manual_pdf as render_manual_pdf

    data = await run_in_threadpool(render_manual_pdf)
    return Response(
        data,
        media_type="application/pdf",
        headers={"Content-Disposition": 'inline; filename="plumbline-manual.pdf"'},
    )


async def openapi(request: Request) -> Response:
    """OpenAPI 3.1 made from the code."""
    from plumbline.exchange.handbook.openapi import openapi_document

    return json_response(openapi_document(context_of(request).platform.public_url))


async def schema(request: Request) -> Response:
    """JSON Schema of one message kind."""
    from plumbline.exchange.handbook.schema import json_schema

    kind = request.path_params["kind"]
    if kind not in KINDS:
        raise Problem(slug="not-found", detail=f"没有 {kind} 这种消息")
    return json_response(json_schema(kind))


async def problem(request: Request) -> Response:
    """One row of the error table."""
    row = PROBLEMS.get(request.path_params["slug"])
    if row is None:
        raise Problem(slug="not-found")
    return json_response({"slug": row.slug, "status": row.status, "title": row.title, "remedy": row.remedy})
