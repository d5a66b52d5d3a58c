"""Who may call an operation of the API; asked before a byte of its body is read."""

from typing import Any

from fileservice.actors import Actor, Scope
from fileservice.errors import Forbidden
from fileservice.http.api.bodies import hold_body
from fileservice.http.auth import OPERATORS_TOKEN, actor_of, admit, is_somebody, unauthorized
from fileservice.http.requests import NativeRequest
from fileservice.http.visitors import check_form_token, check_own_origin

READING = ("GET", "HEAD")


class Admission:
    """
    Lets an operation begin for who may do things of its kind, with its body at hand.

    What it returns is `request.auth` in the operation.

    Attributes:
        scope: None for whoever has an account.
    """

    is_async = True  # for ninja

    def __init__(self, scope: Scope | None) -> None:
        self.scope = scope

    async def __call__(self, request: NativeRequest) -> Actor:
        """
        Return who asks.

        Raises:
            Unauthorized, Forbidden: as `admit`; or a browser did not mean to ask for this.
            FileserviceError: as `hold_body`.
        """
        by = await (admit(request, self.scope) if self.scope else admit_person(request))
        if request.method not in READING:
            check_meant(request, by)
            await hold_body(request)
        return by


class Anybody:
    """Lets an operation begin for everybody."""

    is_async = True

    async def __call__(self, request: NativeRequest) -> Actor:
        """Return who asks."""
        return await actor_of(request)


async def admit_person(request: NativeRequest) -> Actor:
    """
    Let pass who has an account, and return who it is.

    Raises:
        Unauthorized: nobody said who it is.
        Forbidden: it is the operator's token.
    """
    by = await actor_of(request)
    if not is_somebody(by):
        raise unauthorized(request)
    if by.user_id is None:
        raise Forbidden("This is for people with an account.")
    return by


def check_meant(request: NativeRequest, by: Actor) -> None:
    """
    Refuse what a page that is not ours made a browser send.

    No browser adds a Bearer token by itself. What it has of Basic it does add, but only a page
    of ours gets it to send JSON or a DELETE.

    Raises:
        Forbidden: it comes from another site, or by cookies and without a form's token.
    """
    by_token = by.token_id is not None or (by.user_id is None and by.name == OPERATORS_TOKEN)
    scheme = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")[0]
    if by_token and scheme.lower() == "bearer":
        return
    check_own_origin(request)
    if not by_token:
        check_form_token(request, "")


def needs(scope: Scope | None) -> dict[str, Any]:
    """Return what an operation is declared with, for those who may do `scope`; or have accounts."""
    scopes = [scope] if scope else []
    schemes = [{"bearer": scopes}, {"basic": scopes}, {"session": []}]
    return {"auth": Admission(scope), "openapi_extra": {"security": schemes, **PROBLEMS}}


PROBLEMS = {"responses": {"default": {"$ref": "#/components/responses/Problem"}}}
FOR_EVERYBODY: dict[str, Any] = {"auth": Anybody(), "openapi_extra": {"security": [], **PROBLEMS}}
