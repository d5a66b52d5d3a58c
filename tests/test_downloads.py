from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fileservice.conditions import Conditions, Version
from fileservice.downloads import Asked, Decision, decide, may_show
from fileservice.errors import PreconditionFailed, RangeNotSatisfiable
from fileservice.ranges import Span

ETAG = '"5f3c"'
VERSION = Version(ETAG, datetime(2026, 11, 21, 8, 30, 15, tzinfo=UTC))
SAME = "Sat, 21 Nov 2026 08:30:15 GMT"
EARLIER = "Sat, 21 Nov 2026 08:30:14 GMT"
SIZE = 100
NOTHING = Conditions()
WHOLE = Decision(200, (Span(0, SIZE),))
PART = Decision(206, (Span(0, 10),))
NOT_MODIFIED = Decision(304, ())


def ask(
    conditions: Conditions = NOTHING, *, range_: str = "", if_range: str = "", method: str = "GET"
) -> Asked:
    return Asked(method, range_, if_range, conditions)


@pytest.mark.parametrize(
    ("asked", "decision"),
    [
        (ask(), WHOLE),
        (ask(method="HEAD"), WHOLE),
        (ask(range_="bytes=0-9"), PART),
        (ask(range_="bytes=0-"), Decision(206, (Span(0, SIZE),))),
        (ask(range_="bytes=0-1,5-6"), Decision(206, (Span(0, 2), Span(5, 7)))),
        (ask(range_="bytes=0-9", method="HEAD"), WHOLE),
        (ask(range_="bytes=900-", method="HEAD"), WHOLE),
        (ask(range_="items=0-9"), WHOLE),
        (ask(range_="bytes=0-9", if_range=ETAG), PART),
        (ask(range_="bytes=0-9", if_range=SAME), PART),
        (ask(range_="bytes=0-9", if_range=EARLIER), WHOLE),
        (ask(range_="bytes=0-9", if_range='"other"'), WHOLE),
        (ask(range_="bytes=0-9", if_range='W/"5f3c"'), WHOLE),
        (ask(range_="bytes=900-", if_range='"other"'), WHOLE),
        (ask(if_range='"other"'), WHOLE),
        (ask(Conditions(if_none_match=ETAG)), NOT_MODIFIED),
        (ask(Conditions(if_none_match=ETAG), method="HEAD"), NOT_MODIFIED),
        (ask(Conditions(if_none_match=ETAG), range_="bytes=0-9"), NOT_MODIFIED),
        (ask(Conditions(if_none_match=ETAG), range_="bytes=900-"), NOT_MODIFIED),
        (ask(Conditions(if_none_match='"other"'), range_="bytes=0-9"), PART),
        (ask(Conditions(if_match=ETAG), range_="bytes=0-9"), PART),
    ],
)
def test_an_answer_is_decided(asked: Asked, decision: Decision) -> None:
    assert decide(asked, VERSION, SIZE) == decision


def test_a_precondition_counts_before_the_range() -> None:
    asked = ask(Conditions(if_match='"other"'), range_="bytes=900-")

    with pytest.raises(PreconditionFailed):
        decide(asked, VERSION, SIZE)


@pytest.mark.parametrize("if_range", ["", ETAG, SAME])
def test_a_range_past_the_end_is_refused(if_range: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        decide(ask(range_="bytes=900-", if_range=if_range), VERSION, SIZE)


fields = st.sampled_from([None, "*", "", ETAG, 'W/"5f3c"', '"other"', SAME, EARLIER])


@given(st.builds(Conditions, fields, fields, fields, fields), st.sampled_from(["bytes=0-9", ""]))
def test_a_range_changes_nothing_but_a_200(conditions: Conditions, field: str) -> None:
    try:
        without = decide(ask(conditions), VERSION, SIZE)
    except PreconditionFailed:
        with pytest.raises(PreconditionFailed):
            decide(ask(conditions, range_=field), VERSION, SIZE)
    else:
        with_range = decide(ask(conditions, range_=field), VERSION, SIZE)
        assert with_range == (PART if field and without == WHOLE else without)


@pytest.mark.parametrize(
    ("media_type", "name", "shown"),
    [
        ("image/png", "photo.png", True),
        ("image/jpeg", "PHOTO.JPG", True),
        ("video/mp4", "a.b.mp4", True),
        ("text/plain", "notes.txt", True),
        ("text/plain", "README", True),
        ("image/png", "photo.html", False),
        ("image/png", "photo", False),
        ("text/plain", "page.html", False),
        ("text/html", "page.html", False),
        ("text/html", "page.txt", False),
        ("image/svg+xml", "drawing.svg", False),
        ("application/pdf", "report.pdf", False),
        ("application/octet-stream", "photo.png", False),
        ("application/xhtml+xml", "page.xhtml", False),
        ("text/javascript", "script.js", False),
    ],
)
def test_only_what_runs_nothing_and_says_what_it_is_may_be_shown(
    media_type: str, name: str, shown: bool
) -> None:
    assert may_show(media_type, name) is shown
