"""The extra `sso`: logins by an OpenID Connect provider of our own, and second factors."""

import base64
import html
import re
import shutil
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from fileservice import attempts, options
from tests.client import Answer
from tests.conftest import Server, manage, serving
from tests.oidc import Provider, providing
from tests.persons import PASSWORD, Person, add_person, rows
from tests.test_people import audited, use_up

START = "/accounts/oidc/sso/login/"
CALLBACK = "/accounts/oidc/sso/callback/"


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with providing() as provider:
        yield provider


@pytest.fixture(scope="module")
def prepared(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root whose database has the tables of the extra."""
    root = tmp_path_factory.mktemp("sso") / "root"
    shutil.copytree(migrated, root)
    done = manage(root, "migrate", "--verbosity", "0", SECOND_FACTOR="yes")
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope="module")
def open_door(prepared: Path, running: Provider) -> Iterator[Server]:
    """Give a service that everybody may come into whom the provider knows."""
    chosen = {**running.settings(), "OIDC_NEW_PEOPLE": "yes"}
    with serving(prepared, ACCESS="private", **chosen) as server:
        yield server


@pytest.fixture(scope="module")
def staff_door(prepared: Path, running: Provider) -> Iterator[Server]:
    """Give a service for those of a group who have an account."""
    with serving(prepared, ACCESS="private", OIDC_GROUP="staff", **running.settings()) as server:
        yield server


@pytest.fixture
def provider(running: Provider) -> Iterator[Provider]:
    yield running
    running.id_token, running.broken, running.claims = {}, {}, {"sub": "1"}
    running.asked.clear()


def follow(url: str) -> str:
    """Ask the provider, as the browser, and return where it leads."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=30)
    connection.request("GET", f"{parts.path}?{parts.query}")
    location = connection.getresponse().getheader("Location")
    connection.close()
    assert location is not None
    return location


def sign_on(person: Person, start: str = START) -> Answer:
    """Log in by the provider, and return the last answer of ours."""
    begun = person.get(start)
    assert begun.status == 302, begun.text
    back = follow(begun.headers["location"])
    assert back.startswith(person.server.url + CALLBACK)
    return person.get(back.removeprefix(person.server.url))


def test_who_the_provider_knows_comes_in_and_gets_an_account(
    open_door: Server, provider: Provider
) -> None:
    provider.claims = {"sub": "7", "preferred_username": "margaret", "email": "m@a.example"}
    person = Person(open_door)
    page = person.get("/accounts/login/").text
    assert "The &lt;Directory&gt;" in page

    answer = sign_on(person, f"{START}?next=/accounts/")

    assert (answer.status, answer.headers["location"]) == (302, "/accounts/")
    assert person.is_logged_in()
    assert "<bdi>margaret</bdi>" in person.get("/").text
    [[password, is_superuser]] = rows(
        open_door.root, "SELECT password, is_superuser FROM auth_user WHERE username = 'margaret'"
    )
    assert password.startswith("!")
    assert not is_superuser
    assert [by for _, by, _, _ in audited(open_door, "user.make")] == ["margaret"]
    assert "margaret" in [by for _, by, _, _ in audited(open_door, "user.login")]

    again = Person(open_door)
    sign_on(again)
    assert "<bdi>margaret</bdi>" in again.get("/").text


def test_a_name_and_an_address_of_the_provider_take_over_no_account(
    open_door: Server, provider: Provider
) -> None:
    add_person(open_door.root, "root", is_admin=True)
    rows(open_door.root, "UPDATE auth_user SET email = 'r@a.example' WHERE username = 'root'")
    provider.claims = {
        "sub": "8",
        "preferred_username": "root",
        "email": "r@a.example",
        "email_verified": True,
    }
    person = Person(open_door)

    sign_on(person)

    assert person.is_logged_in()
    assert "<bdi>root</bdi>" not in person.get("/").text
    assert person.get("/admin/").status == 302


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "/\\evil.example/"])
def test_a_login_by_the_provider_leads_to_no_other_site(
    open_door: Server, provider: Provider, target: str
) -> None:
    provider.claims = {"sub": "9", "preferred_username": "katherine"}

    assert sign_on(Person(open_door), f"{START}?next={target}").headers["location"] == "/"


def test_a_session_of_the_provider_is_not_the_one_before(
    open_door: Server, provider: Provider
) -> None:
    provider.claims = {"sub": "10", "preferred_username": "dorothy"}
    person = Person(open_door)
    begun = person.get(START)
    before = person.cookies["sessionid"]

    person.get(follow(begun.headers["location"]).removeprefix(open_door.url))

    assert person.is_logged_in()
    assert person.cookies["sessionid"] != before


