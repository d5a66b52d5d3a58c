"""The operator's choices, and what is said of wrong ones."""

import stat
import sys
from pathlib import Path

import pytest

from fileservice import options
from fileservice.addresses import networks_of
from tests.conftest import manage


def problems(root: Path, **chosen: str) -> list[str]:
    environ = {f"FILESERVICE_{name}": value for name, value in chosen.items()}
    return [p.id for p in options.read({"FILESERVICE_ROOT": str(root), **environ})[1]]


def test_nothing_has_to_be_chosen(tmp_path: Path) -> None:
    chosen, wrong = options.read({"FILESERVICE_ROOT": str(tmp_path)})

    assert wrong == ()
    assert chosen.access is None
    assert chosen.token == ""
    assert chosen.hosts == ("localhost", "127.0.0.1", "[::1]")
    assert chosen.max_upload_bytes == 10 << 30
    assert chosen.database == tmp_path / "fileservice.sqlite3"


def test_the_current_folder_is_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert options.read({})[0].root == tmp_path


@pytest.mark.parametrize(
    ("name", "value", "id"),
    [
        ("ROOT", "/nonexistent/folder", "E001"),
        ("ACCESS", "public", "E002"),
        ("TOKEN", "short", "E003"),
        ("TOKEN", "é" * 40, "E003"),
        ("TOKEN_FILE", "/nonexistent/file", "E003"),
        ("MAX_UPLOAD_BYTES", "0", "E004"),
        ("MAX_UPLOAD_BYTES", "1e9", "E004"),
        ("MAX_UPLOAD_BYTES", "-1", "E004"),
        ("MAX_UPLOAD_BYTES", "٣", "E004"),
        ("MIN_FREE_BYTES", "some", "E005"),
        ("BODY_WAIT_SECONDS", "0", "E006"),
        ("MIN_BYTES_PER_SECOND", "fast", "E007"),
        ("SECRET_KEY_FILE", "/nonexistent/file", "E008"),
        ("MAX_UPLOAD_SIZE", "1", "E009"),
        ("FETCH_ALLOW_NETWORKS", "10.0.0.0/33", "E012"),
        ("FETCH_ALLOW_NETWORKS", "10.0.0.1/8", "E012"),
        ("FETCH_ALLOW_NETWORKS", "intern.example", "E012"),
        ("TEMPLATE_URLS", "https://c.example/award.pdf", "E013"),
        ("TEMPLATE_URLS", "Award=https://c.example/award.pdf", "E013"),
        ("TEMPLATE_URLS", "award=ftp://c.example/award.pdf", "E013"),
        ("TEMPLATE_URLS", "award=c.example/award.pdf", "E013"),
        ("TEMPLATE_URLS", "a=https://c.example/ a=https://d.example/", "E013"),
        ("TEMPLATE_HOSTS", "https://c.example", "E014"),
        ("TEMPLATE_HOSTS", "c.example/", "E014"),
        ("TEMPLATE_HOSTS", "c.example/templates", "E014"),
        ("TEMPLATE_HOSTS", "c.example?a", "E014"),
        ("TEMPLATE_HOSTS", "*.example", "E014"),
        ("TEMPLATE_HOSTS", "c.example:0", "E014"),
        ("TEMPLATE_HOSTS", "user@c.example", "E014"),
        ("HOME_PANELS", "-news=https://c.example/", "E015"),
        ("HOME_PANELS", "news=javascript:alert(1)", "E015"),
        ("HOME_PANELS", "news", "E015"),
        ("FONT_DIRS", "/nonexistent/fonts", "E016"),
        ("CORS_ORIGINS", "app.example", "E021"),
        ("CORS_ORIGINS", "https://app.example/", "E021"),
        ("CORS_ORIGINS", "https://app.example?", "E021"),
        ("CORS_ORIGINS", "https://app.example/page", "E021"),
        ("CORS_ORIGINS", "https://user@app.example", "E021"),
        ("CORS_ORIGINS", "https://*.example", "E021"),
        ("CORS_ORIGINS", "https://app.example *", "E021"),
        ("CORS_ORIGINS", "null", "E021"),
        ("CLAMD", "clamd.sock", "E040"),
        ("CLAMD", ":3310", "E040"),
        ("CLAMD", "localhost:0", "E040"),
        ("CLAMD", "localhost:65536", "E040"),
        ("CLAMD", "a host:3310", "E040"),
        ("CLAMD_TOO_LARGE", "delete", "E041"),
    ],
)
def test_a_wrong_choice_has_its_check_id(tmp_path: Path, name: str, value: str, id: str) -> None:
    assert f"fileservice.{id}" in problems(tmp_path, **{name: value})


