"""GET /put.sh: a script that sends files from a terminal and goes on after a break."""

import shlex
from importlib.resources import files

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from fileservice.http.answers import methods
from fileservice.http.visitors import origin_of

SCRIPT = (files("fileservice.http") / "put.sh").read_text(encoding="utf-8")


@methods("GET", "HEAD")
async def put_sh(request: ASGIRequest) -> HttpResponseBase:
    """GET /put.sh gives the script out, which knows under which origin it was asked for."""
    # A Host that passed `check_host` needs no quotes, but for the brackets of IPv6.
    script = SCRIPT.replace("@ORIGIN@", shlex.quote(origin_of(request)))
    response = HttpResponse(script, content_type="text/x-shellscript; charset=utf-8")
    response["Cache-Control"] = "no-store"
    return response
