"""Files that are stored once for all tests of downloads."""

import pytest

from tests.conftest import Server
from tests.downloads.given import ALPHABET, LARGE, Given, give


@pytest.fixture(scope="package")
def small(server: Server) -> Given:
    return give(server, ALPHABET, "letters.txt")


@pytest.fixture(scope="package")
def large(server: Server) -> Given:
    return give(server, LARGE, "large.bin")


@pytest.fixture(scope="package")
def empty(server: Server) -> Given:
    return give(server, b"", "empty.bin")


@pytest.fixture(scope="package", params=["small", "large"])
def given(request: pytest.FixtureRequest, small: Given, large: Given) -> Given:
    """Give a file that is sent from memory, then one that is streamed."""
    return {"small": small, "large": large}[request.param]
