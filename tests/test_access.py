"""Who may: private and open services, tokens, logins, forged forms, foreign hosts."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import FORM_TYPE, Answer, field_part, file_part, form_body, raw_exchange
from tests.conftest import Server, manage, serving

TOKEN = "correct-horse-battery-staple-0123456789"  # noqa: S105 - of a service that lives for a test
PAGE = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def private(migrated: Path) -> Iterator[Server]:
    """Give a private service with a token and a user."""
    with serving(migrated, ACCESS="private", TOKEN=TOKEN) as running:
        yield running


def basic(user: str, password: str) -> dict[str, str]:
    credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {credentials}"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {TOKEN}"},
        {"Authorization": f"bearer  {TOKEN}"},
        basic("anyone", TOKEN),
        basic("", TOKEN),
    ],
)
def test_the_token_opens_a_private_service(private: Server, headers: dict[str, str]) -> None:
    assert private.ask("PUT", "/files/a", b"hello", headers).status == 201


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Digest {TOKEN}"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic /w=="},
        basic(TOKEN, ""),
        {"Cookie": "sessionid=abcdefghijklmnopqrstuvwxyz012345"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/files/a"),
        ("PUT", "/files/"),
        ("POST", "/files/"),
        ("GET", "/certificate"),
        ("GET", "/templates/"),
        ("GET", "/templates/none"),
        ("GET", "/templates/certificate/preview.png"),
    ],
)
def test_without_it_a_private_service_asks_who(
    private: Server, method: str, path: str, headers: dict[str, str]
) -> None:
    before = private.stored()

    answer = private.ask(method, path, b"hello", headers)

    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith('Bearer realm="fileservice", Basic ')
    assert private.stored() == before


def test_a_page_is_not_asked_by_a_dialog(private: Server) -> None:
    answer = private.ask("PUT", "/files/a", b"hello", PAGE)

    assert answer.headers["www-authenticate"] == 'Bearer realm="fileservice"'


def test_who_may_not_is_told_before_the_body_is_read(private: Server) -> None:
    head = (
        f"PUT /files/a HTTP/1.1\r\nHost: 127.0.0.1:{private.port}\r\n"
        "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    )

    assert raw_exchange(private.address, head.encode()).startswith(b"HTTP/1.1 401 ")


def test_a_link_downloads_and_deletes_without_a_login(private: Server) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}
    file = private.ask("PUT", "/files/a.txt", b"hello", headers).json["files"][0]

    assert private.ask("GET", f"/files/{file['id']}").body == b"hello"
    assert private.ask("DELETE", file["manage_url"].removeprefix(private.url)).status == 204


def test_a_login_opens_a_private_service(private: Server) -> None:
    make_user(private, "ada", "a-long-passphrase")
    cookies = log_in(private, "ada", "a-long-passphrase")
    home = private.ask("GET", "/", headers={**PAGE, "Cookie": cookies})
    cookies += "; " + home.headers["set-cookie"].split(";")[0]
    token = hidden_token(home)

    body = form_body(field_part(b"csrf_token", token), file_part(b"a.txt", b"hello"))
    answer = private.ask("POST", "/files/", body, {**FORM_TYPE, "Cookie": cookies})

    assert answer.status == 201
    assert private.ask("GET", "/admin/", headers={"Cookie": cookies}).status == 200


def make_user(server: Server, name: str, password: str) -> None:
    script = (
        "from django.contrib.auth.models import User;"
        f"User.objects.create_superuser({name!r}, password={password!r})"
    )
    made = manage(server.root, "shell", "-c", script)
    assert made.returncode == 0, made.stderr


def log_in(server: Server, name: str, password: str) -> str:
    """Log in as a browser does and return the cookies."""
    form = server.ask("GET", "/accounts/login/")
    csrf = form.headers["set-cookie"].split(";")[0]
    hidden = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
    assert hidden
    answer = server.ask(
        "POST",
        "/accounts/login/",
        f"csrfmiddlewaretoken={hidden[1]}&username={name}&password={password}".encode(),
        {"Content-Type": "application/x-www-form-urlencoded", "Cookie": csrf},
    )
    assert answer.status == 302
    session = re.search(r"sessionid=[^;]+", answer.headers["set-cookie"])
    assert session
    return session[0]


def hidden_token(home: Answer) -> bytes:
    found = re.search(r'name="?csrf_token"? value="?([0-9a-f]+)', home.text)
    assert found
    return found[1].encode()


def visit(server: Server) -> tuple[str, bytes]:
    """Open the home page as a browser; return its cookie and its form's token."""
    home = server.ask("GET", "/", headers=PAGE)
    return home.headers["set-cookie"].split(";")[0], hidden_token(home)


def test_a_browser_sees_the_files_it_sent_and_nobody_elses(server: Server) -> None:
    cookie, token = visit(server)
    other, _ = visit(server)
    body = form_body(field_part(b"csrf_token", token), file_part(b"mine.txt", b"hello"))

    server.ask("POST", "/files/", body, {**FORM_TYPE, **PAGE, "Cookie": cookie})

    assert "mine.txt" in server.ask("GET", "/", headers={**PAGE, "Cookie": cookie}).text
    assert "mine.txt" not in server.ask("GET", "/", headers={**PAGE, "Cookie": other}).text


