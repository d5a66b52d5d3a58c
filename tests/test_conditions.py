from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fileservice.conditions import (
    Conditions,
    Version,
    is_fresh,
    is_same,
    names,
    names_strongly,
)
from fileservice.errors import PreconditionFailed

ETAG = '"5f3c"'
VERSION = Version(ETAG, datetime(2026, 11, 21, 8, 30, 15, 999_999, tzinfo=UTC))
SAME = "Sat, 21 Nov 2026 08:30:15 GMT"
SAME_RFC850 = "Saturday, 21-Nov-26 08:30:15 GMT"
SAME_ASCTIME = "Sat Nov 21 08:30:15 2026"
EARLIER = "Sat, 21 Nov 2026 08:30:14 GMT"
LATER = "Sat, 21 Nov 2026 08:30:16 GMT"
UNREADABLE = ["", "now", "0", "Sat, 32 Nov 2026 08:30:15 GMT", f"{SAME}, {SAME}", "2026-11-21"]


@pytest.mark.parametrize(
    ("field", "weakly", "strongly"),
    [
        ('"5f3c"', True, True),
        ('W/"5f3c"', True, False),
        ('"5f3d"', False, False),
        ('"5F3C"', False, False),
        ('"a", "5f3c"', True, True),
        ('"a","5f3c","b"', True, True),
        ('"a" ,\tW/"5f3c"', True, False),
        (', ,"5f3c",,', True, True),
        ('"a,5f3c"', False, False),
        ('"", "5f3c"', True, True),
        ("*", True, True),
        ("", False, False),
        ("5f3c", False, False),
        ("'5f3c'", False, False),
        ('"5f3c', False, False),
        ('w/"5f3c"', False, False),
        ('W/ "5f3c"', False, False),
        ('"a" "5f3c"', False, False),
        ('"5f3c", nonsense', False, False),
        ('*, "5f3c"', False, False),
        ('"5f3c"\n', False, False),
        ('"a b", "5f3c"', False, False),
    ],
)
def test_a_list_of_tags_names_those_that_are_in_it(
    field: str, weakly: bool, strongly: bool
) -> None:
    assert names(field, ETAG) is weakly
    assert names_strongly(field, ETAG) is strongly


def test_a_weak_tag_is_never_the_same_strongly() -> None:
    assert names('W/"5f3c"', 'W/"5f3c"')
    assert names('"5f3c"', 'W/"5f3c"')
    assert not names_strongly('W/"5f3c"', 'W/"5f3c"')


@given(st.lists(st.text("!#az,é\\ÿ", max_size=4), max_size=5), st.text("!#az,é\\ÿ", max_size=4))
def test_any_list_of_tags_is_read_back(opaque: list[str], wanted: str) -> None:
    field = " , ".join(f'"{tag}"' for tag in opaque)

    assert names_strongly(field, f'"{wanted}"') is (wanted in opaque)


@pytest.mark.parametrize(
    "conditions",
    [
        Conditions(if_match='"other"'),
        Conditions(if_match='W/"5f3c"'),
        Conditions(if_match=""),
        Conditions(if_match="5f3c"),
        Conditions(if_match='"other"', if_unmodified_since=LATER),
        Conditions(if_match='"other"', if_none_match=ETAG),
        Conditions(if_unmodified_since=EARLIER),
        Conditions(if_unmodified_since=EARLIER, if_none_match=ETAG),
        Conditions(if_unmodified_since=EARLIER, if_modified_since=LATER),
    ],
)
def test_a_version_that_is_not_ours_is_refused(conditions: Conditions) -> None:
    with pytest.raises(PreconditionFailed):
        is_fresh(conditions, VERSION)


@pytest.mark.parametrize(
    "conditions",
    [
        Conditions(if_none_match=ETAG),
        Conditions(if_none_match='W/"5f3c"'),
        Conditions(if_none_match="*"),
        Conditions(if_none_match=ETAG, if_modified_since=EARLIER),
        Conditions(if_modified_since=SAME),
        Conditions(if_modified_since=SAME_RFC850),
        Conditions(if_modified_since=SAME_ASCTIME),
        Conditions(if_modified_since=LATER),
        Conditions(if_match=ETAG, if_none_match=ETAG),
        Conditions(if_match="*", if_modified_since=SAME),
        Conditions(if_unmodified_since=SAME, if_modified_since=SAME),
    ],
)
def test_a_copy_that_is_still_good_is_spared(conditions: Conditions) -> None:
    assert is_fresh(conditions, VERSION)


@pytest.mark.parametrize(
    "conditions",
    [
        Conditions(),
        Conditions(if_match=ETAG),
        Conditions(if_match=f'"other", {ETAG}', if_unmodified_since=EARLIER),
        Conditions(if_unmodified_since=SAME),
        Conditions(if_unmodified_since=LATER),
        Conditions(if_none_match='"other"'),
        Conditions(if_none_match='"other"', if_modified_since=LATER),
        Conditions(if_none_match="nonsense", if_modified_since=LATER),
        Conditions(if_none_match="", if_modified_since=LATER),
        Conditions(if_modified_since=EARLIER),
        *(Conditions(if_modified_since=date) for date in UNREADABLE),
        *(Conditions(if_unmodified_since=date) for date in UNREADABLE),
    ],
)
def test_any_other_condition_lets_the_request_proceed(conditions: Conditions) -> None:
    assert not is_fresh(conditions, VERSION)


@pytest.mark.parametrize(
    ("field", "same"),
    [
        (ETAG, True),
        ('W/"5f3c"', False),
        ('"other"', False),
        (f'{ETAG}, "other"', False),
        ("*", False),
        (SAME, True),
        (SAME_RFC850, True),
        (SAME_ASCTIME, True),
        (EARLIER, False),
        (LATER, False),
        *((date, False) for date in UNREADABLE),
    ],
)
def test_a_range_is_added_to_the_same_version_only(field: str, same: bool) -> None:
    assert is_same(field, VERSION) is same
