"""Every route, in two lists; `asgi` sends a request to the lane its path belongs to."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic.base import RedirectView

from fileservice.http import (
    auditing,
    batchfiles,
    batching,
    boxes,
    certificates,
    drops,
    health,
    issued,
    issuing,
    keeping,
    managing,
    metrics,
    pages,
    parcels,
    people,
    shares,
    shellclient,
    templates,
    tokens,
    uploading,
    verifying,
    visiting,
)
from fileservice.http.api import document, program

# Streamed bodies, no threads.
native = [
    # `.` would not match a line break, which a hostile name may hold.
    re_path(r"^files/(?P<rest>[\s\S]+)$", uploading.file),
    path("files/", uploading.files),
    path("uploads/<str:key>", managing.managed),
    path("uploads/<str:key>/delete", managing.delete_form),
    path("uploads/<str:key>/terms", keeping.terms),
    path("uploads/<str:key>/shares", shares.shares),
    path("uploads/<str:key>/shares/<str:id>", shares.share),
    path("uploads/<str:key>/shares/<str:id>/revoke", shares.revoke_form),
    path("s/<str:code>", visiting.visit),
    path("s/<str:code>/qr.svg", visiting.qr, {"form": "svg"}),
    path("s/<str:code>/qr.png", visiting.qr, {"form": "png"}),
    path("s/<str:code>/<str:name>", visiting.download),
    path("d/<str:code>", drops.drop),
    re_path(r"^d/(?P<code>[^/]+)/(?P<rest>[\s\S]*)$", drops.brought),
    path("drops/", boxes.boxes),
    path("drops/<str:id>", boxes.box),
    path("drops/<str:id>/revoke", boxes.revoke_form),
    path("parcels/", parcels.parcels),
    path("parcels/<str:key>", parcels.parcel),
    path("parcels/<str:key>/", parcels.parcel),
    re_path(r"^parcels/(?P<key>[^/]+)/(?P<rest>[\s\S]+)$", parcels.within),
    path("certificate", certificates.certificate),
    path("certificates/", issuing.certificates),
    path("certificates/<str:id>", issued.certificate),
    path("certificates/<str:id>/<str:name>", issued.certificate),
    path("issued/<str:key>", issuing.managed),
    path("issued/<str:key>/revoke", issuing.revoke_form),
    path("templates/", templates.templates),
    path("templates/preview.png", templates.preview),
    path("templates/<str:name>", templates.template),
    path("templates/<str:name>/preview.png", templates.preview),
    path("batches/", batching.batches),
    path("batches/<str:key>", batching.batch),
    path("batches/<str:key>/stop", batching.stop_form),
    path("batches/<str:key>/certificates.zip", batchfiles.archived),
    path("batches/<str:key>/certificates.pdf", batchfiles.merged),
    path("batches/<str:key>/certificates.csv", batchfiles.as_csv),
    path("batches/<str:key>/certificates.jsonl", batchfiles.as_json_lines),
    path("verify/", verifying.verify),
    path("verify/<str:name>", verifying.verified),
    path("audit/", auditing.audit),
    path("audit/audit.csv", auditing.as_csv),
    path("", pages.home),
    path("put.sh", shellclient.put_sh),
    path("problems/<str:code>", pages.problem_kind),
    path("livez", health.livez),
    path("readyz", health.readyz),
    path("metrics", metrics.metrics),
    path("api/docs", document.page_of_api),
    path("api/v1/openapi.json", document.openapi),
    *program.routes(),
]

# Stock Django for people who run the service.
STANDARD_PREFIXES = ("/admin/", "/accounts/", "/static/")
standard = [
    # One door in, which counts attempts, and one out.
    path("admin/login/", RedirectView.as_view(pattern_name="login", query_string=True)),
    path("admin/logout/", people.Logout.as_view()),
    path("admin/password_change/", RedirectView.as_view(pattern_name="password")),
    path("admin/", admin.site.urls),
    path("accounts/", people.account, name="account"),
    path("accounts/login/", people.Login.as_view(), name="login"),
    path("accounts/logout/", people.Logout.as_view(), name="logout"),
    path("accounts/password/", people.PasswordChange.as_view(), name="password"),
    path("accounts/sessions/end", people.end_others, name="sessions-end"),
    path("accounts/sessions/<str:id>/end", people.end_session, name="session-end"),
    path("accounts/first/<str:secret>", people.first, name="first"),
    path("accounts/tokens/", tokens.tokens),
    path("accounts/tokens/<int:id>/revoke", tokens.revoke),
]

if settings.OPTIONS.uses_allauth:
    from allauth.account.views import reauthenticate

    from fileservice.http import signon

    standard += [
        path("accounts/2fa/", include("allauth.mfa.urls")),
        path("accounts/oidc/", include("allauth.socialaccount.urls")),
        path("accounts/oidc/connect", signon.connect, name="connect"),
        path("accounts/oidc/<str:provider_id>/login/", signon.sign_on, name="openid_connect_login"),
        path(
            "accounts/oidc/<str:provider_id>/callback/",
            signon.come_back,
            name="openid_connect_callback",
        ),
        path("accounts/reauthenticate/", reauthenticate, name="account_reauthenticate"),
        # Of pages of ours, as it knows them.
        path("accounts/login/", people.Login.as_view(), name="account_login"),
        path("accounts/login/", people.Login.as_view(), name="account_inactive"),
        path("accounts/logout/", people.Logout.as_view(), name="account_logout"),
        path("accounts/password/", people.PasswordChange.as_view(), name="account_change_password"),
    ]

urlpatterns = native + standard
