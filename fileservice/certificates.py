"""Certificates: which template, compiled when, filled with what."""

import os
import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fileservice.errors import BadValue
from fileservice.localtemplates import LocalTemplates
from fileservice.pdf.filling import CompiledTemplate
from fileservice.remotetemplates import RemoteTemplates
from fileservice.signatures import Signatures

DEFAULT_TEMPLATE = "certificate"
ZONE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")
LONGEST_ZONE_NAME = 64  # the longest today has 32 characters
# Crockford's base 32: no letter that looks like a digit. 26 of them are 130 random bits.
NUMBER_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NUMBER_LENGTH = 26
# For each byte one of them; all are as likely.
NUMBER_BYTES = NUMBER_LETTERS.encode() * 8
# What a template may ask for and nobody can give.
MADE_HERE = frozenset({"timestamp", "id"})


class Templates:
    """Every template there is: in the folder, and on other hosts."""

    def __init__(self, local: LocalTemplates, remote: RemoteTemplates) -> None:
        self.local = local
        self.remote = remote

    async def close(self) -> None:
        """Stop what is being fetched and compiled."""
        await self.remote.close()
        await self.local.close()

    async def names(self) -> list[str]:
        """Return the names of all templates that have one, in the order of the alphabet."""
        return sorted({*await self.local.names(), *self.remote.urls})

    async def get(self, wanted: str) -> CompiledTemplate:
        """
        Return the template of a name or a URL; of two with one name the one on another host.

        Raises:
            NotFound, TemplateError: as `LocalTemplates.get`.
            BadUrl, UrlRefused, RemoteFailed, RemoteTimeout: as `RemoteTemplates`.
        """
        if wanted in self.remote.urls:
            return await self.remote.named(wanted)
        if "://" in wanted:
            return await self.remote.linked(wanted)
        return await self.local.get(wanted)


async def render(
    templates: Templates,
    wanted: str,
    values: Mapping[str, str],
    *,
    now: datetime,
    zone: ZoneInfo,
    origin: str = "",
    signatures: Signatures | None = None,
) -> bytes:
    """
    Return a certificate from the template `wanted`, dated `now` as clocks in `zone` show it.

    Nothing of it is stored; where the template asks for `%id%` it gets a number of its own, and a
    QR code leads to where the service at `origin` would verify that.

    Raises:
        FileserviceError: as `Templates.get`.
        BadValue: a value is missing, unknown, cannot be drawn or does not fit.
        ServiceUnavailable, RemoteFailed, RemoteTimeout, UrlRefused: as `Signatures.sign`.
    """
    template = await templates.get(wanted)
    content = fill(
        template, values, number=new_number(), issued_at=now.astimezone(zone), origin=origin
    )
    if signatures is None:
        return content
    return await signatures.sign(content, now=now)


def fill(
    template: CompiledTemplate,
    values: Mapping[str, str],
    *,
    number: str,
    issued_at: datetime,
    origin: str = "",
    has_files: bool = False,
) -> bytes:
    """
    Return the certificate `number`, which it shows where the template asks for `%id%`.

    `origin` is the address of the service (RFC 6454), where its QR code leads to, and `has_files`
    as for `CompiledTemplate.fill`.

    Raises:
        BadValue: a value is missing, unknown, cannot be drawn or does not fit; or there is a QR
            code and no `origin`.
    """
    link = verify_link(origin, number) if template.has_code else ""
    if template.has_code and not origin:
        raise BadValue("The template has a QR code: say at which address the service is reached.")
    numbered = _numbered(template, values, number)
    return template.fill(
        numbered, issued_at=issued_at, number=number, link=link, has_files=has_files
    )


def title_of(
    template: CompiledTemplate, values: Mapping[str, str], *, number: str, issued_at: datetime
) -> str:
    """Return the title of the certificate that `fill` returns for the same; "" for none."""
    return template.titled(_numbered(template, values, number), issued_at=issued_at)


def _numbered(
    template: CompiledTemplate, values: Mapping[str, str], number: str
) -> Mapping[str, str]:
    if "id" in values:
        raise BadValue("The number cannot be given: each certificate gets one of its own.")
    return {**values, "id": number} if "id" in template.fields else values


def verify_link(origin: str, number: str) -> str:
    """Return the link to where the service at `origin` tells of the certificate `number`."""
    return f"{origin}/verify/{number}"


def new_number() -> str:
    """Return the number of a new certificate, which nobody can guess."""
    return os.urandom(NUMBER_LENGTH).translate(NUMBER_BYTES).decode()


@lru_cache(maxsize=64)
def zone_of(name: str) -> ZoneInfo:
    """
    Return the time zone that IANA calls `name`.

    Raises:
        BadValue: there is none.
    """
    unknown = BadValue(f"There is no time zone {name!r}; use a name such as UTC or Europe/Berlin.")
    # tzdata looks for the name as a file, and a file system refuses one that is too long.
    if len(name) > LONGEST_ZONE_NAME or not ZONE_NAME.fullmatch(name):
        raise unknown
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, IsADirectoryError, ValueError) as error:
        raise unknown from error
