"""Settings of the sign-in part (登录设置), shared by the web processes and by previews: values, no decisions of one installation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

#: Our templates first: the sign-in part's pages have our look and words.
APPS_BEFORE = ("plumbline.web", "plumbline.web.accounts")
APPS_BEHIND = (
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "axes",
)
SETTINGS: dict[str, Any] = {
    "AUTH_USER_MODEL": "accounts.Account",
    "AUTHENTICATION_BACKENDS": [
        "axes.backends.AxesStandaloneBackend",
        "django.contrib.auth.backends.ModelBackend",
    ],
    "AUTH_PASSWORD_VALIDATORS": [
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
    ],
    #: Links for a first or forgotten password; made by an administrator, used once.
    "PASSWORD_RESET_TIMEOUT": 48 * 3600,
    "ACCOUNT_ADAPTER": "plumbline.web.accounts.adapter.AccountAdapter",
    "ACCOUNT_LOGIN_METHODS": {"username"},
    "ACCOUNT_SIGNUP_FIELDS": ["username*", "password1*"],
    "ACCOUNT_EMAIL_VERIFICATION": "none",
    "ACCOUNT_USER_MODEL_EMAIL_FIELD": None,
    #: Stops guessing of second factors; wrong passwords are counted by axes, whose count an administrator can clear.
    "ACCOUNT_RATE_LIMITS": {"login_failed": "10/900s/key", "login": "600/m/ip"},
    "ACCOUNT_FORMS": {"change_password": "plumbline.web.accounts.own_password.OwnPasswordForm"},
    "ACCOUNT_PRESERVE_USERNAME_CASING": False,
    "AXES_USERNAME_CALLABLE": "plumbline.web.accounts.adapter.counted_name",
    "ACCOUNT_LOGOUT_ON_GET": False,
    "ACCOUNT_SESSION_REMEMBER": False,
    "ACCOUNT_REAUTHENTICATION_REQUIRED": True,
    "LOGIN_URL": "/account/login/",
    "MFA_ADAPTER": "plumbline.web.accounts.adapter.MFAAdapter",
    "MFA_SUPPORTED_TYPES": ["totp", "recovery_codes"],
    #: Memory-hard; an older hash is made anew at the next sign-in.
    "PASSWORD_HASHERS": [
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    ],
    #: 等保 level 2 (GB/T 22239 7.1.4.1): five failures of one account from one address, then fifteen minutes.
    "AXES_FAILURE_LIMIT": 5,
    "AXES_COOLOFF_TIME": timedelta(minutes=15),
    "AXES_LOCKOUT_PARAMETERS": [["username", "ip_address"]],
    "AXES_RESET_ON_SUCCESS": True,
    "AXES_LOCKOUT_TEMPLATE": "account/locked.html",
    "AXES_VERBOSE": False,
    "AXES_ENABLE_ADMIN": False,
    "AXES_SENSITIVE_PARAMETERS": ["username", "ip_address", "login"],
    "AXES_CLIENT_IP_CALLABLE": "plumbline.web.accounts.adapter.client_address",
}