def test_what_other_hosts_are_for_is_read(tmp_path: Path) -> None:
    chosen, wrong = options.read(
        {
            "FILESERVICE_ROOT": str(tmp_path),
            "FILESERVICE_FETCH_ALLOW_NETWORKS": "10.0.0.0/8  fd00::/8",
            "FILESERVICE_TEMPLATE_URLS": "award=https://c.example/a.pdf?b=c d-1=http://10.0.0.7:81",
            "FILESERVICE_TEMPLATE_HOSTS": "C.example d.example:8443 [2001:DB8::1]",
            "FILESERVICE_HOME_PANELS": "\u0410\u043a\u0446\u0438\u0438=https://a.example/ b_c=https://b.example/",
        }
    )

    assert wrong == ()
    assert chosen.fetch_allow_networks == set(networks_of("10.0.0.0/8 fd00::/8"))
    urls = {name: str(url) for name, url in chosen.template_urls.items()}
    assert urls == {"award": "https://c.example/a.pdf?b=c", "d-1": "http://10.0.0.7:81/"}
    hosts = {("c.example", 443), ("d.example", 8443), ("2001:db8::1", 443)}
    assert chosen.template_hosts == hosts
    assert list(chosen.home_panels) == ["\u0410\u043a\u0446\u0438\u0438", "b_c"]


@pytest.mark.parametrize(
    ("chosen", "origins"),
    [
        ("", ()),
        ("*", ("*",)),
        (
            "HTTPS://App.Example:443 http://[2001:DB8::1]:80",
            ("https://app.example", "http://[2001:db8::1]"),
        ),
        (
            "http://a.example:8080  https://b.example:80",
            ("http://a.example:8080", "https://b.example:80"),
        ),
    ],
)
def test_origins_are_read_into_the_spelling_of_browsers(
    tmp_path: Path, chosen: str, origins: tuple[str, ...]
) -> None:
    read, wrong = options.read(
        {"FILESERVICE_ROOT": str(tmp_path), "FILESERVICE_CORS_ORIGINS": chosen}
    )

    assert wrong == ()
    assert read.cors_origins == origins


def test_a_wrong_access_is_never_taken_for_open(tmp_path: Path) -> None:
    chosen, _ = options.read({"FILESERVICE_ROOT": str(tmp_path), "FILESERVICE_ACCESS": "opem"})

    assert chosen.access == "private"


def test_secrets_come_from_files_too(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t" * 40 + "\n")

    chosen, wrong = options.read(
        {"FILESERVICE_ROOT": str(tmp_path), "FILESERVICE_TOKEN_FILE": str(token)}
    )

    assert wrong == ()
    assert chosen.token == "t" * 40


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    first = options.read({"FILESERVICE_ROOT": str(tmp_path)})[0].secret_keys
    second = options.read({"FILESERVICE_ROOT": str(tmp_path)})[0].secret_keys

    assert first == second
    assert len(first[0]) >= 50
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def test_what_is_made_is_for_its_owner_only(tmp_path: Path) -> None:
    options.read({"FILESERVICE_ROOT": str(tmp_path)})

    made = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert made == {"secret_key": 0o600, "fileservice.sqlite3": 0o600}


def test_a_root_without_room_for_the_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "fileservice.sqlite3").symlink_to("/nonexistent/folder/file")

    assert problems(tmp_path) == ["fileservice.E001"]


def test_a_key_that_another_process_made_first_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret_key").write_text("k" * 50)
    monkeypatch.setattr(Path, "exists", lambda self: False)  # what the slower of two processes saw

    assert options.read({"FILESERVICE_ROOT": str(tmp_path)})[0].secret_keys == ("k" * 50,)


def test_no_key_can_be_kept_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "secret_key").mkdir()

    assert problems(tmp_path) == ["fileservice.E008"]
    assert problems(tmp_path, SECRET_KEY="k" * 50) == []


def test_all_wrong_choices_are_told_at_once_and_stop_the_start(tmp_path: Path) -> None:
    refused = manage(tmp_path, "serve", ACCESS="nobody", MAX_UPLOAD_BYTES="many")

    assert refused.returncode == 1
    assert "fileservice.E002" in refused.stderr
    assert "fileservice.E004" in refused.stderr


@pytest.mark.parametrize(
    ("chosen", "address"),
    [
        ("", None),
        ("/run/clamav/clamd.ctl", Path("/run/clamav/clamd.ctl")),
        ("Localhost:3310", ("localhost", 3310)),
        ("[::1]:3310", ("::1", 3310)),
    ],
)
def test_where_the_scanner_is_is_read(tmp_path: Path, chosen: str, address: object) -> None:
    read, wrong = options.read({"FILESERVICE_ROOT": str(tmp_path), "FILESERVICE_CLAMD": chosen})

    assert wrong == ()
    assert read.clamd == address


def test_redis_for_the_rates_needs_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)  # as where it is not installed

    assert problems(tmp_path, LIMITS_URL="async+redis://127.0.0.1:6379/0") == ["fileservice.E034"]
