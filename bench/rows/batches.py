"""How long a batch of certificates takes."""

import os
import subprocess
import sys
import time
from pathlib import Path

from bench.contenders import PROJECT, TEMPLATE, our_environment
from bench.figures import OURS, Bound, Measure, Row
from bench.race import DISK, Terms, folder_below

WALL = Measure("wall", "s")
SIZE = Measure("ZIP file", "MiB")

CERTIFICATES = 10_000
MIB = 1 << 20
TURN_SECONDS = 180.0


def batch(terms: Terms) -> Row:
    with folder_below(DISK) as root:
        people = root / "people.csv"
        lines = [f"Ada Lovelace {number},Analytical Engines" for number in range(CERTIFICATES)]
        people.write_text("\n".join(["name,course", *lines]))
        env = os.environ | our_environment(root)
        subprocess.run([sys.executable, str(PROJECT / "manage.py"), "migrate"], env=env, check=True)
        samples = [one_batch(people, root / "out.zip", env) for _ in range(terms.rounds)]
    return Row(
        f"A batch of {CERTIFICATES:,} certificates, disk",
        (WALL, SIZE),
        {OURS: samples},
        {},
        (Bound(WALL, 10),),
        (
            "`manage.py certificates issue` from the command to the whole ZIP file: the start of "
            f"Python, the list, a kept row each, {CERTIFICATES:,} names in the shipped template of "
            f"{TEMPLATE.stat().st_size / 1000:.0f} KB, one process each core.",
        ),
    )


def one_batch(people: Path, out: Path, env: dict[str, str]) -> dict[str, float]:
    """Return what one run of the command took and made."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, str(PROJECT / "manage.py"), "certificates", "issue", people, "--out", out],
        env=env,
        capture_output=True,
        timeout=TURN_SECONDS,
        check=True,
    )
    taken = time.perf_counter() - start
    size = out.stat().st_size
    out.unlink()
    return {WALL.name: taken, SIZE.name: size / MIB}
