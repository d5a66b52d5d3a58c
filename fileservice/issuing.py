"""How a certificate is issued: what it says is kept, and what its file has of its own."""

import asyncio
import hashlib
import re
import unicodedata
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from fileservice.actors import Actor
from fileservice.blocks import Blocks
from fileservice.certificates import (
    Templates,
    fill,
    new_number,
    title_of,
    verify_link,
    zone_of,
)
from fileservice.errors import BadValue
from fileservice.pdf.attaching import attach
from fileservice.pdf.filling import CompiledTemplate
from fileservice.pdf.plans import ENGINE_VERSION
from fileservice.pdf.values import BIDI_CONTROLS
from fileservice.records import RECORD_NAME, Record, shown
from fileservice.registry import Issued, Registry
from fileservice.signatures import Signatures
from fileservice.uploads import disk_errors, unguessable

IDENTITY = re.compile(rb"/ID\[<([0-9a-f]{32})>")
MAX_REASON_CHARACTERS = 500


class Damaged(Exception):
    """The file of a certificate is not the one that was issued."""


@dataclass(frozen=True, slots=True)
class Order:
    """
    What a certificate is to be.

    Attributes:
        template: a name or a URL.
        zone: the name of a time zone.
        expires_at: ISO 8601, a day or a moment; empty for never.
        attach: `json` for a file with its data in it, empty for none.
    """

    template: str
    zone: str
    values: Mapping[str, str]
    expires_at: str = ""
    attach: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """
    What the rows of certificates have in common that are ordered together.

    Attributes:
        template: its name, or its URL without a query.
        engine: as `Issuing.engine`.
        zone: the name of a time zone.
        issued_at: aware, UTC, to the second.
        expires_at: the first moment at which they are no longer valid; None for never.
    """

    template: str
    engine: str
    zone: str
    issued_at: datetime
    expires_at: datetime | None
    sender: str
    user_id: int | None


class IssuedFile(NamedTuple):
    """The file of a certificate, which begins with `shared` bytes of the block of this digest."""

    content: bytes
    block: str
    shared: int


class Issuing:
    """Issues certificates, signed where there are signatures, and gives back their files."""

    def __init__(
        self,
        templates: Templates,
        blocks: Blocks,
        registry: Registry,
        signatures: Signatures | None = None,
    ) -> None:
        self.templates = templates
        self.blocks = blocks
        self.registry = registry
        self.signatures = signatures

    @property
    def engine(self) -> str:
        """What a row says of how its file was drawn."""
        return f"{ENGINE_VERSION}-{self.templates.local.compiler.fonts.fingerprint}"

    async def issue(self, order: Order, *, by: Actor, origin: str, now: datetime) -> Issued:
        """
        Return a new certificate, dated `now`, once it is durable; `origin` as for `fill`.

        Raises:
            FileserviceError: as `Templates.get` and `Signatures.sign`.
            BadValue: a value, the time zone or the expiry cannot be used.
            InsufficientStorage, ServiceUnavailable: it cannot be kept; nothing was issued.
        """
        now = now.replace(microsecond=0)
        zone = zone_of(order.zone)
        expires_at = expiry(order.expires_at, zone, now=now)
        template = await self.templates.get(order.template)
        number = new_number()
        issued_at = now.astimezone(zone)
        content = filled(
            template,
            order,
            number=number,
            issued_at=issued_at,
            expires_at=expires_at,
            origin=origin,
        )
        if self.signatures is not None:
            content = await self.signatures.sign(content, now=now)
        terms = Terms(
            template=order.template.partition("?")[0],
            engine=self.engine,
            zone=order.zone,
            issued_at=now,
            expires_at=expires_at,
            sender=by.sender,
            user_id=by.user_id,
        )
        plan = template.plan
        issued = issued_as(content, template, terms, number=number, values=order.values)
        with disk_errors():
            await asyncio.to_thread(self.blocks.keep, issued.block, plan.static, draft=issued.id)
        await self.registry.add(issued, by)
        return issued

    async def files(self, rows: Sequence[Issued]) -> list[IssuedFile]:
        """
        Return the files of certificates, which are those that were issued.

        Raises:
            Damaged, OSError: one cannot be had any more.
        """
        return await asyncio.to_thread(self._files, rows)

    def _files(self, rows: Sequence[Issued]) -> list[IssuedFile]:
        blocks = {digest: self.blocks.get(digest) for digest in {row.block for row in rows}}
        return [
            IssuedFile(_joined(blocks[r.block], r), r.block, len(blocks[r.block])) for r in rows
        ]

    async def content(self, issued: Issued) -> bytes:
        """
        Return the file of a certificate, which is the one that was issued.

        Raises:
            Damaged, OSError: it cannot be had any more.
        """
        return await asyncio.to_thread(self._content, issued)

    def _content(self, issued: Issued) -> bytes:
        return _joined(self.blocks.get(issued.block), issued)


