"""Signatures of certificates, with the operator's key, time-stamped where an authority is named."""

import asyncio
from datetime import datetime

from fileservice.errors import ServiceUnavailable
from fileservice.pdf.cms import Signature, Signer
from fileservice.pdf.signing import prepare
from fileservice.signingkeys import SigningKey
from fileservice.timestamping import MAX_TOKEN_BYTES, Authority

ATTRIBUTE_BYTES = 32  # what a token is wrapped in, and the longer lengths of all around it


class Signatures:
    """Signs certificates; without an authority the same gets the same signature."""

    def __init__(self, key: SigningKey, authority: Authority | None = None) -> None:
        self._key = key
        self._authority = authority
        self._signer = Signer(key)
        self._room = self._signer.most_bytes
        if authority is not None:
            self._room += MAX_TOKEN_BYTES + ATTRIBUTE_BYTES

    async def sign(self, content: bytes, *, now: datetime) -> bytes:
        """
        Return the certificate `content` signed at `now`, or fail: never without what was chosen.

        Raises:
            ServiceUnavailable: our own certificate is not valid at `now`.
            RemoteFailed, RemoteTimeout, UrlRefused: as `Authority.stamp`.
        """
        if not self._key.holds_at(now):
            raise ServiceUnavailable(
                f"The certificate that signatures are made with is valid {self._key.period} only."
            )
        unsigned = prepare(content, room=self._room, signed_at=now)
        signature = await self._signature(unsigned.digest)
        token = None
        if self._authority is not None:
            token = await self._authority.stamp(signature.value)
        return unsigned.signed(signature.encoded(token))

    async def _signature(self, digest: bytes) -> Signature:
        if self._signer.is_slow:
            return await asyncio.to_thread(self._signer.sign, digest)
        return self._signer.sign(digest)
