"""Acts of people with accounts (有账号的人办的事): administrators, officers, and the owner of an account; what each leaves in the trail.

Imported for the declarations that it makes.
"""

from __future__ import annotations

import re

from browsing import PASSWORD, Browser
from traces import Event, Exercise, Stage, exercise, refusal, tried

from plumbline.exchange.messages import project as project_messages

SYSTEM, SECURITY = "wang.xt", "li.aq"


# --- accounts ---


def _on_account(act: str, said: str, **fields: str) -> Exercise:
    """An act of the system administrator, or of the security administrator, on a new account."""
    actions = {
        "link": "account.link_made", "suspend": "account.suspended", "reactivate": "account.reactivated",
        "unlock": "account.unlocked", "release-link": "account.link_released",
    }  # fmt: skip

    def does(stage: Stage) -> None:
        name = stage.account()
        keeper, office = (
            ("system", SYSTEM) if act in ("link", "suspend", "reactivate") else ("security", SECURITY)
        )
        with stage.leaves(Event(actions[act], office, name)):
            done = getattr(stage.office, keeper).post(f"/accounts/{name}/{act}/", **fields)
        assert done.status_code == 200 and said in done.text

    return does


exercise("account-act/link")(_on_account("link", 'class="once"'))
exercise("account-act/suspend")(_on_account("suspend", "已停用", because="调离"))
exercise("account-act/reactivate")(_on_account("reactivate", "已恢复"))
exercise("account-act/unlock")(_on_account("unlock", "已解锁"))
exercise("account-act/release-link")(_on_account("release-link", "已放行"))


@exercise("account-new")
def _new_account(stage: Stage) -> None:
    fields = {"label": "收发", "division": "610303"}
    with stage.leaves(Event("account.made", SYSTEM, "trace.new")):
        assert stage.office.system.post("/accounts/new/", username="trace.new", **fields).status_code == 200


@exercise("account-act/reset-second-factor")
def _reset_factor(stage: Stage) -> None:
    name, _ = stage.person(with_factor=True)
    with stage.leaves(Event("account.second_factor_reset", SECURITY, name)):
        done = stage.office.security.post(f"/accounts/{name}/reset-second-factor/")
    assert "第二因素已清除" in done.text


@exercise("account-act/grant", "account-act/end-grant")
def _grant(stage: Stage) -> None:
    name, size = stage.account(), stage.world.size
    before = size()
    if stage.address == "account-act/grant":
        with stage.leaves(
            *tried("role.granted", SECURITY, name), entries=(("role.granted", stage.world.station),)
        ):
            assert "已授予" in stage.office.grant(name, "officer").text
        assert size() > before
        return
    stage.office.grant(name, "officer")
    page = stage.office.security.get(f"/accounts/{name}/").text
    found = re.search(r'name="grant" value="([0-9a-f]{32})"', page)
    assert found
    with stage.leaves(*tried("role.ended", SECURITY, name), entries=(("role.ended", stage.world.station),)):
        stage.office.security.post(f"/accounts/{name}/end-grant/", grant=found[1], because="换岗")


@exercise("first-password")
def _first_password(stage: Stage) -> None:
    name = stage.account()
    link = re.search(r'class="once">([^<]+)<', stage.office.system.post(f"/accounts/{name}/link/").text)
    assert link
    owner = Browser(stage.world.url)
    owner.get("/account/login/")
    with stage.leaves(Event("account.password_set", name, name)):
        assert owner.set_password(link[1]).url.path == "/account/login/"


# --- the owner of an account ---


@exercise("account_login")
def _sign_in(stage: Stage) -> None:
    name, owner = stage.person()
    owner.post("/account/logout/")
    with stage.leaves(Event("session.begun", name, name)):
        owner.sign_in(name)


@refusal("account_login")
def _sign_in_wrongly(stage: Stage) -> None:
    name = stage.account()
    with stage.leaves(Event("session.refused", name, name, "refused")):
        Browser(stage.world.url).sign_in(name, "falsch")


@exercise("account_logout")
def _sign_out(stage: Stage) -> None:
    name, owner = stage.person()
    with stage.leaves(Event("session.ended", name, name)):
        owner.post("/account/logout/")


@exercise("account_reauthenticate")
def _prove_again(stage: Stage) -> None:
    name, owner = stage.plain
    with stage.leaves(Event("session.confirmed", name, name)):
        owner.post("/account/reauthenticate/", password=PASSWORD)


