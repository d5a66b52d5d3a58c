"""Other hosts over TLS: whom they are believed to be, and whose connections they are."""

from contextlib import AbstractAsyncContextManager

import pytest

from fileservice.errors import RemoteFailed, UrlRefused
from fileservice.fetch.errands import Errand
from tests.authority import Authority
from tests.otherhosts import LOOPBACK, OtherHost, fetching, other_host
from tests.outside import names_are, said
from tests.rawhosts import (
    PDF,
    WANTED,
    content_of,
    of_operator,
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def tls_host(authority: Authority, *names: str) -> AbstractAsyncContextManager[OtherHost]:
    """Return a host with TLS to run; it says the PDF to whoever trusts it."""
    return other_host(said(PDF, "application/pdf"), authority.server_tls(*names))


async def test_the_operators_https_connection_is_never_used_for_a_request(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    names_are(monkeypatch, {"a.test": [["127.0.0.1"]]})

    async with tls_host(authority, "a.test") as host, fetching() as fetcher:
        url = f"https://a.test:{host.port}/"
        assert await content_of(fetcher, of_operator(url)) == PDF
        with pytest.raises(UrlRefused):
            await fetcher.fetch(Errand.of_request(url, frozenset({("a.test", host.port)})), WANTED)
        assert await content_of(fetcher, of_operator(url)) == PDF

        assert len(host.requests) == 2
        assert len(host.connections) == 1


async def test_https_connections_of_both_kinds_are_two(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))

    async with tls_host(authority, "127.0.0.1") as host, fetching(*LOOPBACK) as fetcher:
        url = f"https://127.0.0.1:{host.port}/"
        of_request = Errand.of_request(url, frozenset({("127.0.0.1", host.port)}))
        for _ in range(3):
            await content_of(fetcher, of_operator(url))
            await content_of(fetcher, of_request)

        assert len(host.requests) == 6
        assert len(host.connections) == 2


@pytest.mark.parametrize("names", [["b.test"], ["*.a.test"], ["127.0.0.1"], ["a.test.b.test"]])
async def test_a_certificate_of_another_name_is_refused(
    monkeypatch: pytest.MonkeyPatch, authority: Authority, names: list[str]
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    names_are(monkeypatch, {"a.test": [["127.0.0.1"]]})

    async with tls_host(authority, *names) as host, fetching(*LOOPBACK) as fetcher:
        url = f"https://a.test:{host.port}/"
        for errand in (
            of_operator(url),
            Errand.of_request(url, frozenset({("a.test", host.port)})),
        ):
            with pytest.raises(RemoteFailed):
                await fetcher.fetch(errand, WANTED)

        assert not host.requests


async def test_a_certificate_of_an_unknown_authority_is_refused(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    names_are(monkeypatch, {"a.test": [["127.0.0.1"]]})

    async with tls_host(authority, "a.test") as host, fetching() as fetcher:
        with pytest.raises(RemoteFailed):
            await fetcher.fetch(of_operator(f"https://a.test:{host.port}/"), WANTED)

        assert not host.requests


async def test_https_to_a_host_that_speaks_plain_http_fails() -> None:
    async with other_host(said(PDF, "application/pdf")) as host, fetching() as fetcher:
        with pytest.raises(RemoteFailed):
            await fetcher.fetch(of_operator(f"https://127.0.0.1:{host.port}/"), WANTED)

        assert not host.requests
