"""Addresses of the web process (网页地址). Every view declares who may ask; a test walks this list."""

from __future__ import annotations

from allauth.account import views as account_views
from allauth.mfa.base import views as mfa_views
from allauth.mfa.recovery_codes import views as code_views
from allauth.mfa.totp import views as totp_views
from django.urls import path

from plumbline.supervision.access.rules import EVERYBODY, SIGNED_IN, allow
from plumbline.supervision.administration import charge_views, organisation_views, sign_in_views, view_as
from plumbline.supervision.administration import views as administration
from plumbline.supervision.administration.confirmation import confirmed
from plumbline.supervision.enrolment import views as enrolment
from plumbline.supervision.jobs import views as job_views
from plumbline.supervision.monitor import views as monitor
from plumbline.supervision.pages import lists, pages
from plumbline.supervision.reading import bundles, city, files, sign_in, tour, views
from plumbline.supervision.reading.lists.listing import KINDS

handler404 = views.missing
handler403 = administration.forbidden
#: The two administrators who look after accounts; each may do the acts of its own office only.
ACCOUNT_KEEPERS = ("system_admin", "security_admin")
#: The page of one record, whatever its kind; what is not the reader's is answered like what is not there.
RECORD = allow(*SIGNED_IN)(pages.record)
RECORD_PICTURE = allow(*SIGNED_IN)(views.record_picture)

