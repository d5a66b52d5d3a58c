"""People: logins and what limits them, sessions, passwords, the first administrator."""

import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fileservice import attempts
from tests.client import Answer
from tests.conftest import Server, manage, serving
from tests.persons import FORM, PASSWORD, Person, add_person, rows
from tests.servers import serving_under, uvicorn

NEW_PASSWORD = "another long passphrase"  # noqa: S105 - of people who live for a test
FIRST_LINK = re.compile(r"runs the service: \S*(/accounts/first/[0-9a-f]{64})")


@pytest.fixture(scope="module")
def private(migrated: Path) -> Iterator[Server]:
    with serving(migrated, ACCESS="private") as running:
        yield running


def of_address(server: Server, address: str) -> Person:
    """Return somebody behind the proxy that the service believes."""
    return Person(server, X_Forwarded_For=address)


def audited(server: Server, act: str) -> list[tuple[int | None, str, str, str]]:
    """Return who did it, to which name, from where."""
    found = rows(
        server.root,
        "SELECT user_id, user_name, name, address FROM fileservice_auditentry WHERE act = ?",
        act,
    )
    return [(id, by, name, address) for id, by, name, address in found]


def at(seconds: float) -> str:
    """Return a moment from now as the database holds it."""
    return str((datetime.now(UTC) + timedelta(seconds=seconds)).replace(tzinfo=None))


def test_who_logs_in_is_named_and_may_log_out(private: Server) -> None:
    add_person(private.root, "ada")
    ada = Person(private)
    assert 'href="/accounts/login/?next=/"' in ada.get("/").text

    answer = ada.log_in("ada")

    assert (answer.status, answer.headers["location"]) == (302, "/")
    home = ada.get("/").text
    assert "<bdi>ada</bdi>" in home
    assert "Send files" in home
    assert ada.post("/accounts/logout/", page="/").headers["location"] == "/"
    assert not ada.is_logged_in()


def test_a_logout_ends_the_session_on_the_server(private: Server) -> None:
    add_person(private.root, "grace")
    grace = Person(private)
    grace.log_in("grace")
    thief = Person(private)
    thief.cookies = dict(grace.cookies)
    assert thief.is_logged_in()

    grace.log_out()

    assert not thief.is_logged_in()
    assert thief.ask("PUT", "/files/a", b"hello").status == 401


@pytest.mark.parametrize("planted", ["nobody", "attacker"])
def test_a_session_that_was_planted_is_not_the_one_of_the_login(
    private: Server, planted: str
) -> None:
    victim, attacker = f"victim-of-{planted}", f"attacker-as-{planted}"
    add_person(private.root, victim)
    add_person(private.root, attacker)
    mallory, alice = Person(private), Person(private)
    mallory.cookies["sessionid"] = "abcdefghijklmnopqrstuvwxyz012345"
    if planted == "attacker":
        mallory.log_in(attacker)
    alice.cookies = dict(mallory.cookies)

    alice.log_in(victim)

    assert alice.cookies["sessionid"] != mallory.cookies["sessionid"]
    assert f"<bdi>{victim}</bdi>" in alice.get("/accounts/").text
    assert victim not in mallory.get("/accounts/").text
    assert victim not in mallory.get("/").text


@pytest.mark.parametrize("secure", [False, True])
def test_cookies_are_for_http_alone_for_this_site_and_over_tls_secure(
    private: Server, secure: bool
) -> None:
    name = f"cookies-{secure}"
    add_person(private.root, name)
    somebody = Person(private)
    if secure:
        somebody = Person(
            private, X_Forwarded_Proto="https", Origin=f"https://127.0.0.1:{private.port}"
        )

    answers = [somebody.get("/accounts/login/"), somebody.log_in(name), somebody.get("/")]

    cookies = re.split(r", (?=\w+=)", ", ".join(a.headers["set-cookie"] for a in answers))
    assert {cookie.partition("=")[0] for cookie in cookies} == {
        *("csrftoken", "sessionid", "fileservice_known", "fileservice_browser")
    }
    for cookie in cookies:
        attributes = {attribute.strip() for attribute in cookie.split(";")[1:]}
        assert {"HttpOnly", "SameSite=Lax"} <= attributes
        assert ("Secure" in attributes) is secure


