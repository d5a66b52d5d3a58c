"""The page that says whether a certificate is genuine, for everybody."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase

from fileservice.errors import NoFile, TooLarge
from fileservice.http.answers import document, methods, page, shape_of, text
from fileservice.http.forms import Form, boundary_of
from fileservice.http.issuing import absent, facts, lines_of, links, told
from fileservice.http.lifespan import resources_of
from fileservice.http.representation import refuse_encoded
from fileservice.http.requests import NativeRequest
from fileservice.http.signatures import described, remark, sheets, signature_lines
from fileservice.registry import Issued
from fileservice.verifying import Finding, find

LARGEST_EXAMINED_BYTES = 20 << 20
FORM_OVERHEAD = 1 << 20
MEANINGS = {
    "genuine": "This is the file as it was issued, byte for byte.",
    "signed": (
        "The key of this service signed this file, and no byte was changed since. No record of it"
        " is kept here: it was made without one, or the record is gone. Whether it still holds"
        " cannot be told."
    ),
    "altered": "This file was made from a certificate of this service, and changed since.",
    "unknown": "This file is no certificate of this service, or too little of one is left in it.",
}


@methods("GET", "HEAD")
async def verified(request: ASGIRequest, name: str) -> HttpResponseBase:
    """GET /verify/<number> says what is known of a certificate; the id of its link does, too."""
    issued = find(resources_of(request).registry, name)
    if issued is None:
        raise absent()
    content = public(request, issued)
    shape = shape_of(request)
    if shape == "page":
        response = page("verified.html", {"certificate": content})
    else:
        response = document(content) if shape == "json" else text(lines_of(content))
    response["X-Robots-Tag"] = "noindex"
    return told(response)


@methods("GET", "HEAD", "POST")
async def verify(request: NativeRequest) -> HttpResponseBase:
    """POST /verify/ takes a PDF, as a form or bare, and says what it is; GET shows the form."""
    if request.method != "POST":
        return front(request)
    refuse_encoded(request)
    verifying = resources_of(request).verifying
    with verifying.examination() as examination:
        async for chunk in sent_file(request):
            examination.feed(chunk)
            if examination.size > LARGEST_EXAMINED_BYTES:
                raise TooLarge(f"A certificate has at most {LARGEST_EXAMINED_BYTES:,} bytes.")
        if not examination.size:
            raise NoFile("Send the PDF, as the field `file` of a form or as the body.")
        finding = await verifying.find(examination)
    return answer(request, finding)


def front(request: ASGIRequest) -> HttpResponseBase:
    """Answer with the form, or with how to do without."""
    if shape_of(request) == "page":
        return told(page("verify.html", {}))
    return told(text("Send a certificate by POST, or ask for /verify/<number>."))


async def sent_file(request: NativeRequest) -> AsyncIterator[bytes | memoryview]:
    """
    Yield the bytes of the one file that was sent.

    Raises:
        TooLarge: more are announced than are taken.
        BadForm, TooManyParts: the form cannot be read.
    """
    if (request.stream.declared or 0) > LARGEST_EXAMINED_BYTES + FORM_OVERHEAD:
        raise TooLarge(f"A certificate has at most {LARGEST_EXAMINED_BYTES:,} bytes.")
    body = request.stream.chunks(resources_of(request).pace)
    chunks: AsyncIterator[bytes | memoryview] = body
    if request.META.get("CONTENT_TYPE", "").lower().startswith("multipart/form-data"):
        chunks = first_file(Form(body, boundary_of(request.content_types)))
    async for chunk in chunks:
        yield chunk


async def first_file(form: Form) -> AsyncIterator[bytes | memoryview]:
    """Yield the first file of a form; what follows is not read."""
    async for part in form.parts():
        if part.filename is not None:
            async for chunk in form.content():
                yield chunk
            return
        await form.text()


def answer(request: ASGIRequest, finding: Finding) -> HttpResponseBase:
    """Answer with what a file is."""
    issued = finding.issued
    content = public(request, issued) if issued else None
    shape = shape_of(request)
    if shape == "page":
        context = {
            "file": finding.verdict,
            "meaning": MEANINGS[finding.verdict],
            "certificate": content,
            "signatures": sheets(finding.signatures),
            "remark": remark(finding.signatures),
        }
        return told(page("verified.html", context))
    if shape == "json":
        signatures = described(finding.signatures)
        return told(
            document({"file": finding.verdict, "certificate": content, "signatures": signatures})
        )
    lines = [f"file: {finding.verdict}", *([lines_of(content)] if content else [])]
    return told(text("\n".join(lines + signature_lines(finding.signatures))))


def public(request: ASGIRequest, issued: Issued) -> dict[str, object]:
    """Return what the certificate shows, how it stands, and where it is to be had."""
    url, _, verify_url = links(request, issued)
    now = datetime.now(UTC)
    known = {"number": issued.number, "verify_url": verify_url, **facts(issued, now)}
    return known if issued.revoked_at else {**known, "url": url}