def _joined(block: bytes, issued: Issued) -> bytes:
    content = block + zlib.decompress(issued.own)
    if hashlib.sha256(content).hexdigest() != issued.sha256:
        raise Damaged(f"certificate {issued.id}: its block {issued.block} was changed")
    return content


def issued_as(
    content: bytes,
    template: CompiledTemplate,
    terms: Terms,
    *,
    number: str,
    values: Mapping[str, str],
) -> Issued:
    """Return the row of the certificate `content`, which `template` was filled to."""
    plan = template.plan
    # Decision 0008: what does not depend on values comes first.
    assert content.startswith(plan.static)  # noqa: S101
    own = content[len(plan.static) :]
    issued_at = terms.issued_at.astimezone(zone_of(terms.zone))
    # The static bytes, 40 KB or so, are hashed once, and not twice for each certificate.
    digest = template.static_digest.copy()
    digest.update(own)
    return Issued(
        id=unguessable(),
        key=unguessable(),
        number=number,
        template=terms.template,
        title=title_of(template, values, number=number, issued_at=issued_at),
        template_sha256=plan.digest,
        engine=terms.engine,
        zone=terms.zone,
        values=shown(values),
        issued_at=terms.issued_at,
        expires_at=terms.expires_at,
        block=template.static_digest.hexdigest(),
        own=zlib.compress(own),
        # Of several, which a signature adds, the first is that of the file it began as.
        identity=IDENTITY.findall(own)[0].decode(),
        size=len(content),
        sha256=digest.hexdigest(),
        revoked_at=None,
        reason="",
        sender=terms.sender,
        user_id=terms.user_id,
    )


def filled(
    template: CompiledTemplate,
    order: Order,
    *,
    number: str,
    issued_at: datetime,
    expires_at: datetime | None,
    origin: str,
) -> bytes:
    """
    Return the certificate `number`, not yet signed, with its data in it where they are ordered.

    Raises:
        BadValue: as `fill`; or something else is to be attached.
    """
    if order.attach not in ("", "json"):
        raise BadValue("Nothing but `json` can be attached to a certificate.")
    content = fill(
        template,
        order.values,
        number=number,
        issued_at=issued_at,
        origin=origin,
        has_files=bool(order.attach),
    )
    if not order.attach:
        return content
    record = Record(
        number=number,
        title=title_of(template, order.values, number=number, issued_at=issued_at),
        values=shown(order.values),
        issued_at=issued_at,
        expires_at=expires_at,
        verify_url=verify_link(origin, number),
        template_sha256=template.plan.digest,
    )
    return attach(content, name=RECORD_NAME, data=record.encoded(), made_at=issued_at)


def expiry(text: str, zone: ZoneInfo, *, now: datetime) -> datetime | None:
    """
    Return the first moment at which a certificate is no longer valid; None for no `text`.

    A day counts to its end, and a moment without an offset is one of `zone`.

    Raises:
        BadValue: it is neither, or past.
    """
    if not text:
        return None
    try:
        moment = _moment(text, zone)
    except (ValueError, OverflowError) as error:
        raise BadValue(
            f"The expiry {text[:40]!r} is no day and no time; write 2027-12-31, or"
            " 2027-12-31T18:00:00+01:00."
        ) from error
    if moment <= now:
        raise BadValue("The expiry has passed.")
    return moment


def _moment(text: str, zone: ZoneInfo) -> datetime:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
    else:
        moment = datetime.combine(day + timedelta(days=1), time(), zone)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return moment.astimezone(UTC).replace(microsecond=0)


def clean_reason(text: str) -> str:
    """
    Return why a certificate is revoked, on one line.

    Raises:
        BadValue: it is too long, or not text.
    """
    reason = BIDI_CONTROLS.sub("", " ".join(text.split()))
    if len(reason) > MAX_REASON_CHARACTERS:
        raise BadValue(f"A reason may have {MAX_REASON_CHARACTERS} characters.")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in reason):
        raise BadValue("The reason has a character that is not text.")
    return reason
