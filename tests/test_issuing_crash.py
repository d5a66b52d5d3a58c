"""What was told as issued is issued: killed at system calls, and on failing disks."""

import hashlib
import http.client
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, START_SECONDS, Server, serving
from tests.pdfs import page_of
from tests.test_crash import injecting
from tests.test_issuing import JSON, TYPED, issue, order

pytestmark = pytest.mark.long


def put_template(server: Server, name: str, *, width: int) -> None:
    """Give the service a template; those of one width share their block."""
    folder = server.root / "pdf_templates"
    folder.mkdir(exist_ok=True)
    text = b"BT /F1 14 Tf 60 700 Td (For %name% on %timestamp%) Tj ET"
    (folder / f"{name}.pdf").write_bytes(page_of(text, box=b"0 0 %d 842" % width))


def rows(server: Server) -> dict[str, str]:
    """Return the digest of each row by its id."""
    listed = subprocess.run(
        [
            *(sys.executable, "manage.py", "shell", "-v", "0", "-c"),
            "from fileservice.models import Certificate\n"
            "import json\n"
            "print(json.dumps(dict(Certificate.objects.values_list('id', 'sha256'))))",
        ],
        env=os.environ | {"FILESERVICE_ROOT": str(server.root)},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, str] = json.loads(listed.stdout)
    return found


@pytest.mark.parametrize(
    "fault",
    [
        "fsync:signal=KILL:when=1",
        "fsync:signal=KILL:when=2",
        "rename,renameat,renameat2:signal=KILL:when=1",
        "rename,renameat,renameat2:signal=KILL:when=2",
        "pwrite64:signal=KILL:when=1",
        "pwrite64:signal=KILL:when=2",
        "fdatasync:signal=KILL:when=1",
    ],
)
def test_a_kill_at_any_step_loses_no_certificate_that_was_told(migrated: Path, fault: str) -> None:
    with serving(migrated, ACCESS="open") as running:
        put_template(running, "first", width=500)
        put_template(running, "second", width=600)
        told = [issue(running, template="first", values={"name": "Ada"})]
        with injecting(running, fault), suppress(OSError, http.client.HTTPException):
            told.append(issue(running, template="second", values={"name": "Ada"}))
        running.process.kill()
        running.process.wait(START_SECONDS)

        with serving(running.root, ACCESS="open") as restarted:
            kept = rows(restarted)
            contents = {id: restarted.ask("GET", f"/certificates/{id}").body for id in kept}
            issue(restarted, template="second", values={"name": "Grace"})

    assert {one["id"] for one in told} <= kept.keys()
    assert {id: hashlib.sha256(content).hexdigest() for id, content in contents.items()} == kept


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("fsync:error=EIO:when=1", 500),
        ("fsync:error=ENOSPC:when=1", 507),
        ("rename,renameat,renameat2:error=ENOSPC:when=2", 507),
    ],
)
def test_an_error_of_the_disk_issues_nothing(migrated: Path, fault: str, status: int) -> None:
    with serving(migrated, ACCESS="open") as running:
        put_template(running, "second", width=600)
        with injecting(running, fault):
            failed = running.ask("POST", "/certificates/", ordered(), JSON | TYPED)
        none = rows(running)
        left = list((running.root / "certificates").iterdir())
        again = running.ask("POST", "/certificates/", ordered(), JSON | TYPED)

    assert failed.status == status
    assert none == {}
    assert len(left) <= 1  # a block that nobody needs yet, but no draft
    assert not any(path.name.startswith(".") for path in left)
    assert again.status == 201


def ordered() -> bytes:
    return order(template="second", values={"name": "Ada"})
