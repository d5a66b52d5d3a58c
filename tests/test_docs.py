"""What the documentation says, compared with the program, and its recipes, run."""

import importlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from django.urls import URLPattern

import fileservice
import fileservice.pdf.errors  # part of the tree of errors
from fileservice import options, urls
from fileservice.errors import FileserviceError
from tests.conftest import CHECKOUT, Server, need_program, serving

README = CHECKOUT / "README.md"
API = CHECKOUT / "docs" / "api.md"
DECISIONS = CHECKOUT / "docs" / "decisions"
MADE_LATER = (CHECKOUT / "bench" / ".peers", CHECKOUT / "tests" / "node" / "node_modules")
TOKEN = "correct-horse-battery-staple-0123456789"  # noqa: S105 - of a service that lives for a test

# In pieces, or this page would be the first to break its own rule.
REGISTRIES = tuple(
    ".".join(parts).encode()
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("deb", "debian", "org"),
        ("proxy", "golang", "org"),
    )
)
MACHINE_PATH = re.compile(rb"(?<![\w.}#)-])/(?:work|root|home|tmp|Users)/\w")


def tracked(*patterns: str) -> list[Path]:
    """Return the files that git keeps, or would keep next."""
    listed = subprocess.run(
        [
            *(need_program("git"), "-C", str(CHECKOUT), "ls-files", "-z", "--cached"),
            *("--others", "--exclude-standard", "--", *patterns),
        ],
        capture_output=True,
        check=True,
    )
    paths = (CHECKOUT / os.fsdecode(path) for path in listed.stdout.split(b"\0") if path)
    return [path for path in paths if path.is_file()]


def section(page: Path, heading: str) -> str:
    """Return a page from a heading of the second level to the next."""
    return page.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of the tables of a text, without their heads."""
    lines = re.findall(r"^\|(.*)\|$", text, re.MULTILINE)
    tables = [[cell.strip() for cell in line.split(" | ")] for line in lines]
    return [cells for cells in tables if cells[0].startswith("`") or cells[-1].startswith("`")]


def settings_table() -> dict[str, list[str]]:
    """Return default, meaning and check of each variable in the README."""
    found = rows(section(README, "Settings"))
    return {name.strip("`"): cells for name, *cells in found}


class Watched(dict[str, str]):
    """An environment that notes which variables are asked for."""

    def __init__(self, **values: str) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def get(self, key: str, default: str = "") -> str:  # type: ignore[override]  # all that is used
        self.asked.add(key)
        return super().get(key, default)


def test_every_setting_is_documented_and_no_other(tmp_path: Path) -> None:
    environ = Watched(FILESERVICE_ROOT=str(tmp_path))
    options.read(environ)

    assert set(settings_table()) == environ.asked


def test_the_defaults_are_those_that_are_documented(tmp_path: Path) -> None:
    chosen, _ = options.read({"FILESERVICE_ROOT": str(tmp_path)})
    told = {name: re.match("`([^`]*)`", cells[0]) for name, cells in settings_table().items()}

    for name, literal in told.items():
        default = getattr(chosen, name.removeprefix("FILESERVICE_").lower(), None)
        if isinstance(default, int | tuple) and default != ():
            words = " ".join(default) if isinstance(default, tuple) else str(default)
            words = {"False": "no"}.get(words, words)
            assert literal, name
            assert literal[1] == words
        else:
            assert literal is None, name


def test_the_checks_are_those_that_are_documented(tmp_path: Path) -> None:
    for name, cells in settings_table().items():
        environ = {"FILESERVICE_ROOT": str(tmp_path), name: "\u00e9"}
        problems = {problem.id for problem in options.read(environ)[1]}

        assert problems <= set(re.findall(r"fileservice\.E\d{3}", cells[2])), name


def test_no_two_settings_share_a_check() -> None:
    told = {
        (name.removesuffix("_FILE"), id)
        for name, cells in settings_table().items()
        for id in re.findall(r"fileservice\.E\d{3}", cells[2])
    }

    assert len({id for _, id in told}) == len(told)


def kinds(kind: type[FileserviceError] = FileserviceError) -> Iterator[type[FileserviceError]]:
    """Yield the tree of errors."""
    yield kind
    for child in kind.__subclasses__():
        yield from kinds(child)


def test_every_error_code_is_documented_with_its_status() -> None:
    told = {code.strip("`"): int(status) for code, status, *_ in rows(section(API, "Problems"))}

    assert told == {kind.code: kind.status for kind in kinds()}


def test_the_limits_are_those_that_are_documented() -> None:
    for what, told, constant in rows(section(API, "Limits")):
        module, _, name = constant.strip("`").rpartition(".")
        value = getattr(importlib.import_module(module), name)

        assert float(told.replace(",", "")) == value, what


def test_every_route_is_documented() -> None:
    page = API.read_text()
    for route in urls.native:
        assert isinstance(route, URLPattern)
        path = re.sub(r"<\w+:(\w+)>", r"<\1>", str(route.pattern))
        if not path.startswith("^"):
            assert f"`/{path}`" in page, path
    # The one that is written as a regular expression.
    assert "`/files/<id>`" in page
    assert "`/files/<name>`" in page


def slug(heading: str) -> str:
    """Return the anchor that forges give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_links_lead_somewhere() -> None:
    for page in tracked("*.md"):
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = unquote(link).partition("#")
            target = (page.parent / path).resolve() if path else page
            if link.startswith(("http:", "https:")) or target in MADE_LATER:
                continue

            assert target.exists(), (page, link)
            if anchor:
                headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
                assert anchor in map(slug, headings), (page, link)


