"""What docs/conformance.md says of a server that others wrote is what the suite finds."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.points import MUST
from tests.conformance.table import Point, columns_of
from tests.conftest import CHECKOUT
from tests.resumingclients import tus_node_server

COLUMN = "@tus/server 2.4.5"
RUN_SECONDS = 540
DAY_MILLISECONDS = 86_400_000


@pytest.mark.long
def test_the_table_tells_what_the_suite_finds(node: str, tmp_path: Path) -> None:
    options = {"maxSize": 1 << 30, "expirationPeriodInMilliseconds": DAY_MILLISECONDS}
    table = tmp_path / "table.md"
    with tus_node_server(node, tmp_path / "files", **options) as (host, port):
        command = [sys.executable, "-m", "pytest", "tests/conformance"]
        command += ["--url", f"http://{host}:{port}/files"]
        command += ["--table", str(table), f"--column={COLUMN}"]
        subprocess.run(command, cwd=CHECKOUT, capture_output=True, timeout=RUN_SECONDS, check=False)

    # What it should do differs from run to run where lines break.
    assert demands(table) == demands(CHECKOUT / "docs" / "conformance.md")


def demands(page: Path) -> dict[Point, str]:
    """Return what became of what the specifications demand."""
    lines = [line for line in page.read_text().splitlines() if line.startswith("|")]
    cells = columns_of(lines)[COLUMN]
    return {point: text for point, text in cells.items() if point.level == MUST}
