"""Requests that nobody made: of what shows a link before somebody follows it."""

import re

from django.core.handlers.asgi import ASGIRequest

# Programs of messengers and networks name themselves, most with a page that tells of them. The
# browsers inside of some name them too, but not first; and there is a telephone called CUBOT.
PREVIEW = re.compile(
    r"\+https?://|(?<!cu)bot\b|crawler|spider|preview|unfurl|facebookexternalhit|embedly|iframely"
    r"|mastodon|cardyb|google-read-aloud|microsoft office|ms-office|slack-imgproxy"
    r"|^(?:whatsapp|viber|snapchat|pinterest|vkshare)",
    re.IGNORECASE,
)
# Chromium, Firefox and Safari by their fields; `prefetch;prerender` is one of the values.
PURPOSE_FIELDS = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_PURPOSE", "HTTP_X_MOZ")
PURPOSES = ("prefetch", "prerender", "preview")


def is_preview(request: ASGIRequest) -> bool:
    """Tell whether a program asks that shows what is behind a link, and nobody who clicked."""
    agent = request.META.get("HTTP_USER_AGENT", "")
    return "HTTP_SEC_FETCH_USER" not in request.META and PREVIEW.search(agent) is not None


def is_prefetch(request: ASGIRequest) -> bool:
    """Tell whether a browser asks for what somebody may want next."""
    said = " ".join(request.META.get(name, "") for name in PURPOSE_FIELDS).lower()
    return any(purpose in said for purpose in PURPOSES)
