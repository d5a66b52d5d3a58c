"""`python -m bench [row ...]`: run the rows and write bench/results.md."""

import argparse
import contextlib
import datetime
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping

from bench import report
from bench.environment import HERE, Absent
from bench.figures import Row
from bench.machine import machine, versions
from bench.race import DISK, GIB, MEMORY, MIB, Terms, folder_below, without_paths
from bench.rows import (
    archives,
    batches,
    certificates,
    downloads,
    engines,
    fuller,
    latency,
    memory,
    panels,
    remote_templates,
    resumables,
    sessions,
    uploads,
)
from bench.servers import DidNotStart

RESULTS = HERE / "results.md"

ROWS: Mapping[str, Callable[[Terms], Row]] = {
    "form-memory": uploads.form_upload_in_memory,
    "form-disk": uploads.form_upload_on_disk,
    "put-memory": uploads.put_in_memory,
    "put-disk": uploads.put_on_disk,
    "small-uploads": uploads.small_uploads,
    "huge-upload": memory.huge_upload,
    "slow-uploads": memory.many_slow_uploads,
    "patch-memory": resumables.patch_in_memory,
    "patch-disk": resumables.patch_on_disk,
    "small-resumables": resumables.small_in_two,
    "small-at-once": resumables.small_in_one,
    "far-resumables": resumables.far,
    "small-downloads": downloads.small_downloads,
    "big-download": downloads.big_download,
    "archive-of-many": archives.archive_of_many,
    "archive-of-one": archives.archive_of_one,
    "certificates": certificates.certificates,
    "named-certificates": certificates.named_certificates,
    "engine": certificates.engine,
    "engines": engines.engines,
    "fuller-certificates": fuller.fuller,
    "batch": batches.batch,
    "latency": latency.small_requests_beside_uploads,
    "sessions": sessions.over_tls,
    "sessions-plain": sessions.plain,
    "sessions-far": sessions.far_over_tls,
    "remote-templates": remote_templates.remote_templates,
    "home-panels": panels.home_panels,
}


def main() -> None:
    """Run the rows that were asked for; all of them, unhurried, go into the file."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="row", help=f"of: {', '.join(ROWS)}")
    parser.add_argument("--quick", action="store_true", help="small files, one short round")
    asked = parser.parse_args()
    unknown = set(asked.rows) - set(ROWS)
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    # So that everything is ended and removed when the bench is asked to stop.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    _allow_many_connections()
    start = time.monotonic()
    with terms(quick=asked.quick) as agreed:
        rows = {name: run(name, agreed) for name in asked.rows or ROWS}
    minutes = (time.monotonic() - start) / 60
    now = datetime.datetime.now(datetime.UTC)
    page = report.page(
        rows,
        facts=machine(DISK, MEMORY),
        versions=versions(),
        taken=f"{now:%Y-%m-%d}, {agreed.rounds} rounds, {minutes:.0f} minutes",
    )
    if asked.rows or asked.quick:
        print(page)
    else:
        RESULTS.write_text(page)
        print(f"Written to {RESULTS.relative_to(HERE.parent)}")


@contextlib.contextmanager
def terms(*, quick: bool) -> Iterator[Terms]:
    """Yield the terms of this run; the large file lives as long as the block."""
    big_bytes = (32 if quick else 512) * MIB
    try:
        with folder_below(MEMORY) as folder:
            big_file = folder / "big.bin"
            with big_file.open("wb") as file:
                for _ in range(big_bytes // MIB):
                    file.write(os.urandom(MIB))
            yield Terms(
                rounds=1 if quick else 3,
                seconds=1 if quick else 4,
                big_bytes=big_bytes,
                huge_bytes=GIB // 4 if quick else 5 * GIB,
                crowd=100 if quick else 1000,
                big_file=big_file,
            )
    finally:
        shutil.rmtree(DISK, ignore_errors=True)


def run(name: str, agreed: Terms) -> Row:
    """Run one row, and say how long it took."""
    start = time.monotonic()
    print(f"{name} ...", end=" ", flush=True)
    try:
        row = ROWS[name](agreed)
    except (Absent, DidNotStart) as reason:
        row = Row(name, (), {}, {"the other host": without_paths(str(reason))}, ())
    print(f"{time.monotonic() - start:.0f} s", flush=True)
    return row


def _allow_many_connections() -> None:
    """Raise the limit of open files for the servers too: a thousand uploads take two each."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main()
