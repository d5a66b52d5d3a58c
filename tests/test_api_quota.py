"""What one uses and may use, by the API."""

from pathlib import Path

from tests.callers import calling

NOTHING = {"used_bytes": None, "used_files": None, "max_bytes": None, "max_files": None}


def test_what_is_used_and_may_be_is_told(migrated: Path) -> None:
    with calling(migrated, QUOTA_BYTES="100000") as api:
        before = api.ask("ada", "GET", "/quota").json
        id = api.put("ada", "a", b"x" * 700)["id"]
        between = api.ask("reads", "GET", "/quota").json
        api.ask("ada", "DELETE", f"/files/{id}")
        after = api.ask("ada", "GET", "/quota").json
        others = api.ask("shared", "GET", "/quota").json

    assert before == {"counted": True, **NOTHING, "max_bytes": 100_000} | {
        "used_bytes": 0,
        "used_files": 0,
    }
    assert (between["used_bytes"], between["used_files"]) == (700, 1)
    assert after == before
    assert others == {"counted": False, **NOTHING}
