"""What a killed process left behind."""

import os
import time
from pathlib import Path

from tests.conftest import Server, manage, serving

DAY = 24 * 3600


def age(path: Path, seconds: int) -> None:
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


def plant(root: Path, place: str, seconds: int) -> Path:
    path = root / "uploads" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"left behind")
    age(path, seconds)
    return path


def test_a_start_removes_what_is_old_and_belongs_to_no_file(migrated: Path, tmp_path: Path) -> None:
    with serving(migrated, ACCESS="open") as running:
        put = running.ask("PUT", "/files/a", b"kept", {"Accept": "application/json"})
        [kept] = running.stored()
        age(kept, 2 * DAY)
        draft = plant(running.root, "incoming/" + "a" * 26, 2 * DAY)
        fresh = plant(running.root, "incoming/" + "b" * 26, DAY // 2)
        orphan = plant(running.root, "cc/" + "c" * 26, 2 * DAY)
        young = plant(running.root, "dd/" + "d" * 26, DAY // 2)

        done = manage(running.root, "sweep", ACCESS="open")

        assert done.stdout == "2 leftovers removed.\n", done.stderr
        assert running.stored() == sorted([kept, fresh, young])
        assert not draft.exists()
        assert not orphan.exists()
        id = put.json["files"][0]["id"]
        assert running.ask("GET", f"/files/{id}").body == b"kept"


def test_a_service_sweeps_by_itself(server: Server) -> None:
    draft = plant(server.root, "incoming/" + "e" * 26, 2 * DAY)
    with serving(server.root, ACCESS="open") as running:
        while any(path.name == draft.name for path in running.stored()):
            assert running.ask("GET", "/livez").status == 200
    draft.unlink()