@refusal("account_reauthenticate")
def _prove_wrongly(stage: Stage) -> None:
    name, owner = stage.plain
    with stage.leaves(Event("session.refused", name, name, "refused")):
        owner.post("/account/reauthenticate/", password="falsch")


@exercise("account_change_password")
def _change_password(stage: Stage) -> None:
    (name, owner), new = stage.person(), PASSWORD + "-neu"
    with stage.leaves(Event("account.password_changed", name, name)):
        owner.post("/account/password/change/", oldpassword=PASSWORD, password1=new, password2=new)


@refusal("account_change_password")
def _change_password_of_another(stage: Stage) -> None:
    (name, owner), new = stage.plain, PASSWORD + "-neu"
    with stage.leaves(Event("session.refused", name, name, "refused")):
        owner.post("/account/password/change/", oldpassword="falsch", password1=new, password2=new)


@exercise("sign-ins")
def _end_elsewhere(stage: Stage) -> None:
    name, owner = stage.person()
    other = Browser(stage.world.url)
    other.sign_in(name)
    (key,) = re.findall(r'name="key" value="([0-9a-f]{32})"', owner.get("/account/sign-ins/").text)
    with stage.leaves(Event("session.ended_elsewhere", name, name)):
        assert owner.post("/account/sign-ins/", key=key).status_code == 200


@refusal("sign-ins")
def _end_anothers(stage: Stage) -> None:
    _, owner = stage.plain
    with stage.leaves_nothing("别人的登录对他不存在，答 404，与猜的一样"):
        assert owner.post("/account/sign-ins/", key="0" * 32).status_code == 404


@refusal("first-password")
def _dead_link(stage: Stage) -> None:
    with stage.leaves_nothing("链接是死的，不说明是谁的，也没有人可记"):
        done = Browser(stage.world.url).post("/account/link/OTk5/abc-def/", password=PASSWORD, again=PASSWORD)
        assert done.status_code == 410


@exercise("mfa_activate_totp")
def _take_factor(stage: Stage) -> None:
    name, owner = stage.person()
    secret = owner.begin_second_factor()
    with stage.leaves(*[Event("second_factor.added", name, name)] * 2):  # the app, and codes to replace it
        owner.show_code(secret)


@refusal("mfa_activate_totp")
def _take_factor_wrongly(stage: Stage) -> None:
    _, owner = stage.plain
    owner.begin_second_factor()
    with stage.leaves_nothing("本人在自己的页面上输错一次，还没有第二因素，什么都没有开启"):
        owner.post("/account/2fa/totp/activate/", code="000000")


@exercise("mfa_authenticate")
def _sign_in_with_factor(stage: Stage) -> None:
    name, owner = stage.guarded
    again = Browser(stage.world.url)
    again.post("/account/login/", login=name, password=PASSWORD)
    with stage.leaves(Event("session.begun", name, name)):
        again.post("/account/2fa/authenticate/", code=owner.codes.pop())


@refusal("mfa_authenticate")
def _sign_in_with_wrong_factor(stage: Stage) -> None:
    name, _ = stage.guarded
    again = Browser(stage.world.url)
    again.post("/account/login/", login=name, password=PASSWORD)
    with stage.leaves(Event("second_factor.refused", name, name, "refused")):
        again.post("/account/2fa/authenticate/", code="000000")


@exercise("mfa_reauthenticate")
def _prove_by_factor(stage: Stage) -> None:
    name, owner = stage.guarded
    with stage.leaves(Event("session.confirmed", name, name)):
        owner.post("/account/2fa/reauthenticate/", code=owner.codes.pop())


@refusal("mfa_reauthenticate")
def _prove_by_wrong_factor(stage: Stage) -> None:
    name, owner = stage.guarded
    with stage.leaves(Event("second_factor.refused", name, name, "refused")):
        owner.post("/account/2fa/reauthenticate/", code="000000")


@exercise("mfa_generate_recovery_codes")
def _new_codes(stage: Stage) -> None:
    name, owner = stage.person(with_factor=True)
    with stage.leaves(Event("second_factor.codes_renewed", name, name)):
        done = owner.post("/account/2fa/recovery-codes/generate/")
    assert owner.codes[0] not in done.text and "<code>" in done.text


@exercise("mfa_deactivate_totp")
def _drop_factor(stage: Stage) -> None:
    name, owner = stage.person(with_factor=True)
    with stage.leaves(*[Event("second_factor.removed", name, name)] * 2):
        assert owner.post("/account/2fa/totp/deactivate/").status_code == 200


