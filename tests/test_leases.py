"""What counts as a download by a share, over HTTP, by two workers."""

import contextlib
import hashlib
import os
import signal
import socket
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.test import AsyncRequestFactory

from fileservice.http.guests import address_of
from tests.client import WAIT_SECONDS, Answer
from tests.conftest import Server, serving, wait_until_up
from tests.processes import children_of, wait_until_gone
from tests.shares import JSON, PAGE, Shared, at, cookie_of, rows, share, state_of

LARGE = os.urandom(1 << 20) * 16
BROWSER = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}

# As they name themselves; what they accept differs, and is not looked at.
PREVIEWS = [
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Slack-ImgProxy (+https://api.slack.com/robots)",
    "WhatsApp/2.23.20.0 A",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Twitterbot/1.0",
    "TelegramBot (like TwitterBot)",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Pinterest/0.2 (+https://www.pinterest.com/bot.html)",
    "Mozilla/5.0 (compatible; Embedly/0.2; +http://support.embed.ly/)",
    "Iframely/1.3.1 (+https://iframely.com/docs/about)",
    "http.rb/5.1.1 (Mastodon/4.2.0; +https://social.example/)",
    "Mozilla/5.0 (compatible; redditbot/1.0; +http://www.reddit.com/feedback)",
    "Bluesky Cardyb/1.1; +mailto:support@example.test",
    "Mozilla/5.0 (Macintosh) AppleWebKit/601.2.4 (KHTML, like Gecko) facebookexternalhit/1.1"
    " Facebot Twitterbot/1.0",
    "Viber/13.3.0",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
]
# Programs and browsers that people use.
PEOPLE = [
    "curl/8.5.0",
    "Wget/1.21.4",
    "aria2/1.37.0",
    "python-requests/2.32.3",
    "HTTPie/3.2.2",
    "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.22621.4391",
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/17.6 Safari/605.1.15",
    "Mozilla/5.0 (Linux; Android 13; CUBOT NOTE 9) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/131.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Mobile/21G80 [Pinterest/iOS]",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/17.6 Mobile/15E148 Snapchat/13.0.0.0",
]
AHEAD = [
    {"Sec-Purpose": "prefetch"},
    {"Sec-Purpose": "prefetch;prerender"},
    {"Purpose": "prefetch"},
    {"X-Purpose": "preview"},
    {"X-Moz": "prefetch"},
]


@pytest.fixture(scope="module")
def workers(migrated: Path) -> Iterator[Server]:
    """Give a service whose visitors meet any of two workers."""
    with serving(migrated, "--workers", "2", ACCESS="open") as running:
        yield running


def until(fact: Callable[[], bool]) -> None:
    """Return when it is so."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def downloads(server: Server, shared: Shared) -> int:
    return state_of(server, shared)[1]


def acts(server: Server, shared: Shared) -> list[object]:
    sql = "SELECT act FROM fileservice_auditentry WHERE object = ? ORDER BY id"
    return [act for (act,) in rows(server, sql, shared.id)]


def left(server: Server, shared: Shared) -> timedelta:
    """Return how long the only lease of a share still lasts."""
    [(end,)] = rows(server, "SELECT until FROM fileservice_lease WHERE share_id = ?", shared.id)
    return datetime.fromisoformat(str(end)).replace(tzinfo=UTC) - datetime.now(UTC)


def part(server: Server, path: str, start: int, headers: dict[str, str]) -> Answer:
    return server.ask("GET", path, headers={"Range": f"bytes={start}-"} | headers)


@pytest.mark.long
def test_what_shows_previews_gets_the_page_and_counts_nothing(workers: Server) -> None:
    shared = share(workers, max_downloads=1)

    for agent in PREVIEWS:
        for path in (shared.path, f"{shared.path}/notes.txt"):
            for accept in ("*/*", "text/html"):
                answer = workers.ask("GET", path, headers={"User-Agent": agent, "Accept": accept})
                assert answer.status == 200, agent
                assert b"<!doctype html>" in answer.body, agent
                assert b'og:title" content="notes.txt"' in answer.body, agent
    assert state_of(workers, shared) == ("open", 0)


def test_what_people_use_gets_the_file(workers: Server) -> None:
    shared = share(workers)

    for agent in PEOPLE:
        answer = workers.ask("GET", f"{shared.path}/notes.txt", headers={"User-Agent": agent})
        assert answer.body == shared.content, agent


def test_who_clicks_gets_the_file_whatever_the_browser_is_called(workers: Server) -> None:
    shared = share(workers)
    clicked = BROWSER | {"Sec-Fetch-User": "?1", "User-Agent": "Mozilla/5.0 Robot"}

    assert workers.ask("GET", f"{shared.path}/notes.txt", headers=clicked).body == shared.content


def test_what_a_browser_fetches_ahead_counts_nothing(workers: Server) -> None:
    shared = share(workers, max_downloads=1)

    for purpose in AHEAD:
        page = workers.ask("GET", shared.path, headers=BROWSER | purpose)
        bare = workers.ask("GET", shared.path, headers=purpose)
        file = workers.ask("GET", f"{shared.path}/notes.txt", headers=BROWSER | purpose)
        assert (page.status, bare.status, file.status) == (200, 200, 503), purpose
        assert b"<!doctype html>" in page.body
        assert b"<!doctype html>" in bare.body
        assert file.headers["cache-control"] == "no-store"
    assert state_of(workers, shared) == ("open", 0)


def test_what_gives_no_byte_of_the_file_counts_nothing(workers: Server) -> None:
    shared = share(workers, max_downloads=1)
    with workers.client() as client:
        tag = client.ask("HEAD", shared.path).headers["etag"]
        asked = [
            ("HEAD", shared.path, {}, 200),
            ("HEAD", f"{shared.path}/notes.txt", {"Range": "bytes=0-1"}, 200),
            ("GET", shared.path, {"If-None-Match": tag}, 304),
            ("GET", shared.path, {"If-Match": '"other"'}, 412),
            ("GET", shared.path, {"Range": "bytes=99-"}, 416),
            ("GET", shared.path, JSON, 200),
            ("GET", shared.path, PAGE, 200),
            ("GET", f"{shared.path}/qr.svg", {}, 200),
            ("OPTIONS", shared.path, {}, 204),
            ("DELETE", shared.path, {}, 405),
        ]
        for method, path, headers, status in asked:
            assert client.ask(method, path, headers=headers).status == status, (method, headers)

    assert state_of(workers, shared) == ("open", 0)
    assert rows(workers, "SELECT * FROM fileservice_lease WHERE share_id = ?", shared.id) == []


def test_within_a_lease_all_else_is_free(workers: Server) -> None:
    shared = share(workers, max_downloads=1)
    tag = workers.ask("HEAD", shared.path).headers["etag"]

    answers = [
        workers.ask("GET", shared.path),
        workers.ask("GET", shared.path),
        workers.ask("GET", f"{shared.path}/notes.txt?inline=1"),
        workers.ask("GET", shared.path, headers={"Range": "bytes=0-0,2-3"}),
        part(workers, shared.path, 5, {"If-Range": tag}),
        part(workers, shared.path, 5, {"If-Range": '"another"'}),
        workers.ask("HEAD", shared.path),
        workers.ask("GET", shared.path, headers={"If-None-Match": tag}),
    ]

    assert [answer.status for answer in answers] == [200, 200, 200, 206, 206, 200, 200, 304]
    assert state_of(workers, shared) == ("used up", 1)
    assert acts(workers, shared) == ["share.make", "share.download"]
    assert workers.ask("GET", shared.path, headers=at(1)).status == 410


def test_an_empty_file_can_be_downloaded_once(workers: Server) -> None:
    shared = share(workers, b"", "empty", max_downloads=1)

    assert workers.ask("GET", shared.path).status == 200
    assert workers.ask("GET", shared.path, headers=at(1)).status == 410


def test_each_address_counts(workers: Server) -> None:
    shared = share(workers, max_downloads=3)

    statuses = [workers.ask("GET", shared.path, headers=at(n)).status for n in (1, 2, 1, 3, 4, 2)]

    assert statuses == [200, 200, 200, 200, 410, 200]


def test_browsers_behind_one_address_are_told_apart_by_their_cookies(workers: Server) -> None:
    shared = share(workers, max_downloads=2)
    file = f"{shared.path}/notes.txt"
    ada, bob, eve = (cookie_of(workers.ask("GET", shared.path, headers=PAGE)) for _ in range(3))

    statuses = [
        workers.ask("GET", file, headers=BROWSER | who).status for who in (ada, bob, eve, ada, bob)
    ]
    moved = workers.ask("GET", file, headers=BROWSER | ada | at(9))
    by_program = workers.ask("GET", shared.path)
    page = workers.ask("GET", shared.path, headers=PAGE | ada)

    assert statuses == [200, 200, 410, 200, 200]
    assert moved.status == 200
    assert by_program.status == 410
    assert (page.status, "You have begun a download" in page.text) == (200, True)
    assert workers.ask("GET", shared.path, headers=PAGE | eve).status == 410


def test_the_cookie_of_a_lease_is_for_its_link_and_for_no_script(workers: Server) -> None:
    shared = share(workers)

    given = workers.ask("GET", shared.path, headers=PAGE).headers["set-cookie"]

    assert given.startswith("fileservice_lease=")
    assert f"Path={shared.path}" in given
    assert "HttpOnly" in given
    assert "SameSite=Lax" in given


def test_a_cookie_that_was_changed_is_none(workers: Server) -> None:
    shared = share(workers, max_downloads=1)
    cookie = cookie_of(workers.ask("GET", shared.path, headers=PAGE))["Cookie"]
    assert workers.ask("GET", shared.path, headers=BROWSER | {"Cookie": cookie}).status == 200
    file = f"{shared.path}/notes.txt"
    assert workers.ask("GET", file, headers=BROWSER | {"Cookie": cookie}).status == 200
    start = cookie.index("=") + 1

    with workers.client() as client:
        for place in range(start, len(cookie)):
            other = "A" if cookie[place] != "A" else "B"
            forged = {"Cookie": cookie[:place] + other + cookie[place + 1 :]}
            assert client.ask("GET", file, headers=BROWSER | forged).status == 410, place
        assert client.ask("GET", file, headers=BROWSER | {"Cookie": cookie}).status == 200


def test_a_browser_without_a_cookie_counts_anew_but_goes_on_freely(workers: Server) -> None:
    shared = share(workers, max_downloads=2)
    file = f"{shared.path}/notes.txt"

    first = workers.ask("GET", file, headers=BROWSER)
    goes_on = part(workers, file, 5, BROWSER | {"If-Range": first.headers["etag"]})
    second = workers.ask("GET", file, headers=BROWSER)
    third = workers.ask("GET", file, headers=BROWSER)

    assert [first.status, goes_on.status, second.status, third.status] == [200, 206, 200, 410]
    assert downloads(workers, shared) == 2


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("unix:", None),
        ("", None),
    ],
)
def test_an_address_is_written_one_way(told: str, address: str | None) -> None:
    request = AsyncRequestFactory().get("/")
    request.META["REMOTE_ADDR"] = told

    assert address_of(request) == address


def test_a_cookie_jar_takes_its_lease_to_another_address(workers: Server) -> None:
    shared = share(workers, max_downloads=1)

    cookie = cookie_of(workers.ask("GET", shared.path, headers=at(1)))
    answer = workers.ask("GET", shared.path, headers=cookie | at(2))

    assert answer.status == 200


def test_fifty_at_once_get_as_many_downloads_as_there_are(workers: Server) -> None:
    shared = share(workers, os.urandom(300_000), "a.bin", max_downloads=7)

    def visit(number: int) -> Answer:
        return workers.ask("GET", shared.path, headers=at(number))

    with ThreadPoolExecutor(50) as crowd:
        answers = list(crowd.map(visit, range(50)))

    assert sorted(answer.status for answer in answers) == [200] * 7 + [410] * 43
    assert {answer.body for answer in answers if answer.status == 200} == {shared.content}
    assert state_of(workers, shared) == ("used up", 7)
    assert acts(workers, shared).count("share.download") == 7


@pytest.mark.parametrize("known_by", ["cookie", "address"])
def test_the_connections_of_one_visitor_are_one_download(workers: Server, known_by: str) -> None:
    content = os.urandom(900_000)
    shared = share(workers, content, "a.bin", max_downloads=1)
    visitor = at(1)
    if known_by == "cookie":
        visitor = BROWSER | cookie_of(workers.ask("GET", shared.path, headers=PAGE))

    def fetch(start: int) -> bytes:
        span = {"Range": f"bytes={start}-{start + 49_999}"}
        answer = workers.ask("GET", f"{shared.path}/a.bin", headers=visitor | span)
        assert answer.status == 206
        return answer.body

    with ThreadPoolExecutor(18) as connections:
        got = b"".join(connections.map(fetch, range(0, 900_000, 50_000)))

    assert got == content
    assert downloads(workers, shared) == 1


@contextlib.contextmanager
def reading(server: Server, path: str, size: int, **headers: str) -> Iterator[socket.socket]:
    """Read so many bytes of an answer, and hang up at the end of the block."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"GET {path} HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n{lines}\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        connection.settimeout(WAIT_SECONDS)
        connection.connect(server.address)
        connection.sendall(request.encode())
        received = 0
        while received < size:
            block = connection.recv(min(1 << 16, size - received))
            assert block
            received += len(block)
        yield connection


def test_a_download_that_was_cut_is_gone_on_with(workers: Server) -> None:
    shared = share(workers, LARGE, "a.bin", max_downloads=1)
    with reading(workers, shared.path, 1 << 20):
        assert workers.ask("HEAD", shared.path, headers=at(1)).status == 410
    until(lambda: "share.download" in acts(workers, shared))

    rest = part(workers, shared.path, 1 << 20, {"If-Range": tag_of(shared)})

    assert (rest.status, rest.body) == (206, LARGE[1 << 20 :])
    assert workers.ask("GET", shared.path, headers=at(1)).status == 410
    assert downloads(workers, shared) == 1


def tag_of(shared: Shared) -> str:
    return f'"{hashlib.sha256(shared.content).hexdigest()}"'


def test_how_far_an_answer_came_says_when_its_lease_ends(workers: Server) -> None:
    cut, large, small = share(workers, LARGE), share(workers, LARGE), share(workers)
    with reading(workers, cut.path, 1 << 20):
        pass
    workers.ask("GET", large.path)
    workers.ask("GET", small.path)

    for whole in (large, small):
        until(lambda: left(workers, whole) <= timedelta(minutes=10))  # noqa: B023 - it waits here
    until(lambda: left(workers, cut) > timedelta(hours=23))


def test_when_the_last_lease_has_ended_the_share_is_used_up_for_all(workers: Server) -> None:
    shared = share(workers, max_downloads=1)
    cookie = cookie_of(workers.ask("GET", shared.path, headers=at(1)))
    past = str(datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1))

    rows(workers, "UPDATE fileservice_lease SET until = ? WHERE share_id = ?", past, shared.id)

    for visitor in (at(1), cookie, PAGE | cookie):
        for method in ("GET", "HEAD"):
            assert workers.ask(method, shared.path, headers=visitor).status == 410


def test_after_its_lease_a_visitor_counts_again(workers: Server) -> None:
    shared = share(workers, max_downloads=2)
    cookie = cookie_of(workers.ask("GET", shared.path, headers=at(1)))
    past = str(datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1))
    rows(workers, "UPDATE fileservice_lease SET until = ? WHERE share_id = ?", past, shared.id)

    assert workers.ask("GET", shared.path, headers=cookie).status == 200
    assert downloads(workers, shared) == 2


