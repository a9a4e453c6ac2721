"""Peer: Django-ninja with Django's own mapper (对照：Django-ninja + ORM), synchronous, which was its faster way."""

from __future__ import annotations

from typing import Any

from plumbline.bench.peers.checks import Peer
from plumbline.bench.requests import PATH


def _configure(peer: Peer) -> None:
    from django.conf import settings

    settings.configure(
        SECRET_KEY="measured and thrown away",  # noqa: S106 - signs nothing
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        MIDDLEWARE=["django.middleware.common.CommonMiddleware"],  # for Content-Length alone
        USE_TZ=True,
        LOGGING={
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"console": {"class": "logging.StreamHandler"}},
            "root": {"handlers": ["console"]},
        },
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": peer.database,
                "USER": peer.user,
                "HOST": peer.host,
                "CONN_MAX_AGE": None,
            }
        },
    )


def _application() -> Any:
    import django

    peer = Peer.from_env()
    _configure(peer)
    django.setup()
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