def test_a_session_lasts_two_weeks_whatever_is_done_in_it(private: Server) -> None:
    id = add_person(private.root, "lasting")
    somebody = Person(private)
    answer = somebody.log_in("lasting")
    select = "SELECT expires_at FROM fileservice_session WHERE user_id = ?"
    [[end]] = rows(private.root, select, id)

    somebody.post("/accounts/sessions/end", page="/accounts/")
    somebody.get("/accounts/")

    assert rows(private.root, select, id) == [(end,)]
    [age] = re.findall(r"sessionid=\w+;.*?Max-Age=(\d+)", answer.headers["set-cookie"])
    assert 13 * 24 * 3600 < int(age) <= 14 * 24 * 3600


def test_an_expired_session_is_no_login_and_is_swept(private: Server) -> None:
    id = add_person(private.root, "expired")
    somebody = Person(private)
    somebody.log_in("expired")
    rows(
        private.root, "UPDATE fileservice_session SET expires_at = ? WHERE user_id = ?", at(-1), id
    )

    assert not somebody.is_logged_in()

    manage(private.root, "sweep")
    count = "SELECT count(*) FROM fileservice_session WHERE user_id = ?"
    assert rows(private.root, count, id) == [(0,)]


def test_the_last_use_of_a_session_is_noted_now_and_then(private: Server) -> None:
    id = add_person(private.root, "seen")
    somebody = Person(private)
    somebody.log_in("seen")
    noted, long_ago = "SELECT used_at FROM fileservice_session WHERE user_id = ?", at(-3600)
    rows(private.root, "UPDATE fileservice_session SET used_at = ? WHERE user_id = ?", long_ago, id)

    somebody.get("/")
    [[after]] = rows(private.root, noted, id)
    somebody.get("/")

    assert after > long_ago
    assert rows(private.root, noted, id) == [(after,)]


def test_the_database_opens_no_session(private: Server) -> None:
    add_person(private.root, "kept")
    somebody = Person(private)
    somebody.log_in("kept")
    key = somebody.cookies["sessionid"].encode()

    for path in private.root.glob("fileservice.sqlite3*"):
        assert key not in path.read_bytes()


@pytest.mark.parametrize(
    "change", ["is_active = false", "password = 'pbkdf2_sha256$1$other$other='"]
)
def test_a_person_who_is_shut_out_is_out_at_once(private: Server, change: str) -> None:
    id = add_person(private.root, f"shut out by {change}")
    somebody = Person(private)
    somebody.log_in(f"shut out by {change}")
    assert somebody.is_logged_in()

    rows(private.root, f"UPDATE auth_user SET {change} WHERE id = ?", id)  # noqa: S608 - our own

    assert not somebody.is_logged_in()


def test_an_administrator_who_is_one_no_longer_is_none_at_once(private: Server) -> None:
    id = add_person(private.root, "demoted", is_admin=True)
    somebody = Person(private)
    somebody.log_in("demoted")
    assert somebody.get("/admin/").status == 200

    rows(private.root, "UPDATE auth_user SET is_superuser = 0, is_staff = 0 WHERE id = ?", id)

    assert somebody.get("/admin/").status == 302


def test_the_account_lists_sessions_and_ends_one_or_all_others(private: Server) -> None:
    add_person(private.root, "many")
    one, two, three = (Person(private, User_Agent=f"Browser <{n}>") for n in range(3))
    for each in (one, two, three):
        each.log_in("many")

    account = one.get("/accounts/").text
    assert [f"Browser &lt;{n}&gt;" in account for n in range(3)] == [True] * 3
    assert account.count("127.0.0.1") == 3
    assert account.count("this browser") == 1
    assert 'href="/accounts/tokens/"' in account
    [others] = re.findall(r"&lt;1&gt;.*?(/accounts/sessions/\w+/end)", account, re.DOTALL)

    assert one.post(others, page="/accounts/").headers["location"] == "/accounts/"
    assert [each.is_logged_in() for each in (one, two, three)] == [True, False, True]

    one.post("/accounts/sessions/end", page="/accounts/")
    assert [each.is_logged_in() for each in (one, three)] == [True, False]
    assert len([by for _, by, _, _ in audited(private, "session.end") if by == "many"]) == 2


def test_nobody_ends_the_session_of_somebody_else(private: Server) -> None:
    id = add_person(private.root, "left alone")
    add_person(private.root, "meddling")
    victim, meddler = Person(private), Person(private)
    victim.log_in("left alone")
    meddler.log_in("meddling")
    [[session]] = rows(private.root, "SELECT id FROM fileservice_session WHERE user_id = ?", id)

    answer = meddler.post(f"/accounts/sessions/{session}/end", page="/accounts/")

    assert answer.status == 404
    assert victim.is_logged_in()


