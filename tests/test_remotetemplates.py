"""Templates on other hosts: fetched once, asked about again, and not lost with their host."""

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web

from fileservice import remotetemplates
from fileservice.certificates import Templates, render
from fileservice.errors import BadUrl, NotFound, RemoteFailed, RemoteTimeout, UrlRefused
from fileservice.fetch import copies
from fileservice.fetch.copies import Freshness
from fileservice.pdf.errors import NoPlaceholders
from tests.authority import Authority
from tests.conftest import Server, free_port, serving
from tests.otherhosts import LOOPBACK, OtherHost, fetching, other_host, templates_in
from tests.pdfs import page_of, text_of

NOW = datetime(2026, 11, 21, 8, 30, 5, tzinfo=UTC)
ZONE = ZoneInfo("UTC")
# Every request finds its copy stale, and waits for the next one.
OLD = Freshness(fresh=0, old=0)
OURS = ("fileservice.templates", "fileservice.fetch")


def template_of(text: str) -> bytes:
    return page_of(b"BT /F1 14 Tf 60 700 Td (%b) Tj ET" % text.encode())


@dataclass
class Shelf:
    """What another host has, and how it behaves."""

    content: bytes = field(default_factory=lambda: template_of("First for %name%"))
    media_type: str = "application/pdf"
    status: int = 200
    etag: str = '"1"'
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        await self.gate.wait()
        if self.status == 200 and request.headers.get("If-None-Match") == self.etag != "":
            return web.Response(status=304)
        headers = {"ETag": self.etag} if self.etag else {}
        return web.Response(
            status=self.status, body=self.content, content_type=self.media_type, headers=headers
        )


@dataclass
class Stand:
    """A host with a shelf, and templates that know it as `award`."""

    shelf: Shelf
    host: OtherHost
    templates: Templates

    async def text(self, wanted: str = "award") -> str:
        certificate = await render(self.templates, wanted, {"name": "Ada"}, now=NOW, zone=ZONE)
        return text_of(certificate).strip()

    @property
    def troubles(self) -> dict[str, str]:
        return self.templates.remote.troubles()


@asynccontextmanager
async def standing(folder: Path, shelf: Shelf | None = None) -> AsyncIterator[Stand]:
    shelf = shelf or Shelf()
    shelf.gate.set()
    async with other_host(shelf.answer) as host, fetching() as fetcher:
        templates = templates_in(folder, fetcher, urls={"award": host.url("/award.pdf?key=k7")})
        yield Stand(shelf, host, templates)
        await templates.close()


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with standing(tmp_path) as stand:
        yield stand


def is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())


def aging(monkeypatch: pytest.MonkeyPatch, freshness: Freshness) -> None:
    """Let every copy be as old as that, in templates that are opened from now on."""
    monkeypatch.setattr(remotetemplates, "FRESHNESS", freshness)
    # How soon a copy serves all the same is what other tests are about.
    monkeypatch.setattr(copies, "REFRESH_WAIT_SECONDS", remotetemplates.FIRST_SECONDS)


async def test_a_template_of_another_host_is_filled(stand: Stand) -> None:
    assert await stand.text() == "First for Ada"
    assert stand.troubles == {}


async def test_200_first_requests_cause_one_fetch(stand: Stand) -> None:
    texts = await asyncio.gather(*(stand.templates.get("award") for _ in range(200)))

    assert len(set(map(id, texts))) == 1
    assert len(stand.host.requests) == 1


async def test_a_name_of_another_host_comes_before_that_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "award.pdf").write_bytes(template_of("A file for %name%"))

    async with standing(tmp_path) as stand:
        assert await stand.text() == "First for Ada"


async def test_a_changed_template_serves_after_it_was_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aging(monkeypatch, OLD)
    async with standing(tmp_path) as stand:
        await stand.text()
        stand.shelf.content, stand.shelf.etag = template_of("Second for %name%"), '"2"'

        assert await stand.text() == "Second for Ada"


