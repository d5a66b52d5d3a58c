"""Conditional requests: RFC 9110 13."""

from email.utils import formatdate, parsedate_to_datetime

from tests.downloads.given import ALPHABET, Given


def test_if_range_adds_to_the_same_version_only(given: Given) -> None:
    modified = given.get("HEAD").headers["last-modified"]
    earlier = formatdate(parsedate_to_datetime(modified).timestamp() - 1, usegmt=True)
    allowed = [given.etag, modified]
    whole = ['"other"', f"W/{given.etag}", earlier, "nonsense", given.etag.strip('"'), "*"]

    for field in allowed:
        answer = given.get(Range="bytes=0-4", If_Range=field)
        assert (answer.status, answer.body) == (206, given.content[:5])
        assert answer.headers["etag"] == given.etag
        assert "last-modified" not in answer.headers
    for field in whole:
        answer = given.get(Range="bytes=0-4", If_Range=field)
        assert (answer.status, answer.body) == (200, given.content)
        assert given.get(Range="bytes=99999999-", If_Range=field).status == 200


def test_a_copy_that_is_still_good_is_not_sent_again(given: Given) -> None:
    modified = given.get("HEAD").headers["last-modified"]
    for fields in (
        {"If_None_Match": given.etag},
        {"If_None_Match": f'"other", W/{given.etag}'},
        {"If_None_Match": "*"},
        {"If_Modified_Since": modified},
        {"If_None_Match": given.etag, "Range": "bytes=99999999-"},
        {"If_None_Match": given.etag, "If_Modified_Since": formatdate(0, usegmt=True)},
        {"If_Match": given.etag, "If_None_Match": given.etag},
    ):
        for method in ("GET", "HEAD"):
            answer = given.get(method, **fields)

            assert (answer.status, answer.body) == (304, b"")
            assert answer.headers["etag"] == given.etag
            assert answer.headers["cache-control"] == "private, no-cache, no-transform"
            about_content = {"content-type", "content-length", "content-range", "repr-digest"}
            assert not about_content & answer.headers.keys()


def test_a_connection_goes_on_after_304(small: Given) -> None:
    with small.server.client() as client:
        first = client.ask("GET", small.path, headers={"If-None-Match": small.etag})
        second = client.ask("GET", small.path)

    assert (first.status, second.status) == (304, 200)
    assert second.body == ALPHABET


def test_a_copy_that_is_not_ours_is_replaced(given: Given) -> None:
    for fields in (
        {"If_None_Match": '"other"'},
        {"If_None_Match": given.etag.strip('"')},
        {"If_None_Match": '"other"', "If_Modified_Since": formatdate(2**32, usegmt=True)},
        {"If_Modified_Since": formatdate(0, usegmt=True)},
        {"If_Modified_Since": "yesterday"},
        {"If_Match": "*"},
        {"If_Match": f'"other", {given.etag}', "If_Unmodified_Since": formatdate(0, usegmt=True)},
    ):
        assert given.get(**fields).status == 200


def test_a_version_that_is_not_ours_is_refused(given: Given) -> None:
    for fields in (
        {"If_Match": '"other"'},
        {"If_Match": f"W/{given.etag}"},
        {"If_Match": "nonsense"},
        {"If_Match": '"other"', "Range": "bytes=99999999-"},
        {"If_Unmodified_Since": formatdate(0, usegmt=True)},
        {"If_Unmodified_Since": formatdate(0, usegmt=True), "If_None_Match": given.etag},
    ):
        for method in ("GET", "HEAD"):
            assert given.get(method, **fields).status == 412
