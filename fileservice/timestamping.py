"""Time-stamps from an authority (RFC 3161), asked for through the guarded fetch and checked."""

import hashlib
import secrets

from asn1crypto import cms, core, tsp

from fileservice.errors import RemoteFailed
from fileservice.fetch.errands import Errand
from fileservice.fetch.fetching import Fetcher, Wanted
from fileservice.pdf.signeddata import MALFORMED, BadSignedData, read_signed_data
from fileservice.remoteurls import RemoteUrl

# With the authority's certificates; a token has its room before it is known.
MAX_TOKEN_BYTES = 12 << 10
NONCE_BITS = 64
QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"
WANTED = Wanted(
    accept=REPLY,
    media_types=frozenset((REPLY,)),
    beginnings=(b"\x30",),
    most_bytes=MAX_TOKEN_BYTES + (4 << 10),
    seconds=10,
)
GRANTED = ("granted", "granted_with_mods")


class Authority:
    """A time-stamping authority, which the operator names."""

    def __init__(self, fetcher: Fetcher, url: RemoteUrl) -> None:
        self._fetcher = fetcher
        self._errand = Errand.of_operator(url)

    async def stamp(self, value: bytes) -> bytes:
        """
        Return a time-stamp token for `value`, in DER, of at most MAX_TOKEN_BYTES.

        Raises:
            RemoteFailed: the authority refuses, or answers with no token for `value`.
            UrlRefused, RemoteTimeout: as `Fetcher.post`.
        """
        imprint, nonce = hashlib.sha256(value).digest(), secrets.randbits(NONCE_BITS)
        reply = await self._fetcher.post(self._errand, WANTED, _query(imprint, nonce), QUERY)
        try:
            return token_of(reply, imprint, nonce)
        except BadToken as error:
            host = self._errand.url.authority
            raise RemoteFailed(f"The time-stamping authority {host} {error}.") from error


class Response(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    """TimeStampResp as RFC 3161 2.4.2 has it: a refusal comes without a token."""

    _fields = [
        ("status", tsp.PKIStatusInfo),
        ("time_stamp_token", cms.ContentInfo, {"optional": True}),
    ]


class BadToken(Exception):
    """The answer is no time-stamp that was asked for; the message goes on after the host."""


def token_of(reply: bytes, imprint: bytes, nonce: int) -> bytes:
    """
    Return the token in `reply`, after it was found to be the answer to the query.

    Whom the authority's certificate belongs to is for those to judge who read the signature.

    Raises:
        BadToken: it is not.
    """
    try:
        encoded = _checked(Response.load(reply, strict=True), imprint, nonce)
    except MALFORMED as error:
        raise BadToken("sent what is no time-stamp") from error
    if len(encoded) > MAX_TOKEN_BYTES:
        raise BadToken(f"sent a time-stamp of more than {MAX_TOKEN_BYTES:,} bytes")
    return encoded


def _checked(response: Response, imprint: bytes, nonce: int) -> bytes:
    if response["status"]["status"].native not in GRANTED:
        raise BadToken(f"refused: {_reason(response['status'])}")
    token = response["time_stamp_token"]
    encoded: bytes = token.dump()
    info = token["content"]["encap_content_info"]["content"].parsed
    _check_info(info, imprint, nonce)
    _check_signature(encoded)
    return encoded


def _query(imprint: bytes, nonce: int) -> bytes:
    query: bytes = tsp.TimeStampReq(
        {
            "version": "v1",
            "message_imprint": {
                "hash_algorithm": {"algorithm": "sha256"},
                "hashed_message": imprint,
            },
            "nonce": nonce,
            "cert_req": True,
        }
    ).dump()
    return query


def _reason(status: tsp.PKIStatusInfo) -> str:
    texts = status["status_string"].native or ()
    failures = status["fail_info"].native or ()
    return ", ".join((status["status"].native, *texts, *sorted(failures)))[:200]


def _check_info(info: object, imprint: bytes, nonce: int) -> None:
    if not isinstance(info, tsp.TSTInfo):
        raise BadToken("sent something signed that is no time-stamp")
    stamped = info["message_imprint"]
    if stamped["hash_algorithm"]["algorithm"].native != "sha256":
        raise BadToken("stamped with another algorithm than was asked for")
    if stamped["hashed_message"].native != imprint:
        raise BadToken("stamped something else")
    if info["nonce"].native != nonce:
        raise BadToken("sent the answer to another query")


def _check_signature(token: bytes) -> None:
    try:
        signed = read_signed_data(token)
    except BadSignedData as error:
        raise BadToken(f"sent a time-stamp that {error}") from error
    if signed.content is None or not signed.signs(signed.content):
        raise BadToken("sent a time-stamp whose signature is broken")
