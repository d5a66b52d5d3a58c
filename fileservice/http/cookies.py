"""Cookies that are sent over TLS only, where the browser came by it."""

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin


def are_secure(request: HttpRequest) -> bool:
    """Tell whether cookies are for https alone: it came by it, or the operator says it does."""
    return request.is_secure() or settings.OPTIONS.secure_cookies


def secure_cookies(request: HttpRequest, response: HttpResponseBase) -> None:
    """Mark every cookie of an answer, if they are."""
    if are_secure(request):
        for cookie in response.cookies.values():
            cookie["secure"] = True


class SecureCookies(MiddlewareMixin):
    """Marks those of the standard lane; a setting of Django's is for all requests or none."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Mark them."""
        secure_cookies(request, response)
        return response
