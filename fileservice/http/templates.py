"""Templates to look at: what each asks for, where that stands on its pages, and a form for it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote, urlencode

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from fileservice.certificates import DEFAULT_TEMPLATE, fill, new_number, zone_of
from fileservice.errors import BadRequest, BadValue
from fileservice.http.answers import document, methods, page, shape_of, text
from fileservice.http.auth import admit
from fileservice.http.certificates import DEFAULT_ZONE, parameters_of
from fileservice.http.downloading import asked_by, headers_of, reply_to
from fileservice.http.issued import respond
from fileservice.http.issuing import told
from fileservice.http.lifespan import resources_of
from fileservice.http.visitors import (
    TOKEN_FIELD,
    browser_of,
    form_token,
    new_browser,
    origin_of,
    remember_browser,
)
from fileservice.ledger import StoredFile
from fileservice.overviews import inputs_of, mentions_of, warnings_of
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pictures import Picture

MEDIA_TYPE = "image/png"


class View(NamedTuple):
    """
    What the query of a picture asks for.

    Attributes:
        page: from 1.
        is_filled: whether it is the certificate with `values` that is shown, and not the template.
    """

    template: str
    page: int
    zone: str
    is_filled: bool
    values: dict[str, str]


@methods("GET", "HEAD")
async def templates(request: ASGIRequest) -> HttpResponseBase:
    """GET /templates/ lists the templates; ?template=.. shows one, also that of a URL."""
    await admit(request, "issue")
    values = parameters_of(request.META["QUERY_STRING"])
    wanted = values.pop("template", None)
    if wanted is not None:
        return await shown(request, wanted, values)
    names = await resources_of(request).templates.names()
    found = [{"name": name, "url": url_of(request, name)} for name in names]
    shape = shape_of(request)
    if shape == "page":
        return told(page("templates.html", {"templates": found}))
    if shape == "json":
        return told(document({"templates": found}))
    return told(text("\n".join(each["url"] for each in found)))


@methods("GET", "HEAD")
async def template(request: ASGIRequest, name: str) -> HttpResponseBase:
    """GET /templates/<name> shows a template: its pages, what it asks for, and what to know."""
    await admit(request, "issue")
    return await shown(request, name, parameters_of(request.META["QUERY_STRING"]))


async def shown(request: ASGIRequest, wanted: str, values: dict[str, str]) -> HttpResponseBase:
    """Answer with what is known of a template; its page also shows it with `values`."""
    found = await resources_of(request).templates.get(wanted)
    shape = shape_of(request)
    if shape == "json":
        return told(document(content_of(request, wanted, found)))
    if shape == "text":
        return told(text("\n".join(lines_of(request, wanted, found))))
    browser = browser_of(request) or new_browser()
    context = page_context(request, wanted, found, values)
    context |= {"token": form_token(browser), "token_field": TOKEN_FIELD}
    response = told(page("template.html", context))
    remember_browser(request, response, browser)
    response["Vary"] = "Accept, Cookie"
    return response


def content_of(request: ASGIRequest, wanted: str, found: CompiledTemplate) -> dict[str, object]:
    """Return the JSON of a template."""
    plan = found.plan
    return {
        "template": without_query(wanted),
        "title": plan.title,
        "language": plan.language,
        "sha256": plan.digest,
        "pages": [
            {
                "page": number,
                "width": round(sheet.width, 1),
                "height": round(sheet.height, 1),
                "preview_url": preview_url_of(request, wanted, {"page": str(number)}),
            }
            for number, sheet in enumerate(plan.sheets, 1)
        ],
        "values": [each._asdict() for each in inputs_of(found)],
        "fields": [each._asdict() for each in mentions_of(found)],
        "warnings": warnings_of(found),
    }


def page_context(
    request: ASGIRequest, wanted: str, found: CompiledTemplate, values: dict[str, str]
) -> dict[str, object]:
    """Return what the page of a template shows besides its JSON."""
    zone = values.pop("tz", DEFAULT_ZONE)
    trouble = trouble_with(request, found, values, zone) if values else ""
    query = {"filled": "1", "tz": zone, **values} if values and not trouble else {}
    return {
        "wanted": wanted,
        "name": without_query(wanted),
        "plan": found.plan,
        "fields": mentions_of(found),
        "warnings": warnings_of(found),
        "inputs": [(each, values.get(each.name, each.default or "")) for each in inputs_of(found)],
        "trouble": trouble,
        "is_filled": bool(query),
        "pictures": [
            {
                "page": number,
                "width": round(sheet.width),
                "height": round(sheet.height),
                "url": preview_url_of(request, wanted, {**query, "page": str(number)}),
            }
            for number, sheet in enumerate(found.plan.sheets, 1)
        ],
    }


def trouble_with(
    request: ASGIRequest, found: CompiledTemplate, values: Mapping[str, str], zone: str
) -> str:
    """Return why a template cannot be filled with `values`; nothing where it can."""
    try:
        filled(request, found, values, zone)
    except BadValue as error:
        return error.detail
    return ""


def filled(
    request: ASGIRequest, found: CompiledTemplate, values: Mapping[str, str], zone: str
) -> bytes:
    """Return the certificate as it would be now; its number is nobody's."""
    issued_at = datetime.now(UTC).astimezone(zone_of(zone))
    return fill(found, values, number=new_number(), issued_at=issued_at, origin=origin_of(request))


