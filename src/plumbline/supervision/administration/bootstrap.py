"""The first three administrators (首批三员): made on the machine itself, before anybody can sign in. No default password exists."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime

import django
from django.db import connection

from plumbline.exchange.messages.registry import RoleGranted
from plumbline.exchange.uids import new_uid
from plumbline.supervision.config import Operator, Platform
from plumbline.supervision.journal.append import Journal
from plumbline.supervision.journal.heads import CheckpointSigner
from plumbline.supervision.journal.keys import PlatformKeys
from plumbline.supervision.journal.submit import PlatformSender

CAPACITIES = {"system_admin": "系统管理员", "security_admin": "安全管理员", "audit_admin": "审计管理员"}
_EVENT = (
    "INSERT INTO ops.audit_event (actor, action, subject, outcome, request, detail) "
    "VALUES ('cli', 'account.made', %s, %s, 'cli', %s::jsonb) RETURNING id"
)
_LOGIN = re.compile(r"[a-z][a-z0-9._-]{2,39}")


class BootstrapRefused(ValueError):
    """The administrators are not made; the message is one plain sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAdministrator:
    """An administrator with the link by which the password is set, once."""

    role: str
    username: str
    link: str


def make_administrators(
    platform: Platform, operator: Operator, names: dict[str, str]
) -> list[NewAdministrator]:
    """One account each for the three roles of `names` (role → login name); refused while there is one who is not suspended."""
    _require_distinct(names)
    django.setup()
    from django.contrib.auth.tokens import default_token_generator
    from django.utils.encoding import force_bytes
    from django.utils.http import urlsafe_base64_encode

    from plumbline.web.accounts.models import Account

    if Account.objects.filter(suspended_at=None).exists():
        raise BootstrapRefused("已经有账号了：请由现有的管理员办理")
    taken = Account.objects.filter(username__in=names.values()).values_list("username", flat=True)
    if taken:
        raise BootstrapRefused(f"登录名 {'、'.join(taken)} 已经有人用，请换一个")
    sender, made = _sender(platform), []
    for role, username in names.items():
        account = Account(
            username=username, label=CAPACITIES[role], division=operator.division, created_by="cli"
        )
        account.set_unusable_password()
        account.save()
        intent = _record(username, "intended")
        sender.submit(_granted(account.person, role, operator))
        _record(username, "done", intent=str(intent))
        token = default_token_generator.make_token(account)
        link = f"{platform.public_url}/account/link/{urlsafe_base64_encode(force_bytes(account.pk))}/{token}/"
        made.append(NewAdministrator(role=role, username=username, link=link))
    return made


def _record(username: str, outcome: str, **detail: str) -> int:
    """Write one event of the audit trail at once; returns its id."""
    with connection.cursor() as cursor:
        cursor.execute(_EVENT, [username, outcome, json.dumps(detail)])
        return int(cursor.fetchone()[0])


def _require_distinct(names: dict[str, str]) -> None:
    for name in names.values():
        if not _LOGIN.fullmatch(name):
            raise BootstrapRefused(f"登录名 {name!r} 不对：要 3 到 40 个小写字母、数字、点、横线，以字母开头")
    if len(set(names.values())) < len(names):
        raise BootstrapRefused("三员要由三个人分别担任，登录名不能相同")


def _sender(platform: Platform) -> PlatformSender:
    keys = PlatformKeys.load(platform.folder("keys"))
    signer = CheckpointSigner(keys.log, platform.folder("marks"), sm2=keys.log_sm2)
    return PlatformSender(Journal(platform.conninfo("plumb_gateway"), signer), keys.signer("web"))


def _granted(person: str, role: str, operator: Operator) -> RoleGranted:
    from plumbline.domain.basics.identifiers import party_id

    party, now = party_id(operator.uscc).hex(), datetime.now(UTC)
    return RoleGranted(
        v=1,
        uid=new_uid(now),
        sender=party,
        occurred_at=now,
        person=person,
        role=role,  # type: ignore[arg-type]
        party=party,
        division=operator.division,
        capacity=CAPACITIES[role],
    )