@pytest.mark.parametrize("column", ["revoked_at", "expires_at"])
def test_a_lease_outlives_neither_revocation_nor_expiry(workers: Server, column: str) -> None:
    shared = share(workers)
    assert workers.ask("GET", shared.path).status == 200

    rows(
        workers,
        f"UPDATE fileservice_share SET {column} = created_at WHERE id = ?",  # noqa: S608
        shared.id,
    )

    assert workers.ask("GET", shared.path).status == 410
    assert part(workers, shared.path, 5, {"If-Range": tag_of(shared)}).status == 410


def test_a_number_of_downloads_that_is_changed_holds_at_once(workers: Server) -> None:
    shared = share(workers, max_downloads=1)
    assert workers.ask("GET", shared.path, headers=at(1)).status == 200
    assert workers.ask("GET", shared.path, headers=at(2)).status == 410

    workers.ask("PATCH", shared.manage, b"max_downloads=2")

    assert workers.ask("GET", shared.path, headers=at(2)).status == 200
    assert workers.ask("GET", shared.path, headers=at(3)).status == 410


def is_read(server: Server, port: int) -> bool:
    """Tell whether a worker has taken all that came from our end of a connection."""
    here, there = f"{server.port:04X}", f"{port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        if local.endswith(f":{here}") and remote.endswith(f":{there}"):
            return queues.endswith(":00000000")
    return False


