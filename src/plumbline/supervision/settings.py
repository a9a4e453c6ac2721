"""Django settings of 检测监管软件 (网页服务设置): pages and management; everything that varies comes from
the data folder."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import timedelta
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
    # Our templates first: the login part's pages have our look and words.
    "plumbline.web",
    "plumbline.web.accounts",
    "plumbline.supervision.pages",
    "plumbline.supervision.administration",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "axes",
]
MIDDLEWARE = [
    "plumbline.web.middleware.SecurityHeaders",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "plumbline.web.accounts.middleware.SessionLimits",
    "allauth.account.middleware.AccountMiddleware",
    "axes.middleware.AxesMiddleware",
]
AUTH_USER_MODEL = "accounts.Account"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "label")},
    },
]
#: Links for a first or forgotten password; made by an administrator, used once.
PASSWORD_RESET_TIMEOUT = 48 * 3600
ACCOUNT_ADAPTER = "plumbline.web.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_USER_MODEL_EMAIL_FIELD = None
#: Failed sign-ins are counted in one place, by axes: a second count would outlast the unlocking.
ACCOUNT_RATE_LIMITS = {"login_failed": "1000/m/ip"}
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_REAUTHENTICATION_REQUIRED = True
LOGIN_URL = "/account/login/"
MFA_ADAPTER = "plumbline.web.accounts.adapter.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
#: 等保 level 2 (GB/T 22239 8.1.4.1): five failures of one account from one address, then fifteen minutes.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "account/locked.html"
AXES_VERBOSE = False
AXES_ENABLE_ADMIN = False
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address"]
AXES_CLIENT_IP_CALLABLE = "plumbline.web.accounts.adapter.client_address"
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
    "formatters": {"terse": {"format": "%(asctime)s %(name)s %(levelname)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "terse"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"django.db.backends": {"level": "ERROR"}},
}
