"""What a test of the suite says of itself: how binding its fact is, and what it needs."""

from typing import NoReturn

import pytest

MUST = "MUST"
SHOULD = "SHOULD"
# No server has to have them, so that --require-all does not ask for them either.
OPTIONAL = {"checksum-trailer", "concatenation-unfinished"}


def must(*needs: str) -> pytest.MarkDecorator:
    """Mark what the specification demands of a server that announces all of `needs`."""
    return pytest.mark.point(MUST, frozenset(needs))


def should(*needs: str) -> pytest.MarkDecorator:
    """Mark what it only recommends, or what clients and sound HTTP ask for."""
    return pytest.mark.point(SHOULD, frozenset(needs))


def not_announced(config: pytest.Config, missing: set[str]) -> NoReturn:
    """End the test, that needs what the server does not announce."""
    reason = f"not announced: {', '.join(sorted(missing))}"
    if requires_all(config) and missing - OPTIONAL:
        pytest.fail(reason)
    pytest.skip(reason)


def requires_all(config: pytest.Config) -> bool:
    """Tell whether each point binds: asked for, or the server is our own."""
    return bool(config.getoption("require_all")) or config.getoption("url") is None