async def test_an_unchanged_template_is_not_sent_or_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aging(monkeypatch, OLD)
    async with standing(tmp_path) as stand:
        before = await stand.templates.get("award")
        after = await stand.templates.get("award")

        assert before is after
        assert stand.host.requests[1].headers["If-None-Match"] == '"1"'
        assert dict(stand.templates.remote.fetcher.outcomes) == {"ok": 1, "unchanged": 1}


async def test_a_host_that_knows_no_validators_is_asked_for_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aging(monkeypatch, OLD)
    async with standing(tmp_path, Shelf(etag="")) as stand:
        before = await stand.templates.get("award")
        after = await stand.templates.get("award")

        # Compiled once: the content is the same.
        assert before is after
        assert "If-None-Match" not in stand.host.requests[1].headers


@pytest.mark.parametrize(
    ("status", "media_type", "content"),
    [
        (503, "application/pdf", b""),
        (404, "text/html", b"<h1>gone</h1>"),
        (200, "text/html", b"<h1>log in</h1>"),
        (200, "application/pdf", b"<h1>log in</h1>"),
        (200, "application/pdf", b"%PDF-1.7 and then nothing of the kind"),
        (200, "application/pdf", template_of("nothing to fill")),
    ],
)
async def test_the_last_good_copy_serves_where_the_host_sends_rubbish(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    status: int,
    media_type: str,
    content: bytes,
) -> None:
    aging(monkeypatch, OLD)
    async with standing(tmp_path) as stand:
        await stand.text()
        shelf = stand.shelf
        shelf.status, shelf.media_type, shelf.content, shelf.etag = status, media_type, content, ""

        assert await stand.text() == "First for Ada"
        assert await stand.text() == "First for Ada"
        assert stand.troubles["award"].startswith("the last good copy serves since 20")
        assert caplog.text.count("the last good copy serves") == 1
        assert "key=k7" not in "".join(r.message for r in caplog.records if r.name in OURS)

        shelf.status, shelf.media_type = 200, "application/pdf"
        shelf.content = template_of("Second for %name%")
        assert await stand.text() == "Second for Ada"
        assert stand.troubles == {}


async def test_the_last_good_copy_serves_where_the_host_is_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aging(monkeypatch, OLD)
    shelf = Shelf()
    shelf.gate.set()
    async with fetching() as fetcher:
        async with other_host(shelf.answer) as host:
            templates = templates_in(tmp_path, fetcher, urls={"award": host.url("/award.pdf")})
            await templates.get("award")

        certificate = await render(templates, "award", {"name": "Ada"}, now=NOW, zone=ZONE)
        assert "First for Ada" in text_of(certificate)
        assert "cannot be reached" in templates.remote.troubles()["award"]
        await templates.close()


async def test_the_last_good_copy_serves_where_the_host_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aging(monkeypatch, OLD)
    monkeypatch.setattr(copies, "REFRESH_WAIT_SECONDS", 0.01)
    async with standing(tmp_path) as stand:
        await stand.text()
        stand.shelf.gate.clear()

        assert await stand.text() == "First for Ada"


