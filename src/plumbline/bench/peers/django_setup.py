"""Django of a peer (对照用的 Django): configured in its own process, without anything that the measurement does not need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plumbline.bench.peers.checks import Peer

#: For Content-Length alone.
_LENGTH = ("django.middleware.common.CommonMiddleware",)


def configure(
    peer: Peer, urls: str, options: Mapping[str, Any] | None = None, middleware: Sequence[str] = _LENGTH
) -> None:
    """Settings for one database and the addresses in module `urls`; `options` are the connection's."""
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="measured and thrown away",  # noqa: S106 - signs nothing
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=urls,
        MIDDLEWARE=list(middleware),
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
                "OPTIONS": dict(options or {}),
            }
        },
    )
    django.setup()