@pytest.mark.parametrize(
    ("browser", "fields", "status"),
    [
        ({"Origin": "{url}"}, ["{token}", "file"], 201),
        ({"Sec-Fetch-Site": "same-origin"}, ["{token}", "file"], 201),
        ({}, ["{token}", "file"], 201),
        ({"X-CSRFToken": "{token}", "Origin": "{url}"}, ["file"], 201),
        ({}, ["file"], 403),
        ({}, ["file", "{token}"], 403),
        ({}, ["{token}x", "file"], 403),
        ({}, ["", "file"], 403),
        ({"Origin": "{url}"}, ["file"], 403),
        ({"Origin": "null"}, ["{token}", "file"], 403),
        ({"Origin": "http://evil.example"}, ["{token}", "file"], 403),
        ({"Sec-Fetch-Site": "cross-site"}, ["{token}", "file"], 403),
        ({"Sec-Fetch-Site": "same-site"}, ["{token}", "file"], 403),
        ({"X-CSRFToken": "0" * 64}, ["file"], 403),
    ],
)
def test_a_form_of_a_browser_needs_its_token_before_its_file(
    server: Server, browser: dict[str, str], fields: list[str], status: int
) -> None:
    cookie, token = visit(server)
    before = server.stored()
    headers = {
        name: value.format(url=server.url, token=token.decode()) for name, value in browser.items()
    }
    parts = [
        file_part(b"a", b"hello")
        if field == "file"
        else field_part(b"csrf_token", field.replace("{token}", token.decode()).encode())
        for field in fields
    ]

    answer = server.ask(
        "POST", "/files/", form_body(*parts), {**FORM_TYPE, **headers, "Cookie": cookie}
    )

    assert answer.status == status
    assert len(server.stored()) == len(before) + (status == 201)


def test_a_token_is_good_for_its_own_browser_only(server: Server) -> None:
    cookie, _ = visit(server)
    _, others = visit(server)
    body = form_body(field_part(b"csrf_token", others), file_part(b"a", b"hello"))

    assert server.ask("POST", "/files/", body, {**FORM_TYPE, "Cookie": cookie}).status == 403


def test_a_cookie_that_was_not_signed_here_is_nobody(server: Server) -> None:
    cookie, token = visit(server)
    forged = cookie[:-1] + ("A" if cookie[-1] != "A" else "B")
    body = form_body(field_part(b"csrf_token", token), file_part(b"a", b"hello"))

    assert server.ask("POST", "/files/", body, {**FORM_TYPE, "Cookie": forged}).status == 403


def test_another_site_can_neither_put_nor_delete(server: Server) -> None:
    url = server.ask("PUT", "/files/a", b"hello").headers["link"].split(">")[0][1:]
    path = url.removeprefix(server.url)
    foreign = {"Origin": "http://evil.example"}

    assert server.ask("PUT", "/files/a", b"hello", foreign).status == 403
    assert server.ask("POST", f"{path}/delete", b"", foreign).status == 403
    assert server.ask("GET", path).status == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost:x", "a b"])
def test_a_foreign_host_is_refused(server: Server, host: str) -> None:
    for accept in ("*/*", "application/json", "text/html"):
        fields = f"Host: {host}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"

        answer = raw_exchange(server.address, f"GET / HTTP/1.1\r\n{fields}".encode())

        assert answer.startswith(b"HTTP/1.1 400 ")


def test_an_identity_cannot_be_smuggled_in_by_a_trailer(private: Server) -> None:
    request = (
        f"PUT /files/a HTTP/1.1\r\nHost: 127.0.0.1:{private.port}\r\n"
        "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        f"5\r\nhello\r\n0\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    )

    assert raw_exchange(private.address, request.encode()).startswith(b"HTTP/1.1 401 ")


def test_nobody_is_served_where_nobody_chose_who_may(migrated: Path) -> None:
    for arguments in (["--host", "0.0.0.0"], ["--uds", "x.sock"]):  # noqa: S104 - refused
        refused = manage(migrated, "serve", *arguments)

        assert refused.returncode == 1
        assert "fileservice.E011" in refused.stderr


def test_a_small_form_is_all_that_stock_django_gets(server: Server) -> None:
    answer = server.ask("POST", "/accounts/login/", b"x" * 2_000_000)

    assert answer.status == 413


def test_an_address_nobody_knows_reads_no_body(server: Server) -> None:
    head = (
        f"POST /nowhere HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    )

    assert raw_exchange(server.address, head.encode()).startswith(b"HTTP/1.1 404 ")


def test_pages_of_the_operator_are_there(server: Server) -> None:
    login = server.ask("GET", "/admin/login/", headers=PAGE)

    assert login.status == 302
    assert "default-src 'self'" in login.headers["content-security-policy"]
    assert server.ask("GET", login.headers["location"]).status == 200
    assert server.ask("GET", "/static/admin/css/base.css").status == 200
