"""Requests that nobody made: of what shows a link before somebody follows it."""

import re

from django.core.handlers.asgi import ASGIRequest

# Programs of messengers and networks name themselves, most with a page that tells of them. A
# browser names none of these words.
PREVIEW = re.compile(
    r"\+https?://|bot\b|bot[/ ]|crawler|spider|preview|unfurl|facebookexternalhit|facebot"
    r"|whatsapp|skypeuri|embedly|iframely|pinterest|vkshare|viber|snapchat|mastodon|cardyb"
    r"|google-read-aloud|yahoo link|microsoft office|ms-office|teams/|slack-imgproxy|validator",
    re.IGNORECASE,
)
# Chromium, Firefox and Safari by their fields; `prefetch;prerender` is one of the values.
PURPOSE_FIELDS = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_PURPOSE", "HTTP_X_MOZ")
PURPOSES = ("prefetch", "prerender", "preview")


def is_preview(request: ASGIRequest) -> bool:
    """Tell whether a program asks that shows what is behind a link."""
    return PREVIEW.search(request.META.get("HTTP_USER_AGENT", "")) is not None


def is_prefetch(request: ASGIRequest) -> bool:
    """Tell whether a browser asks for what somebody may want next."""
    said = " ".join(request.META.get(name, "") for name in PURPOSE_FIELDS).lower()
    return any(purpose in said for purpose in PURPOSES)
