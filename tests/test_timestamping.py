"""Time-stamps: asked for at an authority, checked, put in; or no certificate at all."""

import asyncio
import dataclasses
import hashlib
import subprocess
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from aiohttp import web
from asn1crypto import cms, tsp
from hypothesis import given, settings
from hypothesis import strategies as st

from fileservice import timestamping
from fileservice.errors import RemoteFailed, RemoteTimeout, ServiceUnavailable
from fileservice.fetch.errands import Errand
from fileservice.fetch.fetching import MAX_SENT_BYTES
from fileservice.signatures import Signatures
from fileservice.timestamping import MAX_TOKEN_BYTES, REPLY, Authority, BadToken, Response, token_of
from tests.conftest import need_program
from tests.otherhosts import LOOPBACK, Answering, Giving, OtherHost, fetching, other_host
from tests.pdfs import checked
from tests.signatures import NOW, VALID, WHOLE, key_of, pdfsig, pyhanko_status, stamper_of
from tests.test_signing import filled

IMPRINT = hashlib.sha256(b"what is stamped").digest()
NONCE = 0x8123456789ABCDEF

type Change = Callable[[tsp.TimeStampResp], tsp.TimeStampResp]


def query(imprint: bytes = IMPRINT, nonce: int = NONCE) -> tsp.TimeStampReq:
    return tsp.TimeStampReq(
        {
            "version": "v1",
            "message_imprint": {
                "hash_algorithm": {"algorithm": "sha256"},
                "hashed_message": imprint,
            },
            "nonce": nonce,
            "cert_req": True,
        }
    )


@cache
def reply() -> bytes:
    granted: bytes = stamper_of().request_tsa_response(query()).dump()
    return granted


def stamping(change: Change = lambda response: response) -> Answering:
    """Return an authority's answers, changed."""

    async def answer(request: web.Request) -> web.Response:
        asked = tsp.TimeStampReq.load(await request.read())
        assert request.method == "POST"
        assert request.content_type == "application/timestamp-query"
        given = change(stamper_of().request_tsa_response(asked))
        return web.Response(body=given.dump(force=True), content_type=REPLY)

    return answer


def refused(response: tsp.TimeStampResp) -> tsp.TimeStampResp:
    status = {"status": "rejection", "status_string": ["closed today"], "fail_info": {"bad_alg"}}
    return Response({"status": status})


def of_something_else(_: tsp.TimeStampResp) -> tsp.TimeStampResp:
    return stamper_of().request_tsa_response(query(bytes(32)))


def of_another_query(response: tsp.TimeStampResp) -> tsp.TimeStampResp:
    info = info_of(response)
    return stamper_of().request_tsa_response(
        query(info["message_imprint"]["hashed_message"].native, NONCE)
    )


def without_its_certificate(response: tsp.TimeStampResp) -> tsp.TimeStampResp:
    response["time_stamp_token"]["content"]["certificates"] = cms.CertificateSet([])
    return response


def with_a_broken_signature(response: tsp.TimeStampResp) -> tsp.TimeStampResp:
    [signer] = response["time_stamp_token"]["content"]["signer_infos"]
    signer["signature"] = bytes(len(signer["signature"].native))
    return response


def with_another_time(response: tsp.TimeStampResp) -> tsp.TimeStampResp:
    info = info_of(response)
    info["gen_time"] = NOW + timedelta(days=1)
    encapsulated = response["time_stamp_token"]["content"]["encap_content_info"]
    encapsulated["content"] = cms.ParsableOctetString(info.dump())
    return response


def with_another_certificate(response: tsp.TimeStampResp) -> tsp.TimeStampResp:
    [choice] = response["time_stamp_token"]["content"]["certificates"]
    choice.chosen["signature_value"] = bytes(256)
    return response


def info_of(response: tsp.TimeStampResp) -> tsp.TSTInfo:
    return response["time_stamp_token"]["content"]["encap_content_info"]["content"].parsed.copy()


async def stamped(host: OtherHost) -> bytes:
    async with fetching(*LOOPBACK) as fetcher:
        signatures = Signatures(key_of(), Authority(fetcher, host.url("/stamp")))
        return await signatures.sign(filled(), now=NOW)