@pytest.mark.parametrize(
    "wrong",
    [{"aud": "another client"}, {"iss": "https://evil.example"}, {"exp": 1_000_000_000}],
    ids=str,
)
def test_a_token_that_is_not_for_us_is_no_login(
    open_door: Server, provider: Provider, wrong: dict[str, object]
) -> None:
    provider.id_token = wrong
    person = Person(open_door)

    answer = sign_on(person)

    assert "Login Failure" in answer.text
    assert not person.is_logged_in()


def test_an_answer_that_nobody_asked_for_is_no_login(open_door: Server, provider: Provider) -> None:
    attacker, victim = Person(open_door), Person(open_door)
    back = follow(attacker.get(START).headers["location"]).removeprefix(open_door.url)

    for path in (back, f"{CALLBACK}?code=x", f"{CALLBACK}?code=x&state=y", CALLBACK):
        victim.get(path)
        assert not victim.is_logged_in()


def test_another_site_begins_no_login(open_door: Server, provider: Provider) -> None:
    answer = Person(open_door).ask("GET", START, Sec_Fetch_Site="cross-site")

    assert answer.headers["location"] == "/accounts/login/"


@pytest.mark.long
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/.well-known/openid-configuration", b"HTTP/1.1 500 Broken\r\n\r\n"),
        ("/.well-known/openid-configuration", b"HTTP/1.1 302 Found\r\nLocation: /keys\r\n\r\n"),
        ("/.well-known/openid-configuration", b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (2 << 20)),
        ("/.well-known/openid-configuration", b"HTTP/1.1 200 OK\r\n\r\nnot JSON"),
        ("/.well-known/openid-configuration", b"HTTP/1.1 200 OK\r\n\r\n[]"),
        ("/.well-known/openid-configuration", b""),
        ("/token", b"HTTP/1.1 400 Bad\r\n\r\n{}"),
        ("/token", b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b" " * (2 << 20)),
        ("/userinfo", b"HTTP/1.1 403 Forbidden\r\n\r\n"),
        ("/userinfo", b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}"),
        ("/userinfo", b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"sub": "2"}'),
    ],
    ids=range(11),
)
def test_a_provider_that_fails_lets_nobody_in_and_is_told(
    open_door: Server, provider: Provider, path: str, said: bytes
) -> None:
    provider.broken[path] = said
    person = Person(open_door)

    answer = person.get(START) if "known" in path else sign_on(person)

    assert "Login Failure" in answer.text
    assert "fileservice/style.css" in answer.text
    assert not person.is_logged_in()
    assert "Traceback" not in open_door.log.read_text()


@pytest.mark.long
def test_who_has_no_account_or_is_not_of_the_group_stays_outside(
    staff_door: Server, provider: Provider
) -> None:
    for claims in ({"sub": "20", "groups": ["staff"]}, {"sub": "20", "groups": ["guests"]}):
        provider.claims = claims
        person = Person(staff_door)

        answer = sign_on(person)

        assert "No account" in answer.text
        assert not person.is_logged_in()


def test_an_account_is_connected_by_its_owner_and_needs_the_group_each_time(
    staff_door: Server, provider: Provider
) -> None:
    add_person(staff_door.root, "mary")
    person = Person(staff_door)
    person.log_in("mary")
    provider.claims = {"sub": "21", "groups": ["staff", "people"]}

    unasked = person.get(f"{START}?process=connect")
    page = person.post("/accounts/oidc/connect", page="/accounts/")
    link = re.search(rf'href="({START}[^"]+)"', page.text)
    assert link
    sign_on(person, html.unescape(link[1]))
    person.log_out()
    by_provider = Person(staff_door)
    sign_on(by_provider)

    assert unasked.headers["location"] == "/accounts/login/"
    assert "<bdi>mary</bdi>" in by_provider.get("/").text
    assert [by for _, by, _, _ in audited(staff_door, "user.connect")] == ["mary"]
    provider.claims = {"sub": "21", "groups": "people"}
    no_longer = Person(staff_door)
    assert sign_on(no_longer).status == 403
    assert not no_longer.is_logged_in()


def code_of(secret: str) -> str:
    """Return the code that an authenticator shows now."""
    key = base64.b32decode(secret)
    return TOTP(key, 6, SHA1(), 30).generate(int(time.time())).decode()  # noqa: S303 - RFC 6238


