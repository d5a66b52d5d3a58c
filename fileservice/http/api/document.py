"""The description of the API (OpenAPI 3.1), and the page that shows it."""

import json
from functools import cache
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string

from fileservice.http.answers import methods
from fileservice.http.api.byteroutes import BYTE_ROUTES, CREATED_FILE
from fileservice.http.api.program import PREFIX, program
from fileservice.http.visitors import browser_of, form_token

DESCRIPTION = (
    "Takes files in, gives them out, makes certificate PDFs. The operations below `/api/v1/` are"
    " JSON; the others carry bytes. Lists are the newest first, by pages: `next` of one is"
    " `cursor` of the next. What a browser sends with its cookies needs `X-CSRFToken` too."
)
PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "description": "leads to what the code means"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what was wrong this time"},
        "code": {"type": "string", "description": "for programs; never changes"},
        "fields": {
            "type": "array",
            "description": "with `bad_field`: which values, and why",
            "items": {
                "type": "object",
                "required": ["in", "name", "problem"],
                "properties": {
                    "in": {"enum": ["body", "path", "query"]},
                    "name": {"type": "string"},
                    "problem": {"type": "string"},
                },
            },
        },
    },
}
SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "a token, which begins with `fs_`; each operation names the scope it needs",
    },
    "basic": {"type": "http", "scheme": "basic", "description": "a token as the password"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": "a login; what changes something needs `X-CSRFToken` of a page of ours too",
    },
}
# React sets styles by script, which no policy hinders; pictures in the style sheet are data.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
SWAGGER = {
    "url": f"/{PREFIX}openapi.json",
    "layout": "BaseLayout",
    "deepLinking": True,
    "validatorUrl": None,
}


@cache
def described() -> str:
    """Return the description of every operation, and of the routes of bytes."""
    schema: dict[str, Any] = dict(program.get_openapi_schema(path_prefix=f"/{PREFIX}"))
    schema["info"]["description"] = DESCRIPTION
    schema["paths"] = dict(sorted((schema["paths"] | BYTE_ROUTES).items()))
    known = schema["components"]["schemas"] | {"Problem": PROBLEM, "CreatedFile": CREATED_FILE}
    schema["components"]["schemas"] = dict(sorted(known.items()))
    schema["components"]["securitySchemes"] = SECURITY
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    schema["components"]["responses"] = {
        "Problem": {"description": "What went wrong", "content": problem}
    }
    del schema["servers"]  # the one that gives this out
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


@methods("GET", "HEAD")
async def openapi(_request: ASGIRequest) -> HttpResponseBase:
    """GET /api/v1/openapi.json describes the API to programs."""
    return HttpResponse(described(), content_type="application/json")


@methods("GET", "HEAD")
async def page_of_api(request: ASGIRequest) -> HttpResponseBase:
    """GET /api/docs shows what the API can do, and tries it; nothing on it is from elsewhere."""
    browser = browser_of(request)
    context = {"swagger": SWAGGER, "token": form_token(browser) if browser else ""}
    response = HttpResponse(render_to_string("fileservice/api.html", context))
    response["Content-Security-Policy"] = DOCS_POLICY
    response["Referrer-Policy"] = "same-origin"
    response["Cache-Control"] = "no-store"
    return response