def change_password(person: Person, old: str, new: str) -> Answer:
    fields = {"old_password": old, "new_password1": new, "new_password2": new}
    return person.post("/accounts/password/", **fields)


def test_a_changed_password_ends_all_other_sessions(private: Server) -> None:
    id = add_person(private.root, "changing")
    here, there = Person(private), Person(private)
    here.log_in("changing")
    there.log_in("changing")
    before = here.cookies["sessionid"]

    answer = change_password(here, PASSWORD, NEW_PASSWORD)

    assert (answer.status, answer.headers["location"]) == (302, "/accounts/")
    count = "SELECT count(*) FROM fileservice_session WHERE user_id = ?"
    assert rows(private.root, count, id) == [(1,)]
    assert here.is_logged_in()
    assert not there.is_logged_in()
    assert here.cookies["sessionid"] != before
    assert Person(private).log_in("changing").status == 200
    assert Person(private).log_in("changing", NEW_PASSWORD).status == 302
    assert audited(private, "user.password") == [(id, "changing", "changing", "127.0.0.1")]


def test_a_weak_password_is_not_taken(private: Server) -> None:
    add_person(private.root, "chooser-of-weak-ones")
    somebody = Person(private)
    somebody.log_in("chooser-of-weak-ones")

    for weak in ("short", "password123", "1234567890123", "chooser-of-weak-ones"):
        answer = change_password(somebody, PASSWORD, weak)

        assert answer.status == 200
        assert 'class="error"' in answer.text


def test_the_old_password_is_not_to_be_guessed_in_a_session(private: Server) -> None:
    id = add_person(private.root, "guarding")
    somebody = Person(private)
    somebody.log_in("guarding")
    use_up(private, attempts.by_person(id), left=1)

    wrong = change_password(somebody, "not it", NEW_PASSWORD)
    right = change_password(somebody, PASSWORD, NEW_PASSWORD)

    assert (wrong.status, right.status) == (200, 429)
    assert somebody.is_logged_in()


def test_no_form_is_taken_that_another_site_sends(private: Server) -> None:
    id = add_person(private.root, "forged")
    somebody = Person(private)
    somebody.log_in("forged")
    [[session]] = rows(private.root, "SELECT id FROM fileservice_session WHERE user_id = ?", id)
    fields = f"username=forged&password={PASSWORD}&new_password1=x&csrfmiddlewaretoken=".encode()

    for path in (
        "/accounts/login/",
        "/accounts/logout/",
        "/accounts/password/",
        "/accounts/sessions/end",
        f"/accounts/sessions/{session}/end",
        "/admin/logout/",
    ):
        answer = somebody.ask("POST", path, fields, Content_Type=FORM)

        assert answer.status == 403
        assert "style=" not in answer.text
    assert somebody.is_logged_in()


def test_a_login_leads_to_no_other_site(private: Server) -> None:
    add_person(private.root, "misled")

    for target in (
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "javascript:a()",
    ):
        assert Person(private).log_in("misled", next=target).headers["location"] == "/"


def test_a_login_leads_to_where_one_wanted_to_go(private: Server) -> None:
    add_person(private.root, "wanderer")
    somebody = Person(private)

    asked = somebody.get("/accounts/password/")
    answer = somebody.log_in("wanderer", next="/accounts/password/")

    assert asked.headers["location"] == "/accounts/login/?next=/accounts/password/"
    assert answer.headers["location"] == "/accounts/password/"


def test_there_is_one_door_in(private: Server) -> None:
    answer = Person(private).get("/admin/login/?next=/admin/")

    assert answer.headers["location"] == "/accounts/login/?next=/admin/"


def test_pages_of_people_run_no_script_and_are_kept_nowhere(private: Server) -> None:
    add_person(private.root, "looking")
    somebody = Person(private)
    answers = [somebody.get("/accounts/login/")]
    somebody.log_in("looking")
    answers += [somebody.get("/accounts/"), somebody.get("/accounts/password/")]

    for answer in answers:
        assert answer.status == 200
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; ")
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert "no-store" in answer.headers["cache-control"]
        assert "<script" not in answer.text
        assert "style=" not in answer.text


