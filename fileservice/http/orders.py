"""What a certificate is to be, as a form or as JSON says it."""

import json
from collections.abc import AsyncIterator, Mapping

from fileservice.certificates import DEFAULT_TEMPLATE
from fileservice.errors import BadForm, BadRequest, TooLarge, UnsupportedRequest
from fileservice.http.certificates import DEFAULT_ZONE, MAX_PARAMETERS, parameters_of
from fileservice.http.forms import Form, boundary_of
from fileservice.http.lifespan import resources_of
from fileservice.http.requests import NativeRequest
from fileservice.http.visitors import TOKEN_FIELD
from fileservice.issuing import Order

# 64 values of 500 characters, each written as an escape of six: 192,000, and room for the rest.
LARGEST_ORDER_BYTES = 256 << 10
ACCEPTED = "application/json, application/x-www-form-urlencoded, multipart/form-data"
MEMBERS = ("template", "tz", "expires_at", "attach")


async def order_of(request: NativeRequest) -> tuple[Order, str]:
    """
    Read the body of `request`, and return the form's token with it; JSON has none.

    Raises:
        BadRequest, BadForm: it is not what its type says, or says something twice.
        TooLarge, TooManyParts: it is more than an order.
        UnsupportedRequest: it is of another type.
    """
    media_type = request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if media_type == "application/json":
        return order_of_json(await whole(request)), ""
    if media_type == "application/x-www-form-urlencoded":
        return order_of_fields(parameters_of(text_of(await whole(request))))
    if media_type == "multipart/form-data":
        return order_of_fields(await fields_of(request))
    raise UnsupportedRequest(
        "Send what the certificate says as a form or as JSON.", headers={"Accept-Post": ACCEPTED}
    )


async def whole(request: NativeRequest) -> bytes:
    """
    Return a small body.

    Raises:
        TooLarge: it is more than `LARGEST_ORDER_BYTES`.
    """
    body = bytearray()
    async for chunk in limited(request):
        body += chunk
    return bytes(body)


def limited(request: NativeRequest) -> AsyncIterator[bytes]:
    """Return a body; it is refused where it is more than an order."""
    refusal = TooLarge(f"An order may have {LARGEST_ORDER_BYTES:,} bytes.")
    return request.stream.at_most(LARGEST_ORDER_BYTES, resources_of(request).pace, refusal)


def text_of(body: bytes) -> str:
    """Return a body as the text it has to be."""
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest("The body is not UTF-8.") from error


async def fields_of(request: NativeRequest) -> dict[str, str]:
    """Return the fields of a multipart form, which has no files."""
    form = Form(limited(request), boundary_of(request.content_types))
    fields: dict[str, str] = {}
    async for part in form.parts():
        if part.filename is not None or part.name in fields:
            raise BadForm("The form has a file, or a field twice; each value is one field.")
        fields[part.name] = await form.text()
    return fields


def order_of_fields(fields: dict[str, str]) -> tuple[Order, str]:
    """Return the order in a form's fields, and its token: what has no other meaning is a value."""
    token = fields.pop(TOKEN_FIELD, "")
    known = {name: fields.pop(name) for name in MEMBERS if name in fields}
    return order_from(known, fields), token


def order_of_json(body: bytes) -> Order:
    """
    Return the order in a JSON object.

    Raises:
        BadRequest: it is none, has other members, or other values than texts.
    """
    try:
        sent = json.loads(text_of(body))
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not JSON.") from error
    if not isinstance(sent, dict):
        raise BadRequest("The body is no JSON object.")
    values = sent.pop("values", {})
    unknown = sent.keys() - set(MEMBERS)
    if unknown:
        raise BadRequest(f"An order has no member {min(unknown)!r}; values go into `values`.")
    known = {name: text for name, text in sent.items() if text is not None}
    if not is_texts(known) or not is_texts(values) or len(values) > MAX_PARAMETERS:
        raise BadRequest(
            f"The members of an order are texts, `values` an object of at most {MAX_PARAMETERS}."
        )
    return order_from(known, values)


def is_texts(sent: object) -> bool:
    """Tell whether something is an object of texts."""
    return isinstance(sent, dict) and all(isinstance(text, str) for text in sent.values())


def order_from(known: Mapping[str, str], values: Mapping[str, str]) -> Order:
    """Return the order, where nothing is said the usual one."""
    return Order(
        template=known.get("template", DEFAULT_TEMPLATE),
        zone=known.get("tz", DEFAULT_ZONE),
        values=values,
        expires_at=known.get("expires_at", ""),
        attach=known.get("attach", ""),
    )
