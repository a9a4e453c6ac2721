"""What a new password must be (密码规则): the rule of the security profile; each refusal says the whole rule and what to do."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.hashers import check_password
from django.contrib.auth.password_validation import (
    CommonPasswordValidator,
    NumericPasswordValidator,
    UserAttributeSimilarityValidator,
)
from django.core.exceptions import ValidationError

from plumbline.supervision.access.profile import Profile, profile_at

#: Words of this platform and its field, in no password: whoever guesses tries them first. Shorter words would forbid too much.
CONTEXT_WORDS = (
    "plumbline",
    "zhunsheng",
    "hengchuan",
    "jiance",
    "jianguan",
    "zhijianzhan",
    "admin",
    "password",
    "准绳",
    "检测监管",
    "质量监督",
)
#: Names of the login and the post shorter than this may occur by chance.
_LEAST = 4


def kinds_of(password: str) -> int:
    """How many of the four kinds of characters a password has."""
    kinds = (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^a-zA-Z0-9]")
    return sum(1 for kind in kinds if re.search(kind, password))


def forbidden_word(password: str, *own: str) -> str:
    """The word of the platform or of the account that stands in a password; empty when none does."""
    text = password.casefold()
    words = (*CONTEXT_WORDS, *(each.casefold() for each in own if len(each) >= _LEAST))
    return next((word for word in words if word in text), "")


def problem_of(password: str, rule: Profile, *own: str) -> str:
    """What is wrong with a password by length, kinds and words; empty when nothing is. Nothing is cut off or changed."""
    if len(password) < rule.password_min_length:
        return f"密码只有 {len(password)} 位。{rule.password_rule}"
    if kinds_of(password) < rule.password_classes:
        return f"密码只有 {kinds_of(password)} 类字符。{rule.password_rule}"
    if word := forbidden_word(password, *own):
        return f"密码里有容易被猜到的“{word}”，请换掉。{rule.password_rule}"
    return ""


class ProfileValidator:
    """Length, kinds, words and history of the profile that holds for the account."""

    def validate(self, password: str, user: Any = None) -> None:
        """Refuse a password that breaks the rule, with the rule."""
        rule = profile_at(getattr(user, "division", ""), datetime.now(UTC))
        own = (str(getattr(user, "username", "")), str(getattr(user, "label", "")))
        if problem := problem_of(password, rule, *own):
            raise ValidationError(problem, code="profile")
        kept = [getattr(user, "password", ""), *getattr(user, "former_passwords", ())]
        if any(check_password(password, each) for each in kept[: rule.password_history] if each):
            raise ValidationError(f"这个密码用过了，请换一个。{rule.password_rule}", code="history")

    def get_help_text(self) -> str:
        """The rule as it holds now."""
        return profile_at("", datetime.now(UTC)).password_rule


class _Unsaid:
    """The profile's sentence tells the rule of these too: beside a form it is said once."""

    def get_help_text(self) -> str:
        """Nothing."""
        return ""


class UncommonPassword(_Unsaid, CommonPasswordValidator):  # type: ignore[misc]
    """Not among the passwords that most people take."""


class NotOnlyDigits(_Unsaid, NumericPasswordValidator):  # type: ignore[misc]
    """Not a number."""


class UnlikeTheOwner(_Unsaid, UserAttributeSimilarityValidator):  # type: ignore[misc]
    """Not much like the login name or the post."""
