"""The extra `sso`: logins by an OpenID Connect provider, and second factors, by django-allauth."""

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Final

PROVIDER: Final = "sso"
APPS = [
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.mfa",
]
MIDDLEWARE = "allauth.account.middleware.AccountMiddleware"
MISSING = "needs the extra `sso`: pip install 'fileservice[sso]'"


@dataclass(frozen=True, slots=True)
class SignOn:
    """
    An OpenID Connect provider.

    Attributes:
        url: its issuer, or its discovery document.
        name: what people know it by.
        group: one of the claim `groups` that who logs in has to have; empty for none.
        new_people: whether who has no account gets one.
    """

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    name: str
    group: str
    new_people: bool


def is_installed() -> bool:
    """Tell whether the extra is there."""
    return all(find_spec(name) for name in ("allauth", "fido2", "jwt", "qrcode", "requests"))


def django_settings(sign_on: SignOn | None) -> dict[str, Any]:
    """Return what django-allauth is told: nothing is done by e-mail, and nobody signs up."""
    apps = []
    if sign_on is not None:
        options = {"server_url": sign_on.url, "oauth_pkce_enabled": True}
        apps = [
            {
                "provider_id": PROVIDER,
                "name": sign_on.name,
                "client_id": sign_on.client_id,
                "secret": sign_on.client_secret,
                "settings": options,
            }
        ]
    return {
        "ACCOUNT_ADAPTER": "fileservice.http.signon.Accounts",
        "ACCOUNT_EMAIL_VERIFICATION": "none",
        "ACCOUNT_FORMS": {"reauthenticate": "fileservice.http.signon.PasswordAgainForm"},
        "ACCOUNT_LOGIN_METHODS": {"username"},
        "ACCOUNT_SIGNUP_FIELDS": ["username*", "password1*"],
        "ACCOUNT_UNIQUE_EMAIL": False,
        "SOCIALACCOUNT_ADAPTER": "fileservice.http.signon.Strangers",
        "SOCIALACCOUNT_EMAIL_VERIFICATION": "none",
        "SOCIALACCOUNT_LOGIN_ON_GET": True,
        "SOCIALACCOUNT_PROVIDERS": {"openid_connect": {"APPS": apps}},
        "MFA_ADAPTER": "fileservice.http.signon.SecondFactors",
        "MFA_ALLOW_UNVERIFIED_EMAIL": True,
        "MFA_FORMS": {
            "authenticate": "fileservice.http.signon.CodeForm",
            "reauthenticate": "fileservice.http.signon.CodeAgainForm",
        },
        "MFA_SUPPORTED_TYPES": ["totp", "webauthn", "recovery_codes"],
        "MFA_TOTP_ISSUER": "fileservice",
    }