async def test_the_last_good_copy_outlives_a_restart(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.gate.set()
    async with other_host(shelf.answer) as host, fetching() as fetcher:
        urls = {"award": host.url("/award.pdf")}
        first = templates_in(tmp_path, fetcher, urls=urls)
        await first.get("award")
        await first.close()
        shelf.status = 500

        second = templates_in(tmp_path, fetcher, urls=urls)
        certificate = await render(second, "award", {"name": "Ada"}, now=NOW, zone=ZONE)

        assert "First for Ada" in text_of(certificate)
        assert "answered 500" in second.remote.troubles()["award"]
        assert host.requests[1].headers["If-None-Match"] == '"1"'
        await second.close()


async def test_day_old_copies_of_no_name_are_removed(tmp_path: Path) -> None:
    async with standing(tmp_path) as stand:
        await stand.text()
        [kept] = (tmp_path / ".remote").iterdir()
        old = [kept.with_name("0" * 64), kept.with_name(f".{kept.name}.1234")]
        new = kept.with_name("1" * 64)
        for file in (*old, new):
            file.write_bytes(b"%PDF")
        for file in (*old, kept):
            os.utime(file, (0, 0))

        stand.templates.remote.tidy()

        assert set(kept.parent.iterdir()) == {kept, new}


async def test_where_nothing_was_fetched_nothing_is_removed(tmp_path: Path) -> None:
    async with standing(tmp_path) as stand:
        stand.templates.remote.tidy()

        assert is_empty(tmp_path)


@pytest.mark.parametrize("damage", [b"", b"no json\n%PDF-", b"{}\n%PDF-1.7", None])
async def test_a_damaged_copy_of_an_earlier_start_is_fetched_anew(
    tmp_path: Path, damage: bytes | None
) -> None:
    async with standing(tmp_path) as stand:
        url = str(stand.host.url("/award.pdf?key=k7"))
        file = tmp_path / ".remote" / hashlib.sha256(url.encode()).hexdigest()
        file.parent.mkdir()
        cut = json.dumps({"sha256": "0" * 64, "etag": '"1"', "last_modified": ""})
        file.write_bytes(f"{cut}\n%PDF".encode() if damage is None else damage)

        assert await stand.text() == "First for Ada"
        assert "If-None-Match" not in stand.host.requests[0].headers


async def test_a_copy_that_the_engine_no_longer_takes_is_fetched_anew(tmp_path: Path) -> None:
    async with standing(tmp_path) as stand:
        url = str(stand.host.url("/award.pdf?key=k7"))
        file = tmp_path / ".remote" / hashlib.sha256(url.encode()).hexdigest()
        content = template_of("nothing to fill")
        digest = hashlib.sha256(content).hexdigest()
        head = json.dumps({"sha256": digest, "etag": '"1"', "last_modified": ""})
        file.parent.mkdir()
        file.write_bytes(head.encode() + b"\n" + content)

        assert await stand.text() == "First for Ada"


async def test_a_first_request_tells_what_is_wrong_and_does_not_try_again_at_once(
    stand: Stand,
) -> None:
    stand.shelf.status = 503
    with pytest.raises(RemoteFailed, match="answered 503"):
        await stand.text()
    with pytest.raises(RemoteFailed, match="answered 503"):
        await stand.text()

    assert len(stand.host.requests) == 1


async def test_a_template_that_cannot_be_filled_is_told_as_such(stand: Stand) -> None:
    stand.shelf.content = template_of("nothing to fill")

    with pytest.raises(NoPlaceholders):
        await stand.text()


async def test_a_first_request_waits_only_so_long(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remotetemplates, "FIRST_SECONDS", 0.01)
    stand.shelf.gate.clear()

    with pytest.raises(RemoteTimeout, match="too slow"):
        await stand.text()

    monkeypatch.undo()
    stand.shelf.gate.set()
    assert await stand.text() == "First for Ada"
    assert len(stand.host.requests) == 1


async def test_what_is_fetched_ends_with_the_service(tmp_path: Path) -> None:
    async with standing(tmp_path) as stand:
        stand.shelf.gate.clear()
        waiting = asyncio.create_task(stand.text())
        async with asyncio.timeout(10):
            while not stand.host.requests:  # noqa: ASYNC110  # the host tells nobody but its list
                await asyncio.sleep(0.01)

        await stand.templates.close()

        with pytest.raises(asyncio.CancelledError):
            await waiting


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        ("https://other.example/award.pdf", UrlRefused),
        ("https://listed.example:444/award.pdf", UrlRefused),
        ("http://listed.example/award.pdf", BadUrl),
        ("https://user@listed.example/award.pdf", BadUrl),
        ("https://listed.example\\@other.example/", BadUrl),
        ("file:///etc/passwd", BadUrl),
        ("gopher://listed.example/", BadUrl),
        ("//listed.example/award.pdf", NotFound),
        ("https:/listed.example/award.pdf", NotFound),
    ],
)
async def test_a_url_of_a_request_has_to_be_https_on_a_listed_host(
    tmp_path: Path, wanted: str, kind: type[Exception]
) -> None:
    async with fetching() as fetcher:
        hosts = frozenset({("listed.example", 443)})
        templates = templates_in(tmp_path, fetcher, hosts=hosts)

        with pytest.raises(kind):
            await templates.get(wanted)
        assert fetcher.session.guard.connections == 0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@asynccontextmanager
