"""Parcels by the API: made of files that are here, listed, filled, deleted with their files."""

import io
import zipfile

import pytest

from tests.callers import Api


def test_a_parcel_of_files_that_are_here_comes_as_one_archive(api: Api) -> None:
    first, second = (api.put("ada", name)["id"] for name in ("a.txt", "b.txt"))
    made = api.ask("ada", "POST", "/parcels", {"name": "Trip", "files": [first, first]})
    path = f"/parcels/{made.json['id']}"

    assert made.status == 201
    assert api.ask("ada", "POST", f"{path}/files", {"files": [second]}).status == 204
    listed = api.ask("ada", "GET", f"{path}/files").json
    assert [file["path"] for file in listed["files"]] == ["a.txt", "b.txt"]
    assert listed["next"] is None
    rest = api.ask("ada", "GET", f"{path}/files?after=a.txt").json
    assert [file["path"] for file in rest["files"]] == ["b.txt"]
    archive = api.server.ask("GET", made.json["zip_url"].removeprefix(api.server.url))
    assert zipfile.ZipFile(io.BytesIO(archive.body)).namelist() == ["a.txt", "b.txt"]
    assert api.ask("ada", "GET", f"/files/{first}").json["parcel"] == made.json["id"]
    assert made.json in api.page("ada", "/parcels")["parcels"]


def test_a_deleted_parcel_takes_its_files_with_it(api: Api) -> None:
    file = api.put("ada", "a.txt")["id"]
    id = api.ask("ada", "POST", "/parcels", {"name": "Trip", "files": [file]}).json["id"]

    assert api.ask("ada", "DELETE", f"/parcels/{id}").status == 204
    assert api.ask("ada", "DELETE", f"/parcels/{id}").status == 404
    assert api.ask("ada", "GET", f"/files/{file}").status == 404
    assert id not in {one["id"] for one in api.page("root", "/parcels")["parcels"]}


def test_parcels_and_files_of_others_are_not_there(api: Api) -> None:
    file = api.put("ada", "a.txt")["id"]
    id = api.ask("ada", "POST", "/parcels", {"name": "Trip"}).json["id"]
    bobs = api.ask("bob", "POST", "/parcels", {"name": "Mine"}).json["id"]

    assert api.ask("bob", "GET", f"/parcels/{id}").status == 404
    assert api.ask("bob", "GET", f"/parcels/{id}/files").status == 404
    assert api.ask("bob", "DELETE", f"/parcels/{id}").status == 404
    assert api.ask("bob", "POST", f"/parcels/{bobs}/files", {"files": [file]}).status == 404
    assert api.ask("bob", "POST", "/parcels", {"name": "x", "files": [file]}).status == 404
    assert {one["id"] for one in api.page("bob", "/parcels")["parcels"]} == {bobs}
    assert api.ask("root", "GET", f"/parcels/{id}").json["manage_url"] is None


@pytest.mark.parametrize(
    ("order", "status"),
    [
        ({}, 422),
        ({"name": ""}, 422),
        ({"name": "a/b"}, 400),
        ({"name": "x", "files": ["a" * 26]}, 404),
        ({"name": "x", "files": ["a" * 27]}, 422),
        ({"name": "x", "files": ["a" * 26] * 1001}, 422),
        ({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, 422),
        ({"name": "x", "restricted": "yes"}, 422),
    ],
)
def test_a_parcel_that_cannot_be_is_refused(
    api: Api, order: dict[str, object], status: int
) -> None:
    assert api.ask("ada", "POST", "/parcels", order).status == status