async def test_a_stamped_certificate_is_valid_and_says_when() -> None:
    async with other_host(stamping()) as host:
        certificate = await stamped(host)

    said = pdfsig(checked(certificate))
    status = await asyncio.to_thread(pyhanko_status, certificate, key_of())
    assert VALID in said
    assert WHOLE in said
    assert status.bottom_line
    assert status.timestamp_validity is not None
    assert status.timestamp_validity.summary() == "INTACT:TRUSTED"
    assert status.timestamp_validity.timestamp == NOW


async def test_an_rsa_signature_is_stamped_too() -> None:
    async with other_host(stamping()) as host, fetching(*LOOPBACK) as fetcher:
        signatures = Signatures(key_of(2048), Authority(fetcher, host.url()))
        certificate = await signatures.sign(filled(), now=NOW)

    status = await asyncio.to_thread(pyhanko_status, certificate, key_of(2048))
    assert status.bottom_line
    assert status.timestamp_validity is not None


OPENSSL_TS = """
[tsa]
serial = {folder}/serial
signer_digest = {digest}
default_policy = 1.2.3.4
digests = sha256
ess_cert_id_alg = {reference}
"""


def openssl_authority(folder: Path, key: str, digest: str, reference: str) -> Answering:
    """Return what openssl answers, which has an RFC 3161 of its own."""
    program = need_program("openssl")
    config = folder / "ts.cnf"
    config.write_text(OPENSSL_TS.format(folder=folder, digest=digest, reference=reference))
    (folder / "serial").write_text("01\n")
    files = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"))
    made = [
        *(program, "req", "-x509", "-nodes", "-subj", "/CN=Clock", "-days", "3650"),
        *("-newkey", *key.split(), *files),
        *("-addext", "extendedKeyUsage=critical,timeStamping"),
    ]
    subprocess.run(made, check=True, capture_output=True)

    def replied(query: bytes) -> bytes:
        (folder / "query").write_bytes(query)
        command: list[str | Path] = [
            *(program, "ts", "-reply", "-config", config, "-section", "tsa"),
            *("-queryfile", folder / "query", "-signer", folder / "cert.pem"),
            *("-inkey", folder / "key.pem", "-out", folder / "reply"),
        ]
        subprocess.run(command, check=True, capture_output=True)
        return (folder / "reply").read_bytes()

    async def answer(request: web.Request) -> web.Response:
        body = await asyncio.to_thread(replied, await request.read())
        return web.Response(body=body, content_type=REPLY)

    return answer


@pytest.mark.parametrize(
    ("key", "digest", "reference"),
    [
        ("rsa:2048", "sha256", "sha1"),
        ("rsa:3072", "sha512", "sha256"),
        ("ec -pkeyopt ec_paramgen_curve:P-256", "sha256", "sha256"),
        ("ec -pkeyopt ec_paramgen_curve:P-384", "sha384", "sha512"),
    ],
)
async def test_an_authority_of_openssl_is_understood(
    tmp_path: Path, key: str, digest: str, reference: str
) -> None:
    async with other_host(openssl_authority(tmp_path, key, digest, reference)) as host:
        certificate = await stamped(host)

    status = await asyncio.to_thread(pyhanko_status, certificate, key_of())
    assert VALID in pdfsig(checked(certificate))
    assert status.intact
    assert status.timestamp_validity is not None
    assert status.timestamp_validity.intact
    assert status.timestamp_validity.valid


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (refused, "refused: rejection, closed today, bad_alg"),
        (of_something_else, "stamped something else"),
        (of_another_query, "answer to another query"),
        (without_its_certificate, "left its certificate out"),
        (with_a_broken_signature, "not made with the key of its certificate"),
        (with_another_time, "signature is broken"),
        (with_another_certificate, "means another certificate"),
        (lambda _: Response({"status": {"status": "granted"}}), "no time-stamp"),
    ],
)
async def test_a_token_that_is_not_right_stops_the_certificate(change: Change, why: str) -> None:
    async with other_host(stamping(change)) as host:
        with pytest.raises(RemoteFailed, match=why):
            await stamped(host)