async def tls_host(shelf: Shelf, authority: Authority) -> AsyncIterator[OtherHost]:
    """Run a host that speaks TLS, as localhost."""
    shelf.gate.set()
    async with other_host(shelf.answer, authority.server_tls("localhost")) as host:
        yield host


async def test_a_template_of_a_listed_host_is_fetched_over_tls(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    aging(monkeypatch, OLD)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    async with tls_host(Shelf(), authority) as host, fetching(*LOOPBACK) as fetcher:
        hosts = frozenset({("localhost", host.port)})
        templates = templates_in(tmp_path, fetcher, hosts=hosts)
        url = f"https://localhost:{host.port}/award.pdf?of=2026"
        before = await templates.get(url)
        after = await templates.get(url)

        assert before is after
        assert [request.path_qs for request in host.requests] == ["/award.pdf?of=2026"] * 2
        assert len(host.connections) == 1
        # What strangers choose leaves nothing on the disk.
        assert is_empty(tmp_path)
        await templates.close()


async def test_a_host_whose_certificate_is_nobodys_is_not_trusted(
    tmp_path: Path, authority: Authority
) -> None:
    async with tls_host(Shelf(), authority) as host, fetching(*LOOPBACK) as fetcher:
        hosts = frozenset({("localhost", host.port)})
        templates = templates_in(tmp_path, fetcher, hosts=hosts)

        with pytest.raises(RemoteFailed, match="cannot be reached"):
            await templates.get(f"https://localhost:{host.port}/award.pdf")
        assert host.requests == []
        await templates.close()


async def test_a_listed_host_with_a_private_address_is_refused(
    tmp_path: Path, authority: Authority
) -> None:
    async with tls_host(Shelf(), authority) as host, fetching() as fetcher:
        hosts = frozenset({("localhost", host.port)})
        templates = templates_in(tmp_path, fetcher, hosts=hosts)

        with pytest.raises(UrlRefused, match="address"):
            await templates.get(f"https://localhost:{host.port}/award.pdf")
        assert fetcher.session.guard.connections == 0
        await templates.close()


def ask(server: Server, template: str) -> tuple[int, str]:
    query = urlencode({"template": template, "name": "Ada"})
    answer = server.ask("GET", f"/certificate?{query}", headers={"Accept": "application/json"})
    return answer.status, "" if answer.status == 200 else answer.json["code"]


async def test_the_service_says_which_template_it_cannot_have_and_why(migrated: Path) -> None:
    shelf = Shelf()
    shelf.gate.set()
    async with other_host(shelf.answer) as host:
        urls = f"award={host.url('/award.pdf')} dead=http://127.0.0.1:{free_port()}/x.pdf"
        options = {"TEMPLATE_URLS": urls, "TEMPLATE_HOSTS": "localhost"}
        with await asyncio.to_thread(lambda: serving(migrated, ACCESS="open", **options)) as server:
            answers = [
                await asyncio.to_thread(ask, server, template)
                for template in (
                    "award",
                    "dead",
                    "https://localhost/x.pdf",
                    "https://other.example/x.pdf",
                    "http://localhost/x.pdf",
                    "none",
                )
            ]
            ready = await asyncio.to_thread(server.ask, "GET", "/readyz")

    assert answers == [
        (200, ""),
        (502, "remote_failed"),
        (403, "url_refused"),
        (403, "url_refused"),
        (400, "bad_url"),
        (404, "not_found"),
    ]
    assert (ready.status, ready.json["templates"]) == (200, "ok")