urlpatterns = [
    path("", allow(*EVERYBODY)(pages.home), name="home"),
    path("healthz/", allow(*EVERYBODY)(views.healthy), name="healthz"),
    path("status/", allow(*EVERYBODY)(pages.status), name="status"),
    path("demo/sign-in/<slug:key>/", allow(*EVERYBODY)(sign_in.enter), name="demo-sign-in"),
    path("demo/sign-out/", allow(*EVERYBODY)(sign_in.leave), name="demo-sign-out"),
    path("demo/city/", allow(*EVERYBODY)(city.progress), name="demo-city"),
    path("tour/", allow(*EVERYBODY)(tour.tour), name="tour"),
    path("tour/changed.pdf", allow(*EVERYBODY)(tour.changed_pdf), name="tour-changed"),
    path("tour/dismiss/", allow(*EVERYBODY)(tour.dismiss), name="tour-dismiss"),
    path("tour/enter/<slug:key>/", allow(*EVERYBODY)(tour.enter), name="tour-enter"),
    path("tour/stops/<slug:key>/", allow(*EVERYBODY)(tour.stop_record), name="tour-stop"),
    path("search/", allow(*SIGNED_IN)(lists.search), name="search"),
    *(path(f"{key}/", allow(*KINDS[key].roles)(view), name=key) for key, view in lists.PAGES.items()),
    *(
        path(f"{key}/export.csv", allow(*KINDS[key].roles)(view), name=f"{key}-export")
        for key, view in lists.EXPORTS.items()
    ),
    path("exports/", allow(*SIGNED_IN)(job_views.exports), name="exports"),
    path("exports/<str:job>.csv", allow(*SIGNED_IN)(job_views.export_file), name="export-file"),
    path("exports/<str:job>.zip", allow(*SIGNED_IN)(job_views.volume_file), name="volume-file"),
    path("reports/<str:number>/", allow(*EVERYBODY)(views.trace), name="trace"),
    path("reports/<str:number>/curves/<int:specimen>.json", allow(*SIGNED_IN)(pages.curve), name="curve"),
    path("reports/<str:number>/pictures/<str:sha256>", allow(*SIGNED_IN)(files.picture), name="picture"),
    path("reports/<str:number>/bundle.zip", allow(*SIGNED_IN)(bundles.bundle), name="bundle"),
    path("institutions/<str:key>/", RECORD, {"kind": "institutions"}, name="institution"),
    path("projects/<str:key>/", RECORD, {"kind": "projects"}, name="project"),
    path("samples/<str:key>/", RECORD, {"kind": "samples"}, name="sample"),
    path(
        "samples/<str:key>/pictures/<str:sha256>", RECORD_PICTURE, {"kind": "samples"}, name="sample-picture"
    ),
    path("tests/<str:key>/", RECORD, {"kind": "tests"}, name="test"),
    path(
        "tests/<str:key>/curves/<int:specimen>.json", allow(*SIGNED_IN)(pages.record_curve), name="test-curve"
    ),
    path("tests/<str:key>/pictures/<str:sha256>", RECORD_PICTURE, {"kind": "tests"}, name="test-picture"),
    path("findings/<str:key>/", RECORD, {"kind": "findings"}, name="finding"),
    path("people/<str:key>/", RECORD, {"kind": "people"}, name="person"),
    path("instruments/<str:key>/", RECORD, {"kind": "instruments"}, name="instrument"),
    path("numbers/", allow("officer", "institution")(pages.numbers), name="numbers"),
    path("live-tests/<str:test_id>/", allow("officer", "institution")(views.live), name="live"),
    path("exchange/", allow("officer", "institution")(monitor.request_list), name="exchange"),
    path("exchange/export.csv", allow("officer", "institution")(monitor.export), name="exchange-export"),
    path(
        "exchange/<str:wanted>/",
        allow("officer", "institution")(monitor.request_detail),
        name="exchange-request",
    ),
    path(
        "exchange/<str:wanted>/replay/",
        allow("officer", "institution")(monitor.request_replay),
        name="exchange-replay",
    ),
    path("keys/", allow("officer", "institution")(enrolment.key_list), name="keys"),
    path("keys/apply/", allow(*EVERYBODY)(enrolment.apply), name="key-apply"),
    path("keys/status/<str:token>/", allow(*EVERYBODY)(enrolment.status), name="key-status"),
    path("keys/rotate/", allow(*EVERYBODY)(enrolment.rotate_by_key), name="key-rotate"),
    path("keys/applications/", allow("officer")(enrolment.application_list), name="key-applications"),
    path(
        "keys/applications/<str:wanted>/",
        allow("officer")(enrolment.application_detail),
        name="key-application",
    ),
    path(
        "keys/applications/<str:wanted>/<slug:act>/",
        allow("officer")(confirmed(enrolment.application_act)),
        name="key-application-act",
    ),
    path("keys/of/<str:key_id>/", allow("officer", "institution")(enrolment.key_detail), name="key"),
    path(
        "keys/of/<str:key_id>/<slug:act>/",
        allow("officer", "institution")(confirmed(enrolment.key_act)),
        name="key-act",
    ),
    path("acting/", allow(*EVERYBODY)(administration.acting), name="acting"),
    path("view-as/", allow("officer")(view_as.choose), name="view-as"),
    path("view-as/end/", allow(*SIGNED_IN)(view_as.end), name="view-as-end"),
    path("organisations/", allow("officer")(organisation_views.organisation_list), name="organisations"),
    path(
        "organisations/<str:party>/<slug:act>/",
        allow("officer")(confirmed(organisation_views.organisation_act)),
        name="organisation-act",
    ),
    path("charges/", allow("officer")(charge_views.charge_list), name="charges"),
    path(
        "charges/<str:project>/",
        allow("officer")(confirmed(charge_views.charge_project)),
        name="charge-project",
    ),
    path(
        "charges/<str:project>/<str:charge>/end/",
        allow("officer")(confirmed(charge_views.charge_end)),
        name="charge-end",
    ),
    path("accounts/", allow(*ACCOUNT_KEEPERS)(administration.account_list), name="accounts"),
    path("accounts/new/", allow("system_admin")(confirmed(administration.account_new)), name="account-new"),
    path("accounts/<str:username>/", allow(*ACCOUNT_KEEPERS)(administration.account_detail), name="account"),
    path(
        "accounts/<str:username>/<slug:act>/",
        allow(*ACCOUNT_KEEPERS)(confirmed(administration.account_act)),
        name="account-act",
    ),
    path("audit/", allow("audit_admin")(administration.audit_trail), name="audit"),
    path("audit/export.csv", allow("audit_admin")(administration.audit_export), name="audit-export"),
    path(
        "account/link/<str:uid>/<str:token>/",
        allow(*EVERYBODY)(administration.first_password),
        name="first-password",
    ),
    path("account/sign-ins/", allow(*EVERYBODY)(confirmed(sign_in_views.own_sign_ins)), name="sign-ins"),
    # The login part's own views under its own names, which it looks up; signing up and e-mail have no address here.
    path("account/login/", allow(*EVERYBODY)(account_views.login), name="account_login"),
    path("account/logout/", allow(*EVERYBODY)(account_views.logout), name="account_logout"),
    path("account/inactive/", allow(*EVERYBODY)(account_views.account_inactive), name="account_inactive"),
    path(
        "account/reauthenticate/",
        allow(*EVERYBODY)(account_views.reauthenticate),
        name="account_reauthenticate",
    ),
    path(
        "account/password/change/",
        allow(*EVERYBODY)(account_views.password_change),
        name="account_change_password",
    ),
    path("account/2fa/", allow(*EVERYBODY)(mfa_views.index), name="mfa_index"),
    path("account/2fa/authenticate/", allow(*EVERYBODY)(mfa_views.authenticate), name="mfa_authenticate"),
    path(
        "account/2fa/reauthenticate/", allow(*EVERYBODY)(mfa_views.reauthenticate), name="mfa_reauthenticate"
    ),
    path("account/2fa/totp/activate/", allow(*EVERYBODY)(totp_views.activate_totp), name="mfa_activate_totp"),
    path(
        "account/2fa/totp/deactivate/",
        allow(*EVERYBODY)(totp_views.deactivate_totp),
        name="mfa_deactivate_totp",
    ),
    path(
        "account/2fa/recovery-codes/",
        allow(*EVERYBODY)(code_views.view_recovery_codes),
        name="mfa_view_recovery_codes",
    ),
    path(
        "account/2fa/recovery-codes/generate/",
        allow(*EVERYBODY)(code_views.generate_recovery_codes),
        name="mfa_generate_recovery_codes",
    ),
    path(
        "account/2fa/recovery-codes/download/",
        allow(*EVERYBODY)(code_views.download_recovery_codes),
        name="mfa_download_recovery_codes",
    ),
]
