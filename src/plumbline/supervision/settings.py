"""Django settings of 检测监管软件 (网页服务设置): pages and management; everything that varies comes from
the data folder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from plumbline.supervision.config import Platform

_PLATFORM = Platform.from_env()
_SECRETS = json.loads((_PLATFORM.data_dir / "secrets.json").read_text("utf-8"))

SECRET_KEY = hashlib.sha256(b"django\0" + (_PLATFORM.folder("keys") / "kek.bin").read_bytes()).hexdigest()
DEBUG = False
ALLOWED_HOSTS = ["*"]  # the gateway in front decides; addresses in pages come from the configured public URL
ROOT_URLCONF = "plumbline.supervision.urls"
WSGI_APPLICATION = "plumbline.supervision.wsgi.application"
INSTALLED_APPS = [
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "plumbline.web",
    "plumbline.supervision.pages",
]
MIDDLEWARE = [
    "plumbline.web.middleware.SecurityHeaders",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
SESSION_COOKIE_NAME = "plumb_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _PLATFORM.public_url.startswith("https://")
SESSION_COOKIE_AGE = 12 * 3600
CSRF_COOKIE_NAME = "plumb_csrf"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = [_PLATFORM.public_url]
#: Web listens on loopback only: the gateway (or a reverse proxy) in front says how the browser came.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    },
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": _PLATFORM.database.host,
        "PORT": str(_PLATFORM.database.port),
        "NAME": _PLATFORM.database.name,
        "USER": "plumb_web",
        "PASSWORD": _SECRETS["plumb_web"],
        "ATOMIC_REQUESTS": True,
        "OPTIONS": {"server_side_binding": True, "pool": {"min_size": 1, "max_size": 8, "timeout": 10}},
    }
}
LANGUAGE_CODE = "zh-hans"
TIME_ZONE = "Asia/Shanghai"
USE_TZ = True
STATIC_URL = "/static/"
#: Assets are served by the gateway (or the reverse proxy) from the packages' own folder; nothing is collected.
STATIC_ROOT = Path(__file__).parents[1] / "web" / "static"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PLUMBLINE_PAGE_SOURCE = "plumbline.supervision.reading.source.DatabasePageSource"
PLUMBLINE_PLATFORM = _PLATFORM
#: Terse: no query, no parameter and no cookie reaches a log (personal data).
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"terse": {"format": "%(asctime)s %(name)s %(levelname)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "terse"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"django.db.backends": {"level": "ERROR"}},
}
