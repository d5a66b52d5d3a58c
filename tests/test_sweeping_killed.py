"""A sweep that is killed at any step leaves what the next one mends."""

import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, START_SECONDS, environment, manage, need_program
from tests.test_sweeping import NOTHING, PLANTED, ids, let_go, places

pytestmark = pytest.mark.long

LEFT = [planted for planted in PLANTED if not planted.open]
ROWS = {planted.id for planted in LEFT if "row" in planted.stays.split()}
BYTES = {place for planted in LEFT for place in planted.places(planted.stays)}


def killed(root: Path, fault: str) -> bool:
    """Sweep until `fault` (strace's words) kills it; tell whether it did."""
    sweep = [sys.executable, "manage.py", "sweep", "--grace", "0"]
    strace = [need_program("strace"), "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null"]
    done = subprocess.run(
        [*strace, "-e", f"inject={fault}", *sweep],
        env=environment(root),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert done.returncode in (0, -9, 137), done.stderr
    return done.returncode != 0


@pytest.mark.parametrize("calls", ["unlink,unlinkat", "fsync,fdatasync"])
def test_a_sweep_that_is_killed_at_any_step_is_mended_by_the_next(
    migrated: Path, tmp_path: Path, calls: str
) -> None:
    for step in count(1):
        root = Path(shutil.copytree(migrated, tmp_path / str(step)))
        for planted in LEFT:
            planted.plant(root)

        was_killed = killed(root, f"{calls}:signal=KILL:when={step}")

        assert ids(root) >= ROWS
        assert places(root) >= BYTES
        let_go(root)
        mended = manage(root, "sweep", "--grace", "0")
        assert mended.returncode == 0, mended.stderr
        assert (ids(root), places(root)) == (ROWS, BYTES)
        shutil.rmtree(root)
        if not was_killed:
            assert mended.stdout == NOTHING
            assert step > 2  # of one thread; several share the work
            break