@pytest.mark.parametrize(
    ("status", "body", "media_type"),
    [
        (500, b"0", REPLY),
        (404, b"0", "text/html"),
        (200, b"0", "text/html"),
        (302, b"0", REPLY),
        (304, b"", REPLY),
        (200, b"<html>", REPLY),
        (200, b"0", REPLY),
        (200, b"0" * 20_000, REPLY),
        (200, b"", REPLY),
    ],
    ids=["500", "404", "type", "302", "304", "page", "rubbish", "long", "nothing"],
)
async def test_an_answer_that_is_none_stops_the_certificate(
    status: int, body: bytes, media_type: str
) -> None:
    async def answer(_: web.Request) -> web.Response:
        headers = {"Location": "/elsewhere"}
        if status == 304:
            return web.Response(status=status)
        return web.Response(status=status, body=body, content_type=media_type, headers=headers)

    async with other_host(answer) as host:
        with pytest.raises(RemoteFailed):
            await stamped(host)

        assert len(host.requests) == 1


async def test_an_authority_that_is_down_stops_the_certificate() -> None:
    async with other_host(stamping()) as host:
        pass

    with pytest.raises(RemoteFailed, match="cannot be reached"):
        await stamped(host)


async def test_an_authority_that_does_not_answer_stops_the_certificate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(60)
        raise web.HTTPGone

    quick = dataclasses.replace(timestamping.WANTED, seconds=0.2)
    monkeypatch.setattr(timestamping, "WANTED", quick)
    async with other_host(answer) as host:
        with pytest.raises(RemoteTimeout):
            await stamped(host)


async def test_a_kept_connection_that_was_closed_meanwhile_is_no_failure() -> None:
    async with other_host(stamping()) as host, fetching(*LOOPBACK) as fetcher:
        authority = Authority(fetcher, host.url())
        await authority.stamp(b"first")

        async def slamming(request: web.Request) -> web.StreamResponse:
            if len(host.requests) == 2:
                assert request.transport is not None
                request.transport.abort()
            return await stamping()(request)

        host.answer = slamming
        token = await authority.stamp(b"second")

    assert cms.ContentInfo.load(token)["content_type"].native == "signed_data"
    assert len(host.requests) == 3


async def test_more_than_may_be_sent_is_not_sent() -> None:
    async with other_host(stamping()) as host, fetching(*LOOPBACK) as fetcher:
        with pytest.raises(ValueError, match="more than is sent"):
            await fetcher.post(
                Errand.of_operator(host.url()),
                timestamping.WANTED,
                bytes(MAX_SENT_BYTES + 1),
                "application/octet-stream",
            )

        assert not host.requests


async def test_each_errand_is_counted_by_its_end() -> None:
    async with other_host(stamping()) as host, fetching(*LOOPBACK) as fetcher:
        authority = Authority(fetcher, host.url())
        await authority.stamp(b"x")
        host.answer = Giving(b"no", {"status": 500})
        with pytest.raises(RemoteFailed):
            await authority.stamp(b"y")

        assert fetcher.outcomes == {"ok": 1, "remote_failed": 1}


async def test_nothing_is_signed_outside_of_the_certificates_time() -> None:
    signatures = Signatures(key_of())

    with pytest.raises(ServiceUnavailable, match="valid from"):
        await signatures.sign(filled(), now=NOW + timedelta(days=4000))


def test_a_token_that_is_right_is_taken_as_it_came() -> None:
    token = token_of(reply(), IMPRINT, NONCE)

    assert token in reply()


def test_a_token_with_many_certificates_is_refused() -> None:
    response = tsp.TimeStampResp.load(reply())
    own = response["time_stamp_token"]["content"]["certificates"][0]
    response["time_stamp_token"]["content"]["certificates"] = cms.CertificateSet([own] * 20)

    with pytest.raises(BadToken, match="more than"):
        token_of(response.dump(force=True), IMPRINT, NONCE)


@pytest.mark.long
@settings(max_examples=300)
@given(st.data())
def test_no_reply_that_was_changed_is_a_fault_of_ours(data: st.DataObject) -> None:
    content = bytearray(reply())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))

    try:
        token = token_of(bytes(content), IMPRINT, NONCE)
    except BadToken:
        return

    # What the authority did not sign, such as another certificate's place, may still change.
    assert len(token) <= MAX_TOKEN_BYTES


@given(st.binary(max_size=200))
def test_no_rubbish_is_a_fault_of_ours(content: bytes) -> None:
    with pytest.raises(BadToken):
        token_of(content, IMPRINT, NONCE)