@refusal("mfa_deactivate_totp", "mfa_generate_recovery_codes")
def _without_fresh_proof(stage: Stage) -> None:
    """Whoever is not signed in is sent to the sign-in page."""
    stranger = Browser(stage.world.url)
    stranger.get("/account/login/")
    with stage.leaves_nothing("没有登录的人被领到登录页，没有名字可记"):
        for address in ("totp/deactivate", "recovery-codes/generate"):
            assert stranger.post(f"/account/2fa/{address}/").url.path.startswith("/account/")


# --- officers ---


@exercise("acting")
def _choose_role(stage: Stage) -> None:
    grant = re.search(r'name="grant" value="([0-9a-f]{32})"', stage.one.get("/acting/").text)
    assert grant
    with stage.leaves(Event("session.acts_as", "trace.one", grant[1])):
        assert stage.one.post("/acting/", grant=grant[1]).url.path == "/"


@refusal("acting")
def _choose_foreign_role(stage: Stage) -> None:
    _, owner = stage.plain
    with stage.leaves_nothing("猜的角色编号对他不存在，答 404，角色没有变"):
        assert owner.post("/acting/", grant="0" * 32).status_code == 404


@exercise("view-as")
def _look_with_other_eyes(stage: Stage) -> None:
    seen = stage.world.cast.party("institution")
    try:
        with stage.leaves(Event("view_as.begun", "trace.one", seen)):
            assert "只能看，不能改" in stage.one.post("/view-as/", party=seen).text
    finally:
        stage.one.post("/view-as/end/")


@exercise("view-as-end")
def _look_with_own_eyes_again(stage: Stage) -> None:
    seen = stage.world.cast.party("institution")
    stage.one.post("/view-as/", party=seen)
    with stage.leaves(Event("view_as.ended", "trace.one", seen)):
        assert "只能看，不能改" not in stage.one.post("/view-as/end/").text


@exercise("exports")
def _order(stage: Stage) -> None:
    with stage.leaves(Event("list.export_ordered", "trace.one", None)):
        assert stage.one.post("/exports/", list="reports", view="all").status_code == 200
    with stage.leaves(Event("volume.ordered", "trace.one", None)):
        done = stage.one.post("/exports/", volume="project", project=stage.world.project())
        assert done.status_code == 200, done.text


@exercise("organisation-act/propose", "organisation-act/decline", "organisation-act/agree")
def _suspend_organisation(stage: Stage) -> None:
    """Two officers: one proposes; another one declines, or agrees and so makes it an entry."""
    act, one, two = stage.address.partition("/")[2], stage.one, stage.two
    party = stage.world.enrol(f"trace.{act}", ["institution"]).party
    address, name = f"/organisations/{party}", f"trace.{act} 检测有限公司"
    with stage.leaves(Event("organisation.suspension_proposed", "trace.one", name)):
        assert one.post(f"{address}/propose/", because="代签").status_code == 200
    if act == "decline":
        with stage.leaves(Event("organisation.proposal_declined", "trace.two", name)):
            two.post(f"{address}/decline/")
    if act == "agree":
        entered = (("party.suspended", stage.world.station),)
        with stage.leaves(*tried("organisation.suspended", "trace.two", name), entries=entered):
            two.post(f"{address}/agree/")


@exercise("charge-project", "charge-end")
def _charges(stage: Stage) -> None:
    world = stage.world
    builders = {role: world.parties[role].party for role in ("owner", "contractor", "resident_engineer_firm")}
    about = {
        "name": "留痕的工程",
        "code": f"LH-{stage.address}",
        "division": "610304",
        "unit_works": ["1# 楼"],
    }
    project = world.by_station(project_messages.ProjectRegistered, **about, **builders).entry.hex()
    world.settle()
    address = f"/charges/{project}/"
    (person,) = re.findall(
        r'<option value="([0-9a-f]{32})"[^>]*>[^<]*（trace\.one）', stage.one.get(address).text
    )
    fields = {"officer": person, "part": "lead", "valid_from": "2026-01-01"}
    made, ended = (((kind, world.station),) for kind in ("charge.assigned", "charge.ended"))
    before, stage.address = stage.address, "charge-project"
    with stage.leaves(*tried("charge.assigned", "trace.one", "监督三科（trace.one）"), entries=made):
        assert stage.one.post(address, **fields).status_code == 200
    stage.address = before
    if before == "charge-end":
        world.settle()
        (row,) = world.rows("SELECT id FROM fact.charge WHERE project = %s", [project])
        with stage.leaves(*tried("charge.ended", "trace.one", "监督三科（trace.one）"), entries=ended):
            assert stage.one.post(f"{address}{row['id']}/end/", because="回岗").status_code == 200
