"""What administrators do to accounts (账号管理的用例): one function a use case, each with its audit event.

三员: the system administrator makes and suspends accounts, the security administrator gives and ends roles and resets second factors,
the audit administrator reads the trail. Nobody does two of these, and nobody reaches above the own division.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from allauth.mfa.models import Authenticator
from axes.utils import reset as reset_failures
from django.contrib.auth.tokens import default_token_generator
from django.db import connection, transaction
from django.http import HttpRequest
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from plumbline.domain.basics.identifiers import division_problem
from plumbline.domain.basics.personal_text import personal_spans
from plumbline.exchange.messages.registry import RoleEnded, RoleGranted
from plumbline.exchange.uids import new_uid
from plumbline.supervision.access.grants import ROLE_WORDS, Grant, grants_of
from plumbline.supervision.access.principals import ADMINISTRATORS, Principal, Role, division_range
from plumbline.supervision.administration.submission import await_outcome, operator_party, submit
from plumbline.supervision.administration.trail import attempt, record
from plumbline.supervision.journal.model import Accepted
from plumbline.web.accounts import sign_ins
from plumbline.web.accounts.models import Account

#: How long a released link may be made.
RELEASE_HOLDS = timedelta(days=1)
_LOGIN = re.compile(r"[a-z][a-z0-9._-]{2,39}")


class AdministrationRefused(ValueError):
    """An act that is not allowed; `field` names what to correct, the message says why and what to do."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def lies_below(division: str, principal: Principal) -> bool:
    """Whether a division lies in the administrator's: accounts are made and seen below oneself only."""
    low, high = division_range(principal.division)
    return len(division) == 6 and bool(low) and low <= division < high


def make_account(
    request: HttpRequest, principal: Principal, *, username: str, label: str, division: str
) -> Account:
    """A new account without password and roles; its owner sets the password with a link."""
    name = username.strip().lower()
    if not _LOGIN.fullmatch(name):
        raise AdministrationRefused("username", "登录名要 3 到 40 个小写字母、数字、点、横线，以字母开头")
    if not label.strip() or len(label.strip()) > 60:
        raise AdministrationRefused("label", "请写岗位或工号，最多 60 个字；不要写身份证号")
    require_impersonal("label", label)
    require_impersonal("username", name)
    if problem := division_problem(division):
        raise AdministrationRefused("division", f"行政区划代码不对：{problem}")
    if not lies_below(division, principal):
        raise AdministrationRefused(
            "division", f"{division} 不在您的辖区 {principal.division} 内，只能建辖区以内的账号"
        )
    if Account.objects.filter(username__iexact=name).exists():
        raise AdministrationRefused("username", f"登录名 {name} 已经有人用，请换一个")
    account = Account(username=name, label=label.strip(), division=division, created_by=principal.account)
    account.set_unusable_password()
    account.save()
    record(request, principal.account, "account.made", name, division=division, label=account.label)
    return account


def release_link(request: HttpRequest, principal: Principal, account: Account) -> None:
    """Allow the system administrator one link for an account that has roles, after its owner has asked for it."""
    account.link_released_at = datetime.now(UTC)
    account.save(update_fields=["link_released_at"])
    record(request, principal.account, "account.link_released", account.username)


def require_impersonal(field: str, text: str) -> None:
    """What administrators write stands in the audit trail for ever: no identity or telephone number goes in."""
    if personal_spans(text):
        raise AdministrationRefused(field, "这里不能写身份证号或电话，请删去")


def sign_in_link(request: HttpRequest, principal: Principal, account: Account) -> str:
    """A path that lets the account's owner set a password, once, within two days; an older link ends with the old password.

    With the link of an account that has roles one could act as its owner: the security administrator has to release it.
    """
    if grants_of(account):
        released = account.link_released_at
        if released is None or datetime.now(UTC) - released > RELEASE_HOLDS:
            raise AdministrationRefused(
                "link", "这个账号已有角色，一个人不能给它换密码：请安全管理员核实本人后先放行，一天内有效"
            )
        account.link_released_at = None
        account.save(update_fields=["link_released_at"])
    token = default_token_generator.make_token(account)
    record(request, principal.account, "account.link_made", account.username)
    return f"/account/link/{urlsafe_base64_encode(force_bytes(account.pk))}/{token}/"


def suspend(request: HttpRequest, principal: Principal, account: Account, because: str) -> None:
    """Stop an account at once: every open session ends with its next request and says why (`SessionLimits`)."""
    reason = because.strip()
    if not reason:
        raise AdministrationRefused("because", "请写明为什么停用")
    require_impersonal("because", reason)
    if account.username == principal.account:
        raise AdministrationRefused("because", "不能停用自己的账号，请由上级办理")
    for granted in grants_of(account):
        require_successor(account, granted.role)
    account.suspended_at, account.suspended_because = datetime.now(UTC), reason[:200]
    account.save(update_fields=["suspended_at", "suspended_because"])
    record(request, principal.account, "account.suspended", account.username, because=reason)


def end_sessions(account: Account) -> int:
    """End the account's open sessions with their next request; returns how many."""
    return sign_ins.end(account)


def reactivate(request: HttpRequest, principal: Principal, account: Account) -> None:
    """Let a suspended account sign in again, with its roles as they are."""
    account.suspended_at, account.suspended_because = None, ""
    account.reactivated_at = datetime.now(UTC)
    account.save(update_fields=["suspended_at", "suspended_because", "reactivated_at"])
    record(request, principal.account, "account.reactivated", account.username)