def use_up(server: Server, limits: dict[str, int], *, left: int) -> None:
    """Count all attempts but some."""
    for subject, limit in limits.items():
        rows(
            server.root,
            "INSERT OR REPLACE INTO fileservice_loginattempts VALUES (?, ?, ?)",
            *(subject, limit - left, at(600)),
        )


def test_an_address_has_so_many_attempts(private: Server) -> None:
    add_person(private.root, "attacked")
    limits = attempts.by_stranger("attacked", "198.51.100.1")
    [_, address] = limits
    use_up(private, {address: limits[address]}, left=1)
    attacker = of_address(private, "198.51.100.1")

    wrong = attacker.log_in("attacked", "wrong")
    right = attacker.log_in("attacked")

    assert (wrong.status, right.status) == (200, 429)
    assert 0 < int(right.headers["retry-after"]) <= 600
    assert "Too many attempts" in right.text
    assert not attacker.is_logged_in()
    assert of_address(private, "198.51.100.2").log_in("attacked").status == 302


def test_addresses_of_one_network_share_their_attempts(private: Server) -> None:
    limits = attempts.by_stranger("anybody", "2001:db8:1:2::1")
    [_, network] = limits
    use_up(private, {network: limits[network]}, left=0)

    assert of_address(private, "2001:db8:1:2:ffff::9").log_in("anybody").status == 429
    assert of_address(private, "2001:db8:1:3::1").log_in("anybody").status == 200


def test_a_name_has_so_many_attempts_and_its_own_browsers_their_own(private: Server) -> None:
    add_person(private.root, "besieged")
    at_home = of_address(private, "198.51.100.10")
    at_home.log_in("besieged")
    at_home.log_out()
    limits = attempts.by_stranger("besieged", "198.51.100.10")
    use_up(private, limits, left=0)

    elsewhere = of_address(private, "198.51.100.11").log_in("besieged")
    somebody_else = of_address(private, "198.51.100.10")
    somebody_else.cookies["fileservice_known"] = at_home.cookies["fileservice_known"]

    assert elsewhere.status == 429
    assert somebody_else.log_in("attacked of the same browser").status == 429
    assert at_home.log_in("besieged").status == 302


def test_a_known_browser_has_so_many_attempts_as_well(private: Server) -> None:
    add_person(private.root, "at home")
    somebody = of_address(private, "198.51.100.20")
    somebody.log_in("at home")
    somebody.log_out()
    browser = somebody.cookies["fileservice_known"].split(".")[0]
    use_up(private, attempts.by_browser(browser), left=1)

    statuses = [somebody.log_in("at home", "wrong").status for _ in range(2)]

    assert statuses == [200, 429]


@pytest.mark.long
def test_attempts_at_the_same_time_are_all_counted(private: Server) -> None:
    limits = attempts.by_stranger("rushed", "198.51.100.30")
    use_up(private, limits, left=2)
    people = [of_address(private, "198.51.100.30") for _ in range(6)]
    for each in people:
        each.get("/accounts/login/")

    with ThreadPoolExecutor(6) as threads:
        statuses = list(threads.map(lambda each: each.log_in("rushed", "wrong").status, people))

    assert sorted(statuses) == [200] * 2 + [429] * 4


def test_a_right_password_uses_up_nothing(private: Server) -> None:
    add_person(private.root, "frequent")
    limits = attempts.by_stranger("frequent", "198.51.100.40")
    use_up(private, limits, left=1)

    for _ in range(2):
        assert of_address(private, "198.51.100.40").log_in("frequent").status == 302


def test_attempts_come_back_and_are_swept(private: Server) -> None:
    limits = attempts.by_stranger("patient", "198.51.100.50")
    use_up(private, limits, left=0)
    assert of_address(private, "198.51.100.50").log_in("patient").status == 429

    for subject in limits:
        rows(
            private.root,
            "UPDATE fileservice_loginattempts SET until = ? WHERE subject = ?",
            *(at(-1), subject),
        )

    assert of_address(private, "198.51.100.50").log_in("patient").status == 200
    rows(private.root, "UPDATE fileservice_loginattempts SET until = ?", at(-1))
    manage(private.root, "sweep")
    assert rows(private.root, "SELECT count(*) FROM fileservice_loginattempts") == [(0,)]