def test_who_hangs_up_before_the_first_byte_has_not_downloaded(workers: Server) -> None:
    shared = share(workers, max_downloads=1)
    database = sqlite3.connect(workers.root / "fileservice.sqlite3", isolation_level=None)
    with contextlib.closing(database), socket.socket() as connection:
        database.execute("BEGIN IMMEDIATE")  # nobody takes a lease until it ends
        connection.connect(workers.address)
        host = f"{workers.host}:{workers.port}"
        connection.sendall(f"GET {shared.path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        until(lambda: is_read(workers, connection.getsockname()[1]))
        # A reset, since who only closes could still read.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        database.execute("ROLLBACK")

    until(lambda: "share.no_download" in acts(workers, shared))
    assert state_of(workers, shared) == ("open", 0)
    assert workers.ask("GET", shared.path, headers=at(1)).status == 200


@pytest.mark.long
def test_a_kill_in_the_middle_neither_loses_nor_gives_away_a_download(migrated: Path) -> None:
    with serving(migrated, "--workers", "2", ACCESS="open") as server:
        shared = share(server, LARGE, "a.bin", max_downloads=2)
        with reading(server, shared.path, 1 << 20, **at(1)):
            children = list(children_of(server.process.pid))
            for process in children:
                os.kill(process, signal.SIGKILL)
            wait_until_gone(children)
        until(lambda: len(children_of(server.process.pid)) >= 2)
        wait_until_up(server)

        rest = part(server, shared.path, 1 << 20, at(1))
        other = server.ask("GET", shared.path, headers=at(2))
        third = server.ask("GET", shared.path, headers=at(3))

    assert (rest.status, rest.body) == (206, LARGE[1 << 20 :])
    assert (other.status, third.status) == (200, 410)
