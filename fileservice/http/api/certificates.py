"""The operations on certificates; their PDFs come by routes of their own."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

from django.http import HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from fileservice.actors import Actor, Scope
from fileservice.certificates import DEFAULT_TEMPLATE
from fileservice.http import issuing, verifying
from fileservice.http.api.admission import FOR_EVERYBODY, needs
from fileservice.http.api.lists import Body, Listed, Moment, Names, Next, of_whom, page_of, place_of
from fileservice.http.certificates import DEFAULT_ZONE, MAX_PARAMETERS
from fileservice.http.entering import limits_of
from fileservice.http.issuing import absent
from fileservice.http.lifespan import resources_of
from fileservice.http.rates import check_rate
from fileservice.http.requests import NativeRequest
from fileservice.http.visitors import origin_of
from fileservice.issuing import MAX_REASON_CHARACTERS, Order, clean_reason
from fileservice.pdf.values import MAX_VALUE_CHARACTERS
from fileservice.registry import Issued
from fileservice.sharing import may, owns
from fileservice.uploads import check_room
from fileservice.verifying import find

LONGEST_TEMPLATE = 2000
LONGEST_VALUE_NAME = 200
LONGEST_ZONE = 64
LONGEST_EXPIRY = 40

router = Router(tags=["certificates"])

Id = Annotated[str, Field(description="in the link to give away")]
Standing = Literal["valid", "expired", "revoked"]


class PublicCertificate(Schema):
    """What everybody may know who has a certificate."""

    number: str
    state: Standing
    title: str
    values: dict[str, str] = Field(description="by name, as they are drawn")
    issued_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None
    reason: str = Field(description="why it was revoked")
    sha256: str = Field(description="of its file, in hexadecimal")
    size: int = Field(description="bytes of its file")
    verify_url: str
    url: str | None = Field(default=None, description="of its file; null once it was revoked")


class Certificate(PublicCertificate):
    """A certificate that was issued."""

    id: str
    template: str
    user: str | None = Field(description="whose it is; null where nobody had said who it was")
    batch: str | None = Field(description="the list that it was issued from")
    manage_url: str | None = Field(description="the link to keep; null for who is not its owner")


class CertificateList(Schema):
    """Certificates, the newest first."""

    certificates: list[Certificate]
    next: Next


class CertificateOrder(Body):
    """What a certificate is to be."""

    template: str = Field(DEFAULT_TEMPLATE, max_length=LONGEST_TEMPLATE)
    tz: str = Field(DEFAULT_ZONE, max_length=LONGEST_ZONE, description="of the time it shows")
    expires_at: str = Field(
        "", max_length=LONGEST_EXPIRY, description="a day, which counts to its end, or a time"
    )
    attach: Literal["", "json"] = Field("", description="json to have what it says as a file in it")
    values: dict[
        Annotated[str, Field(max_length=LONGEST_VALUE_NAME)],
        Annotated[str, Field(max_length=MAX_VALUE_CHARACTERS)],
    ] = Field(default_factory=dict, max_length=MAX_PARAMETERS, description="by name")


class Revocation(Body):
    """Why a certificate is revoked."""

    reason: str = Field("", max_length=MAX_REASON_CHARACTERS)


@router.get(
    "/certificates", response=CertificateList, operation_id="list_certificates", **needs("read")
)
async def list_certificates(request: NativeRequest, listed: Query[Listed]) -> Mapping[str, object]:
    """One's own certificates, the newest first; administrators see everybody's."""
    resources, by = resources_of(request), request.auth
    whose, after = of_whom(resources, by, listed), place_of(listed.cursor)
    page = resources.registry.listing.page(whose, limit=listed.limit, after=after)
    names = Names(resources)
    return page_of(page, "certificates", [shown(request, one, by, names) for one in page.rows])


@router.post(
    "/certificates",
    response={201: Certificate},
    operation_id="issue_certificate",
    **needs("issue"),
)
async def issue_certificate(
    request: NativeRequest, sent: CertificateOrder, response: HttpResponse
) -> Mapping[str, object]:
    """Issue a certificate and keep what it says."""
    resources, by = resources_of(request), request.auth
    await check_rate(request, by, "certificates")
    check_room(resources.storage, limits_of(resources), 0)
    order = Order(sent.template, sent.tz, sent.values, sent.expires_at, sent.attach)
    issued = await resources.issuing.issue(
        order, by=by, origin=origin_of(request), now=datetime.now(UTC)
    )
    response["Location"] = f"{origin_of(request)}/api/v1/certificates/{issued.id}"
    return shown(request, issued, by, Names(resources))


@router.get(
    "/certificates/{id}", response=Certificate, operation_id="get_certificate", **needs("read")
)
async def get_certificate(request: NativeRequest, id: Id) -> Mapping[str, object]:
    """What is known of a certificate."""
    return shown(request, mine(request, id, "read"), request.auth, Names(resources_of(request)))


@router.post(
    "/certificates/{id}/revoke",
    response=Certificate,
    operation_id="revoke_certificate",
    **needs("issue"),
)
async def revoke_certificate(
    request: NativeRequest, id: Id, sent: Revocation
) -> Mapping[str, object]:
    """Take a certificate back; one that was revoked stays so since then and for that reason."""
    resources, by = resources_of(request), request.auth
    issued, reason = mine(request, id, "issue"), clean_reason(sent.reason)
    await resources.registry.revoke(issued, reason, by=by, now=datetime.now(UTC))
    return shown(request, mine(request, id, "issue"), by, Names(resources))


@router.get(
    "/verify/{number}",
    response=PublicCertificate,
    operation_id="verify_certificate",
    **FOR_EVERYBODY,
)
async def verify_certificate(request: NativeRequest, number: str) -> Mapping[str, object]:
    """What is known of the certificate of a number, however it was copied; for everybody."""
    issued = find(resources_of(request).registry, number)
    if issued is None:
        raise absent()
    return verifying.public(request, issued)


def mine(request: NativeRequest, id: str, scope: Scope) -> Issued:
    """
    Return a certificate with which who asks may do things of this kind.

    Raises:
        NotFound: it may not, or there is none.
    """
    issued = resources_of(request).registry.find(id)
    if issued is None or not may(request.auth, scope, issued):
        raise absent()
    return issued


def shown(request: NativeRequest, issued: Issued, by: Actor, names: Names) -> dict[str, object]:
    """Return the JSON of a certificate."""
    described = issuing.described(request, issued)
    if not owns(by, issued):
        described["manage_url"] = None
    if issued.revoked_at:
        described["url"] = None
    return {**described, "user": names.of(issued.user_id), "batch": issued.batch_id}
