"""Django settings of 检测监管软件 (网页服务设置): pages and management; everything that varies comes from
the data folder."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from plumbline.domain.basics.calendar import local_date
from plumbline.supervision.access.profile import profile_of
from plumbline.supervision.boot import operator_of
from plumbline.supervision.config import Platform
from plumbline.web.accounts.defaults import APPS_BEFORE, APPS_BEHIND, SETTINGS
from plumbline.web.security import STRICT_TRANSPORT_S

_PLATFORM = Platform.from_env()
_HTTPS = _PLATFORM.public_url.startswith("https://")
_NAME = urlsplit(_PLATFORM.public_url).hostname or "localhost"
_HOST = f"[{_NAME}]" if ":" in _NAME else _NAME
_RULES = profile_of(_PLATFORM.profile, operator_of(_PLATFORM).division, local_date(datetime.now(UTC)))
_SECRETS = json.loads((_PLATFORM.data_dir / "secrets.json").read_text("utf-8"))

SECRET_KEY = hashlib.sha256(b"django\0" + (_PLATFORM.folder("keys") / "kek.bin").read_bytes()).hexdigest()
DEBUG = False
#: The demo is opened under whatever name its machine has; a production platform answers to its own name and to this machine.
ALLOWED_HOSTS = ["*"] if _PLATFORM.demo else [_HOST, "127.0.0.1", "localhost", "[::1]"]
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
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "plumbline.web.forms.FormTexts",
    "plumbline.web.accounts.middleware.SessionLimits",
    "plumbline.supervision.administration.pace.PersonalPace",
    "allauth.account.middleware.AccountMiddleware",
    "axes.middleware.AxesMiddleware",
]
globals().update(SETTINGS)
ACCOUNT_ADAPTER = "plumbline.supervision.administration.sign_in.SupervisionAccountAdapter"
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
#: Over HTTPS a cookie of another host or of plain HTTP cannot take the place of ours.
SESSION_COOKIE_NAME = "__Host-plumb_session" if _HTTPS else "plumb_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS
#: `SessionLimits` ends an idle session by the profile and says why; the row stays a little longer so that it can be said.
SESSION_COOKIE_AGE = (_RULES.idle_minutes + 10) * 60
PLUMBLINE_SESSION_RULES = "plumbline.supervision.access.limits.session_rules"
AXES_FAILURE_LIMIT = "plumbline.supervision.access.limits.failure_limit"
AXES_COOLOFF_TIME = "plumbline.supervision.access.limits.cooling_time"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "plumbline.supervision.access.passwords.ProfileValidator"},
    {"NAME": "plumbline.supervision.access.passwords.UncommonPassword"},
    {"NAME": "plumbline.supervision.access.passwords.NotOnlyDigits"},
    {
        "NAME": "plumbline.supervision.access.passwords.UnlikeTheOwner",
        "OPTIONS": {"user_attributes": ("username", "label")},
    },
]
SESSION_SAVE_EVERY_REQUEST = True
CSRF_COOKIE_NAME = "__Host-plumb_csrf" if _HTTPS else "plumb_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "plumbline.supervision.administration.views.without_token"
SECURE_HSTS_SECONDS = STRICT_TRANSPORT_S if _HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _HTTPS
#: Whether the name goes on the browsers' own list is the affair of whoever owns the domain.
SECURE_HSTS_PRELOAD = False
#: Pages only: machine paths are the gateway's, which refuses plain HTTP instead of leading on.
SECURE_SSL_REDIRECT = _HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz/$"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
#: security.W021 asks for the browsers' preload list, see above.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
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
