"""Which server is tested, and how a test is told what it announces."""

from collections.abc import Generator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conformance.ietf import Ietf
from tests.conformance.points import SHOULD, not_announced, requires_all
from tests.conformance.table import Table, point_of
from tests.conformance.target import Target
from tests.conformance.tus import Tus
from tests.conformance.wire import DEFAULT_PORTS
from tests.conftest import serving

ORIGIN = "https://app.example"
# By the letter that begins the number of a point.
PROTOCOLS = {"t": {"tus", "creation"}, "c": {"tus", "creation"}, "r": {"ietf"}}


def pytest_configure(config: pytest.Config) -> None:
    url = config.getoption("url")
    if url is not None and urlsplit(url).scheme not in DEFAULT_PORTS:
        raise pytest.UsageError(f"--url is http://... or https://..., not {url!r}")
    path = config.getoption("table")
    if path is not None:
        config.pluginmanager.register(Table(Path(path), config.getoption("column")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        mark = item.get_closest_marker("point")
        if mark is not None and isinstance(item, pytest.Function):
            row = point_of(item.originalname, mark.args[0])
            item.user_properties.append(("point", f"{row.number}|{row.level}|{row.fact}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let what is only recommended not fail the run, but show."""
    report = yield
    mark = item.get_closest_marker("point")
    recommended = mark is not None and mark.args[0] == SHOULD
    if recommended and report.failed and not requires_all(item.config):
        report.outcome = "skipped"
        report.wasxfail = "reason: SHOULD"
    return report


@pytest.fixture(scope="session")
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the place named on the command line where uploads are created, or our own."""
    named = request.config.getoption("url")
    if named is not None:
        yield named
        return
    migrated = request.getfixturevalue("migrated")
    with serving(migrated, ACCESS="open", CORS_ORIGINS=ORIGIN) as own:
        yield f"{own.url}/files/"


@pytest.fixture(scope="session")
def target(url: str, pytestconfig: pytest.Config) -> Iterator[Target]:
    told = [line.partition(":") for line in pytestconfig.getoption("header")]
    headers = {name.strip(): value.strip() for name, _, value in told}
    found = Target(url, headers, pytestconfig.getoption("origin") or ORIGIN)
    try:
        found.discover()
    except OSError as error:
        pytest.exit(f"no answer to OPTIONS from {url}: {error}", returncode=1)
    yield found
    if pytestconfig.getoption("url") is not None:
        found.remove_all()


@pytest.fixture(autouse=True)
def announced(request: pytest.FixtureRequest) -> None:
    """Keep a test away from a server that does not announce what it needs."""
    mark = request.node.get_closest_marker("point")
    target: Target = request.getfixturevalue("target")
    protocol = PROTOCOLS[request.node.name.removeprefix("test_")[0]]
    missing = (protocol | mark.args[1]) - target.announced
    if missing:
        not_announced(request.config, missing)


@pytest.fixture(scope="session")
def tus(target: Target) -> Tus:
    return Tus(target)


@pytest.fixture(scope="session")
def ietf(target: Target) -> Ietf:
    return Ietf(target)