def lines_of(request: ASGIRequest, wanted: str, found: CompiledTemplate) -> list[str]:
    """Return what is known of a template as lines for a terminal."""
    return [
        f"template: {without_query(wanted)}",
        *([f"title: {found.plan.title}"] if found.plan.title else []),
        f"sha256: {found.plan.digest}",
        *(
            f"value: {each.name}, {'required' if each.required else 'optional'}"
            for each in inputs_of(found)
        ),
        *(
            f"field {each.number}: {each.name}, page {each.page}"
            + (f", {each.face} {each.size} pt, {each.align}" if each.face else "")
            for each in mentions_of(found)
        ),
        *(f"warning: {each}" for each in warnings_of(found)),
        *(
            f"preview: {preview_url_of(request, wanted, {'page': str(number)})}"
            for number, _ in enumerate(found.plan.sheets, 1)
        ),
    ]


@methods("GET", "HEAD")
async def preview(request: ASGIRequest, name: str = "") -> HttpResponseBase:
    """
    GET /templates/<name>/preview.png is a picture of a page, its placeholders boxed.

    With ?filled=1 it is one of the certificate with the values of the query, and not kept.
    """
    await admit(request, "issue")
    view = view_of(request.META["QUERY_STRING"], name)
    resources = resources_of(request)
    found = await resources.templates.get(view.template)
    if view.is_filled:
        content = filled(request, found, view.values, view.zone)
        picture = await resources.pictures.filled(found, content, view.page)
        return HttpResponse(picture, content_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})
    if view.values:
        raise BadRequest("Values are shown with filled=1 only.")
    return given_out(request, await resources.pictures.preview(found, view.page), view.page)


def view_of(query: str, name: str) -> View:
    """
    Read the query of a picture; all that has no other meaning is a value.

    Raises:
        BadRequest: as `parameters_of`, or the page is no number.
    """
    values = parameters_of(query)
    wanted = name or values.pop("template", DEFAULT_TEMPLATE)
    number = values.pop("page", "1")
    if not (number.isascii() and number.isdigit() and len(number) < 5):
        raise BadRequest("The page is a number, from 1.")
    zone = values.pop("tz", DEFAULT_ZONE)
    return View(wanted, int(number), zone, values.pop("filled", "") == "1", values)


def given_out(request: ASGIRequest, picture: Picture, number: int) -> HttpResponse:
    """Answer with a picture as with a file: ranges, conditions, digests."""
    file = StoredFile(
        id="",
        key="",
        name=f"preview-{number}.png",
        name_changed=False,
        size=len(picture.content),
        sha256=picture.sha256,
        media_type=MEDIA_TYPE,
        created_at=picture.made_at,
        sender="",
    )
    reply = reply_to(asked_by(request), file, headers_of(request, file, inline=True))
    return reply if isinstance(reply, HttpResponse) else respond(request, picture.content, reply)


def url_of(request: ASGIRequest, wanted: str) -> str:
    """Return the link to a template's page."""
    base = f"{origin_of(request)}/templates/"
    return f"{base}?{urlencode({'template': wanted})}" if "://" in wanted else base + quote(wanted)


def preview_url_of(request: ASGIRequest, wanted: str, query: Mapping[str, str]) -> str:
    """Return the link to a picture of a template."""
    base = f"{origin_of(request)}/templates/"
    if "://" in wanted:
        return f"{base}preview.png?{urlencode({'template': wanted, **query})}"
    return f"{base}{quote(wanted)}/preview.png?{urlencode(query)}"


def without_query(wanted: str) -> str:
    """Return a name as it is, a URL without what may be a secret."""
    return wanted.partition("?")[0]
