"""How allauth behaves here (登录部件的约定): nobody signs up, one login page, plain words, an audit event for each sign-in."""

from __future__ import annotations

import base64
import hashlib
import secrets
import unicodedata
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.http import HttpRequest

from plumbline.exchange.masking import kept_name


def client_address(request: HttpRequest) -> str:
    """Where the browser is. The gateway in front is this process's only peer; it replaces what a visitor may have claimed."""
    return str(request.META.get("HTTP_X_FORWARDED_FOR") or request.META.get("REMOTE_ADDR", ""))[:64]


def counted_name(request: HttpRequest | None, credentials: dict[str, Any] | None = None) -> str:
    """The login name under which failures are counted: other spellings of one name are one name."""
    told = (credentials or {}).get("username") or (
        request.POST.get("login", "") if request is not None else ""
    )
    return kept_name(unicodedata.normalize("NFKC", str(told)).strip().casefold())


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Accounts are made by administrators only."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "username_password_mismatch": "登录名或密码不对。",
        "too_many_login_attempts": "输错次数太多，请过一会儿再试，或请安全管理员解锁。",
        "account_inactive": "账号已停用，请联系系统管理员。",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never: an account is made by the administrator of one's division."""
        return False

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """The page where somebody with several organisations says for which one they act."""
        return "/acting/"

    def get_logout_redirect_url(self, request: HttpRequest) -> str:
        """The front page."""
        return "/"

    def get_client_ip(self, request: HttpRequest) -> str:
        """Where the browser is, for the limits of sign-in attempts."""
        return client_address(request)

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Nothing: wrong passwords are counted by axes, by account *and* address.

        The login part's own count goes by the name alone: with ten wrong passwords a stranger would keep its owner out everywhere,
        and no administrator could clear it. Guesses at a second factor, which need the password, are still counted by it.
        """

    def add_message(self, *arguments: object, **named: object) -> None:
        """No flash messages: each page says itself what happened."""


def _factor_key() -> bytes:
    return hashlib.sha256(b"second factor\0" + settings.SECRET_KEY.encode()).digest()


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Second factors: authenticator app and recovery codes."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": "验证码不对，或已经过了三十秒。",
        "unverified_email": "邮箱没有核实。",
        "add_email_blocked": "开启第二因素后不能添加邮箱。",
    }

    def encrypt(self, text: str) -> str:
        """Secrets of second factors lie in the database under the platform's key, not in clear."""
        nonce = secrets.token_bytes(12)
        return base64.b64encode(nonce + AESGCM(_factor_key()).encrypt(nonce, text.encode(), b"mfa")).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """The secret again; raises InvalidTag when it was changed or the key is another."""
        data = base64.b64decode(encrypted_text)
        return AESGCM(_factor_key()).decrypt(data[:12], data[12:], b"mfa").decode()

    def get_totp_issuer(self) -> str:
        """The name that the authenticator app shows."""
        return "准绳 Plumbline"