def test_a_second_factor_is_asked_for_after_the_password(
    staff_door: Server, provider: Provider
) -> None:
    id = add_person(staff_door.root, "hedy")
    person = Person(staff_door)
    person.log_in("hedy")
    again = person.get("/accounts/2fa/totp/activate/").headers["location"]
    assert again.startswith("/accounts/reauthenticate/")
    assert "fileservice/style.css" in person.get(again).text
    person.post(again, password=PASSWORD)
    page = person.get("/accounts/2fa/totp/activate/")
    secret = re.search(r'value="([A-Z2-7]{32})"', page.text)
    assert secret, page.text
    assert "fileservice/style.css" in page.text

    done = person.fill(page, "/accounts/2fa/totp/activate/", code=code_of(secret[1]))

    assert done.status == 302, done.text
    spare = re.findall(r"^\s*(\d{8})\s*$", person.get(done.headers["location"]).text, re.MULTILINE)
    person.log_out()
    halfway = person.log_in("hedy")
    assert halfway.headers["location"].startswith("/accounts/2fa/authenticate/")
    assert not person.is_logged_in()
    assert person.ask("PUT", "/files/a", b"hello").status == 401
    assert person.post("/accounts/2fa/authenticate/", code="000000").status == 200
    assert not person.is_logged_in()
    failed = [name for _, _, name, _ in audited(staff_door, "user.login_failed")]
    assert "hedy (totp)" in failed
    codes = person.get("/accounts/2fa/authenticate/")
    assert "<script src=" in codes.text
    assert "unsafe" not in codes.headers["content-security-policy"]
    [[kept]] = rows(
        staff_door.root,
        "SELECT data FROM mfa_authenticator WHERE user_id = ? AND type = 'totp'",
        id,
    )
    assert secret[1] not in kept
    assert "hedy (totp)" in [name for _, _, name, _ in audited(staff_door, "second_factor.add")]

    use_up(staff_door, attempts.by_person(id), left=0)
    assert "Too many attempts" in person.post("/accounts/2fa/authenticate/", code="000000").text
    use_up(staff_door, attempts.by_person(id), left=5)
    assert person.post("/accounts/2fa/authenticate/", code=spare[0]).status == 302
    assert person.is_logged_in()


def test_without_a_second_factor_the_password_is_enough(
    staff_door: Server, provider: Provider
) -> None:
    add_person(staff_door.root, "joan")
    person = Person(staff_door)

    assert person.log_in("joan", PASSWORD, next="/accounts/").headers["location"] == "/accounts/"

    assert person.is_logged_in()
    again = person.get("/accounts/2fa/webauthn/add/").headers["location"]
    person.post(again, password=PASSWORD)
    for path in ("/accounts/2fa/", "/accounts/2fa/webauthn/add/"):
        assert "fileservice/style.css" in person.get(path).text


def test_pages_of_the_extra_that_are_not_ours_are_not_there(
    open_door: Server, provider: Provider
) -> None:
    for path in ("signup", "email", "password/reset", "password/set", "oidc/signup"):
        answer = Person(open_door).get(f"/accounts/{path}/")
        assert answer.status in (302, 404), path
        assert answer.headers.get("location", "/accounts/login/").startswith("/accounts/login/")


@pytest.mark.parametrize(
    ("chosen", "ids"),
    [
        ({"OIDC_URL": "https://id.example"}, ["E025", "E026"]),
        ({"OIDC_URL": "http://id.example"}, ["E024", "E025", "E026"]),
        ({"OIDC_URL": "ftp://id.example"}, ["E024"]),
        ({"OIDC_CLIENT_ID": "a"}, ["E025"]),
        ({"OIDC_NEW_PEOPLE": "maybe"}, ["E027"]),
        ({"SECOND_FACTOR": "maybe"}, ["E028"]),
        ({"OIDC_URL": "https://a.example", "OIDC_CLIENT_ID": "a", "OIDC_CLIENT_SECRET": "b"}, []),
    ],
)
def test_a_wrong_choice_of_a_provider_has_its_check_id(
    tmp_path: Path, chosen: dict[str, str], ids: list[str]
) -> None:
    environ = {f"FILESERVICE_{name}": value for name, value in chosen.items()}

    _, problems = options.read({"FILESERVICE_ROOT": str(tmp_path), **environ})

    assert [problem.id for problem in problems] == [f"fileservice.{id}" for id in ids]


@pytest.mark.parametrize("name", ["OIDC_URL", "SECOND_FACTOR"])
def test_without_the_extra_its_settings_say_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, "allauth", None)
    value = "yes" if name == "SECOND_FACTOR" else "https://id.example"

    _, [problem] = options.read({"FILESERVICE_ROOT": str(tmp_path), f"FILESERVICE_{name}": value})

    assert "pip install 'fileservice[sso]'" in problem.message