def test_tests_and_modules_that_are_named_exist() -> None:
    written = "\n".join(path.read_text() for path in tracked("tests/*.py"))
    facts = set(re.findall(r"def (test_\w+)\(", written))
    for page in tracked("*.md"):
        text = page.read_text()
        assert set(re.findall(r"`(test_\w+)`", text)) <= facts, page
        for path in re.findall(r"`((?:fileservice|tests|docs|bench|requirements)/[\w./]*)`", text):
            named = CHECKOUT / path
            assert named.exists() or named in MADE_LATER, (page, path)


def test_targets_of_make_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    for page in tracked("*.md"):
        named = re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.MULTILINE)
        assert set(named) <= targets, page


def test_decisions_are_short_dated_and_listed() -> None:
    listed = (DECISIONS / "README.md").read_text()
    for page in DECISIONS.glob("0*.md"):
        lines = page.read_text().splitlines()

        assert len(lines) <= 40, page
        assert lines[0].startswith(f"# {page.name[:4]}: "), page
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", lines[2]), page
        assert f"]({page.name})" in listed, page


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## \[([^]]+)\]", (CHECKOUT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert versions[:2] == ["Unreleased", fileservice.__version__]


def test_no_file_names_a_registry_or_a_place_on_somebodys_machine() -> None:
    for path in tracked():
        content = path.read_bytes()

        assert not any(host in content for host in REGISTRIES), path
        assert not MACHINE_PATH.search(content), path


def recipes(text: str) -> list[str]:
    """Return what a text tells to type."""
    return re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def run(script: str, folder: Path, **environ: str) -> None:
    """Run a recipe beside the files it speaks of; an answer that is an error ends it."""
    for program in ("bash", "curl", "openssl"):
        need_program(program)
    shutil.copy(CHECKOUT / "pdf_templates" / "certificate.pdf", folder / "report.pdf")
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much of a photo")
    (folder / "folder").mkdir(exist_ok=True)
    (folder / "people.csv").write_text("name,course\nAda Lovelace,Analysis\n")
    shutil.copy(CHECKOUT / "pdf_templates" / "certificate.pdf", folder / "diploma.pdf")
    fail = 'curl() { command curl --fail --silent --show-error "$@"; }\n'
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", fail + script],
        cwd=folder,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_recipes_of_the_readme_work(server: Server, tmp_path: Path) -> None:
    script = "".join(recipes(section(README, "From a terminal"))).split("export TOKEN=")[0]
    (server.root / "pdf_templates").mkdir(exist_ok=True)
    (tmp_path / "pdf_templates").symlink_to(server.root / "pdf_templates")
    run(script.replace("http://127.0.0.1:8000", server.url), tmp_path)

    report = (tmp_path / "report.pdf").read_bytes()
    assert (tmp_path / "copy.pdf").read_bytes() == report
    assert (tmp_path / "part.pdf").read_bytes() == report
    assert (tmp_path / "certificate.pdf").read_bytes().startswith(b"%PDF-")


def test_the_recipes_for_a_private_service_work(migrated: Path, tmp_path: Path) -> None:
    script = recipes(section(README, "From a terminal"))[-1]
    with serving(migrated, ACCESS="private", TOKEN=TOKEN) as private:
        run(script.replace("http://127.0.0.1:8000", private.url), tmp_path, TOKEN=TOKEN)

        assert len(private.stored()) == script.count("-T report.pdf")


def test_the_recipes_of_the_api_work(server: Server, tmp_path: Path) -> None:
    given = server.ask("PUT", "/files/notes.txt", b"x" * 500, {"Accept": "application/json"})
    [file] = given.json["files"]
    script = "".join(recipes(API.read_text()))
    run(script, tmp_path, U=server.url, url=file["url"], manage_url=file["manage_url"])

    assert (tmp_path / "notes.txt").read_bytes() == b"x" * 500
    assert server.ask("GET", f"/files/{file['id']}").status == 404
