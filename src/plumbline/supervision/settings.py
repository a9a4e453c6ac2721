"""Django settings of 检测监管软件 (网页服务设置): pages and management; everything that varies comes from
the data folder."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from plumbline.supervision.config import Platform
from plumbline.web.accounts.defaults import APPS_BEFORE, APPS_BEHIND, SETTINGS

_PLATFORM = Platform.from_env()
_SECRETS = json.loads((_PLATFORM.data_dir / "secrets.json").read_text("utf-8"))

SECRET_KEY = hashlib.sha256(b"django\0" + (_PLATFORM.folder("keys") / "kek.bin").read_bytes()).hexdigest()
DEBUG = False
ALLOWED_HOSTS = ["*"]  # the gateway in front decides; addresses in pages come from the configured public URL
ROOT_URLCONF = "plumbline.supervision.urls"
WSGI_APPLICATION = "plumbline.supervision.wsgi.application"
INSTALLED_APPS = [
    *APPS_BEFORE,
    "plumbline.supervision.pages",
    "plumbline.supervision.administration",
    "plumbline.supervision.monitor",
    "plumbline.supervision.enrolment",
    *APPS_BEHIND,
]
MIDDLEWARE = [
    "plumbline.web.middleware.SecurityHeaders",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "plumbline.web.forms.FormTexts",
    "plumbline.web.accounts.middleware.SessionLimits",
    "allauth.account.middleware.AccountMiddleware",
    "axes.middleware.AxesMiddleware",
]
globals().update(SETTINGS)
ACCOUNT_ADAPTER = "plumbline.supervision.administration.sign_in.SupervisionAccountAdapter"
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
#: Idle for half an hour ends a session; `Session.absolute_limit` ends it after twelve hours in any case.
SESSION_COOKIE_NAME = "plumb_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _PLATFORM.public_url.startswith("https://")
SESSION_COOKIE_AGE = 30 * 60
SESSION_SAVE_EVERY_REQUEST = True
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
#: Tables of the web products live in a schema of their own; only `migrate` opens it as its owner.
_LOGIN = os.environ.get("PLUMB_WEB_LOGIN", "plumb_web")
_ROLE_OPTIONS = "-c search_path=web" + (" -c role=plumb_owner" if _LOGIN == "plumb_migrate" else "")
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": _PLATFORM.database.host,
        "PORT": str(_PLATFORM.database.port),
        "NAME": _PLATFORM.database.name,
        "USER": _LOGIN,
        "PASSWORD": _SECRETS[_LOGIN],
        "ATOMIC_REQUESTS": True,
        "OPTIONS": {
            "server_side_binding": True,
            "options": _ROLE_OPTIONS,
            "pool": {"min_size": 1, "max_size": 8, "timeout": 10},
        },
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
    "formatters": {"terse": {"()": "plumbline.supervision.logs.MaskingFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "terse"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    # A refused request would be logged with its path, and a path may hold a link that is still good.
    "loggers": {"django.db.backends": {"level": "ERROR"}, "django.request": {"level": "ERROR"}},
}
