"""Peer: Django-ninja with Django's own mapper, a row alone (对照：Django-ninja + ORM，只存一行), synchronous, which was its faster way."""

from __future__ import annotations

from typing import Any

from plumbline.bench.peers.checks import Peer
from plumbline.bench.peers.django_setup import configure
from plumbline.bench.requests import PATH


def _application() -> Any:
    peer = Peer.from_env()
    configure(peer, __name__)
    from django.core.handlers.wsgi import WSGIHandler
    from django.db import models
    from django.urls import path
    from ninja import NinjaAPI

    class Entry(models.Model):
        uid = models.UUIDField(primary_key=True)
        sender_id = models.BinaryField()
        key_id = models.TextField()
        envelope = models.BinaryField()
        message = models.BinaryField()
        arrived_at = models.DateTimeField()

        class Meta:
            app_label = "bench"
            db_table = "bench_peer"
            managed = False

    api = NinjaAPI()

    @api.post(PATH, response={201: dict})
    def accept(request: Any) -> tuple[int, dict[str, str]]:
        headers = {name.lower(): value for name, value in request.headers.items()}
        row = peer.check(headers, request.body)
        Entry.objects.create(
            uid=row.uid,
            sender_id=row.sender_id,
            key_id=row.key_id,
            envelope=row.envelope,
            message=row.message,
            arrived_at=row.arrived_at,
        )
        return 201, {"uid": row.uid}

    globals()["urlpatterns"] = [path("", api.urls)]
    return WSGIHandler()


def __getattr__(name: str) -> Any:
    """`application`, made when the server asks for it."""
    if name != "application":
        raise AttributeError(name)
    made = globals()["application"] = _application()
    return made