def unlock(request: HttpRequest, principal: Principal, account: Account) -> None:
    """Forget the failed sign-ins that lock the account."""
    count = reset_failures(username=account.username)
    record(request, principal.account, "account.unlocked", account.username, failures=str(count))


def reset_second_factor(request: HttpRequest, principal: Principal, account: Account) -> None:
    """Take the second factor away, after the owner has lost it; open sessions end, the next sign-in has to set up a new one."""
    if account.username == principal.account:
        raise AdministrationRefused(
            "account", "不能清除自己的第二因素：请在“第二因素”里改，或由另一位安全管理员办理"
        )
    count, _ = Authenticator.objects.filter(user=account).delete()
    end_sessions(account)
    record(request, principal.account, "account.second_factor_reset", account.username, removed=str(count))


def grant(
    request: HttpRequest,
    principal: Principal,
    account: Account,
    *,
    role: str,
    party: str,
    division: str,
    capacity: str,
) -> bool:
    """Give a role, as an entry of the log; False when it is accepted and not projected yet."""
    if role not in set(Role) - {Role.PUBLIC}:
        raise AdministrationRefused("role", "请选一个角色")
    if account.username == principal.account:
        raise AdministrationRefused("role", "不能给自己授角色，请由另一位安全管理员办理")
    if division_problem(division) or not lies_below(division, principal):
        raise AdministrationRefused("division", f"{division} 不在您的辖区 {principal.division} 内")
    held = {each.role for each in grants_of(account)}
    if held and (role in ADMINISTRATORS or ADMINISTRATORS & held):
        raise AdministrationRefused("role", "三员各由一人专任：这个人已有别的角色，请先终止，或换一个人")
    _require_party(role, party, principal)
    if not capacity.strip() or len(capacity.strip()) > 60:
        raise AdministrationRefused("capacity", "请写职务，例如 监督员，最多 60 个字")
    now = datetime.now(UTC)
    message = RoleGranted(
        v=1,
        uid=new_uid(now),
        sender=operator_party(),
        occurred_at=now,
        person=account.person,
        role=role,  # type: ignore[arg-type]
        party=party or operator_party(),
        division=division,
        capacity=capacity.strip(),
    )
    with attempt(request, principal.account, "role.granted", account.username, role=role, division=division):
        return taken_over(submit(message, request), "role")


def taken_over(accepted: Accepted, field: str) -> bool:
    """True when the projector made it a fact, False when it has not come so far; raises with its reason when it was not taken over."""
    outcome = await_outcome(accepted)
    if outcome.sentence:
        raise AdministrationRefused(field, f"入了日志，但没有采用：{outcome.sentence}。{outcome.remedy}")
    if outcome.parked:
        raise AdministrationRefused(field, "入了日志，但暂时搁置，请联系运维：plumbline re-project")
    return outcome.passed


def require_successor(account: Account, role: str) -> None:
    """The last one who holds an office stays: nobody may leave the platform without one of the three."""
    if role not in ADMINISTRATORS:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT person FROM ops.holders_of(%s)", [role])
        holders = [row[0] for row in cursor.fetchall()]
    others = Account.objects.filter(person__in=holders, suspended_at=None).exclude(pk=account.pk)
    if not others.exists():
        raise AdministrationRefused("because", f"这是最后一位{ROLE_WORDS[role]}：请先让别人接任")


def _require_party(role: str, party: str, principal: Principal) -> None:
    if role in ADMINISTRATORS and not party:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT roles, division FROM ops.party_of(%s)", [party])
        found = cursor.fetchone()
    if found is None:
        raise AdministrationRefused("party", "没有这个单位：请先登记单位，再给它的人授角色")
    wanted = {"institution": {"institution"}, "officer": {"station", "authority", "platform"}}.get(role)
    if not lies_below(found[1] or "", principal):
        raise AdministrationRefused("party", "这个单位不在您的辖区内，它的人由那里的安全管理员授角色")
    if wanted and not wanted & set(found[0]):
        raise AdministrationRefused("party", "这个单位的类别与角色不符")


def end_grant(
    request: HttpRequest, principal: Principal, account: Account, granted: Grant, because: str
) -> bool:
    """End a role, as an entry of the log; a session that acted in it has none from its next request on."""
    reason = because.strip()
    if not reason:
        raise AdministrationRefused("because", "请写明为什么终止")
    require_impersonal("because", reason)
    require_successor(account, granted.role)
    if not lies_below(granted.division, principal):
        raise AdministrationRefused("because", "这个角色的辖区不归您管")
    now = datetime.now(UTC)
    message = RoleEnded(
        v=1,
        uid=new_uid(now),
        sender=operator_party(),
        occurred_at=now,
        grant=granted.id,
        person=account.person,
        because=reason,
    )
    with attempt(
        request, principal.account, "role.ended", account.username, role=granted.role, reason=reason
    ):
        return taken_over(submit(message, request), "because")


def set_first_password(request: HttpRequest, account: Account, password: str) -> None:
    """The owner's own password, set with a link; other sessions of the account end."""
    with transaction.atomic():
        account.set_password(password)
        account.password_set_at = datetime.now(UTC)
        account.save(update_fields=["password", "former_passwords", "password_set_at"])
        end_sessions(account)
        record(request, account.username, "account.password_set", account.username)
