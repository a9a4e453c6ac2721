"""Peer: a look-up by a synchronous Django view with Django's mapper (对照：Django + ORM 的查验).

One query joins the four rows of an answer. How it was tuned stands in decision 0042.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from plumbline.bench.peers.checks import Peer
from plumbline.bench.peers.django_setup import configure
from plumbline.bench.peers.lookups import COMPACT, HEADERS, PATH, Desk, refusal
from plumbline.exchange.problems import Problem
from plumbline.supervision.memory import settle

#: Threads that answer requests, each with a connection of its own: of 1, 2, 4 and 8 the fastest.
THREADS = 2
#: Bound on the server and prepared.
OPTIONS = {"server_side_binding": True, "prepare_threshold": 5, "options": "-c search_path=fact"}
#: Of those that a new project comes with, what an answer without session, form or page needs.
MIDDLEWARE = (
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)


def _models() -> SimpleNamespace:
    from django.db import models

    class Party(models.Model):
        id = models.TextField(primary_key=True)
        name = models.TextField()

        class Meta:
            app_label, db_table, managed = "bench", "party", False

    class Application(models.Model):
        id = models.TextField(primary_key=True)
        number = models.TextField()
        attestation = models.TextField()

        class Meta:
            app_label, db_table, managed = "bench", "application", False

    class Registration(models.Model):
        id = models.TextField(primary_key=True)
        pdf_sha256 = models.TextField()
        examined = models.BooleanField()
        accepted = models.BooleanField()
        root_kind = models.TextField()
        attestation = models.TextField()

        class Meta:
            app_label, db_table, managed = "bench", "registration", False

    class Code(models.Model):
        id = models.TextField(primary_key=True)
        state = models.TextField()
        claims = models.TextField(null=True)
        application = models.ForeignKey(Application, models.PROTECT, db_column="application")
        institution = models.ForeignKey(Party, models.PROTECT, db_column="institution")
        registration = models.ForeignKey(Registration, models.PROTECT, db_column="registration", null=True)

        class Meta:
            app_label, db_table, managed = "bench", "code", False

    return SimpleNamespace(Code=Code)


_COLUMNS = (
    "id",
    "application__number",
    "institution__name",
    "registration__pdf_sha256",
    "claims",
    "state",
    "registration__examined",
    "registration__accepted",
    "registration__root_kind",
    "application__attestation",
    "registration__attestation",
)


def _application() -> Any:
    peer = Peer.from_env()
    configure(peer, __name__, OPTIONS, MIDDLEWARE)
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpResponse, JsonResponse
    from django.urls import path

    desk, codes = Desk(), _models().Code.objects.values_list(*_COLUMNS)

    def look_up(request: Any, typed: str) -> Any:
        try:
            code = desk.code(request.META["REMOTE_ADDR"], typed)
            row = next(iter(codes.filter(id=code)), None)
            return JsonResponse(desk.answer(row), json_dumps_params=dict(COMPACT), headers=HEADERS)
        except Problem as problem:
            body, status = refusal(problem)
            return HttpResponse(body, "application/problem+json", status)

    globals()["urlpatterns"] = [path(f"{PATH[1:]}<str:typed>", look_up)]
    settle()
    return WSGIHandler()


def __getattr__(name: str) -> Any:
    """`application`, made when the server asks for it."""
    if name != "application":
        raise AttributeError(name)
    made = globals()["application"] = _application()
    return made