def test_logins_are_told_without_the_password(private: Server) -> None:
    id = add_person(private.root, "watched")
    somebody = of_address(private, "198.51.100.60")

    somebody.log_in("watched", "wrong-password-of-watched")
    somebody.log_in("a-password-typed-as-name", "x")
    somebody.log_in("watched")
    somebody.log_out()

    of_watched = (id, "watched", "watched", "198.51.100.60")
    failed = [each for each in audited(private, "user.login_failed") if each[3] == "198.51.100.60"]
    assert failed == [(None, "", "watched", "198.51.100.60"), (None, "", "", "198.51.100.60")]
    assert of_watched in audited(private, "user.login")
    assert of_watched in audited(private, "user.logout")
    log = private.log.read_text()
    assert "A login from 198.51.100.60 as watched failed." in log
    assert "A login from 198.51.100.60 as somebody unknown failed." in log
    assert "wrong-password-of-watched" not in log
    assert "a-password-typed-as-name" not in log


def first_link(server: Server) -> str:
    [link] = FIRST_LINK.findall(server.log.read_text())
    assert isinstance(link, str)
    return link


def make_first(server: Server, name: str, password: str = PASSWORD) -> tuple[Person, Answer]:
    somebody = Person(server)
    fields = {"username": name, "password1": password, "password2": password}
    return somebody, somebody.post(first_link(server), **fields)


def test_the_first_administrator_is_made_by_a_link_that_is_told_once(migrated: Path) -> None:
    with serving(migrated, "--workers", "2", ACCESS="private") as server:
        link = first_link(server)
        assert f"{server.url}{link}" in server.log.read_text()
        wrong = link[:-1] + ("0" if link[-1] != "0" else "1")
        assert server.ask("GET", wrong).status == 404
        assert server.ask("POST", link, b"username=a", {"Content-Type": FORM}).status == 403
        assert make_first(server, "weak", "password")[1].status == 200

        with ThreadPoolExecutor(4) as threads:
            made = list(threads.map(lambda n: make_first(server, f"first-{n}"), range(4)))

        assert sorted(answer.status for _, answer in made) == [302, 404, 404, 404]
        [[name, is_superuser]] = rows(server.root, "SELECT username, is_superuser FROM auth_user")
        assert is_superuser
        [winner] = [person for person, answer in made if answer.status == 302]
        assert winner.get("/admin/").status == 200
        assert f"<bdi>{name}</bdi>" in winner.get("/").text
        assert server.ask("GET", link).status == 404
        assert [by for _, by, _, _ in audited(server, "user.first")] == [name]
        rows(server.root, "DELETE FROM fileservice_session")
        rows(server.root, "DELETE FROM auth_user")
        assert server.ask("GET", link).status == 404


@pytest.mark.long
def test_other_servers_log_the_link_and_a_restart_keeps_it(migrated: Path, tmp_path: Path) -> None:
    with serving(migrated, ACCESS="private") as server:
        link = first_link(server)
        shutil.copytree(server.root, tmp_path / "root")
    log, private = tmp_path / "log", {"ACCESS": "private"}
    with serving_under(uvicorn, tmp_path / "root", log, workers=1, **private) as server:
        assert first_link(server) == link
        assert server.ask("GET", link).status == 200


@pytest.mark.long
def test_where_no_account_is_needed_there_is_no_first_link(server: Server) -> None:
    script = "from fileservice.people import first_secret; print(first_secret())"
    secret = manage(server.root, "shell", "-v", "0", "-c", script).stdout.strip()

    assert re.fullmatch("[0-9a-f]{64}", secret)
    assert not FIRST_LINK.search(server.log.read_text())
    assert server.ask("GET", f"/accounts/first/{secret}").status == 404


@pytest.mark.long
def test_a_new_secret_key_ends_no_session(migrated: Path, tmp_path: Path) -> None:
    old, new = "o" * 40, "n" * 40
    with serving(migrated, ACCESS="private", SECRET_KEY=old) as server:
        add_person(server.root, "staying")
        somebody = Person(server)
        somebody.log_in("staying")
        shutil.copytree(server.root, tmp_path / "root")
    options = {"SECRET_KEY": new, "OLD_SECRET_KEY": old, "SECURE_COOKIES": "yes"}
    with serving(tmp_path / "root", ACCESS="private", **options) as server:
        somebody.server = server
        assert "<bdi>staying</bdi>" in somebody.get("/").text
        assert "<bdi>staying</bdi>" in somebody.get("/").text

        assert somebody.is_logged_in()
        # What the operator says holds without TLS too.
        assert "Secure" in somebody.log_out().headers["set-cookie"]
