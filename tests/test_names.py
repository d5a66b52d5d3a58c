import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fileservice.errors import BadName, NoFile
from fileservice.names import clean_name, guarded
from tests.hostile import DEVICES, NAMES, NameCase, Outcome

REFUSED = [case for case in NAMES if case.outcome is Outcome.REFUSED]
KEPT = [case for case in NAMES if case.outcome is Outcome.KEPT]
MENDED = [case for case in NAMES if case.outcome is Outcome.MENDED]

# What turns into something else when a neighbour is dropped, decoded, composed or cut off.
_TROUBLE = [
    *'%&#;.-~_$ <:"?/aecxu0257f',
    *("%2", "%2f", "%25", "%u", "%c0", "%af", "%e2%80%8b", "002f", "5c", "2e", "9" * 30),
    *("&#", "&#4", "47", "&#x2", "&amp", "&sol", "amp;", "&#0", "con", "COM\u00b9", "nul."),
    *(
        "..",
        ".pdf",
        ".tar.gz",
        "\u00a0",
        "\u2044",
        "\u2571",
        "\u29f8",
        "\u2100",
        "\u2024",
        "\uff05",
    ),
    *("\u200b", "\u202e", "\u2028", "\ufeff", "\u034f", "\u3164", "\u115f", "\u0338", "\u226e"),
    *("\U000e0067", "\U0001f3f4", "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073"),
    *("\U000e007f", "\u200c", "\u200d", "\u180e", "\ufe0f", "\ufe0e", "\u180b", "\U000e0100"),
    *("\u0301", "\u0316", "\u0307", "\u093c", "\u0344", "\u20dd", "\u0f71", "\u0f72", "\u0301" * 9),
    *("\u0dd9", "\u0dca", "\u0dcf", "\u0dda", "\u0915", "\u094d", "\u0958", "\u09b0", "\u09cd"),
    *("\u09c7", "\u09be", "\u1100", "\u1161", "\u11a8", "\uac00", "\u0645", "\u06cc", "\u0661"),
    *("\u182e", "\U0001f469", "\U0001f4bb", "\U0001f3fd", "\u2764", "\u2194", "\u1ebf", "\u212b"),
    *("a" * 120, "\u00e9" * 60, "\u540d" * 40, "\U0001f600" * 31, " " * 100, "\u0645\u200c" * 50),
]
troublesome = st.lists(st.sampled_from(_TROUBLE), max_size=12).map("".join)
anything = st.one_of(
    st.binary(max_size=400),
    st.text(max_size=300).map(str.encode),
    st.text("conprnauxlmt01$. -~", max_size=12).map(str.encode),
    troublesome.map(str.encode),
)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.id)
def test_a_name_that_lies_is_refused(case: NameCase) -> None:
    with pytest.raises(BadName):
        clean_name(case.raw)


@pytest.mark.parametrize("case", KEPT, ids=lambda case: case.id)
def test_a_harmless_name_is_kept_byte_for_byte(case: NameCase) -> None:
    name = clean_name(case.raw)

    assert name.text.encode() == case.raw
    assert not name.changed


@pytest.mark.parametrize("case", MENDED, ids=lambda case: case.id)
def test_an_awkward_name_is_mended_and_said_to_be_changed(case: NameCase) -> None:
    name = clean_name(case.raw)

    assert name.text == case.stored
    assert name.changed


def test_an_empty_name_means_that_no_file_was_chosen() -> None:
    with pytest.raises(NoFile):
        clean_name(b"")


def test_the_corpus_names_every_case_once() -> None:
    assert len({case.id for case in NAMES}) == len(NAMES) >= 1000
    assert {case.outcome for case in NAMES} == set(Outcome)


def _cleaned(raw: bytes) -> str | None:
    try:
        return clean_name(raw).text
    except (BadName, NoFile):
        return None


@given(raw=anything)
@example(raw=("a" * 247 + "&#470000.txt").encode())
@example(raw="\u0dd9\u200d\u0dca\u200d".encode())
@example(raw="\u09b0\u200d\u09cd\u180e\u093c\u09af".encode())
def test_a_clean_name_comes_back_unchanged(raw: bytes) -> None:
    text = _cleaned(raw)

    if text is not None:
        again = clean_name(text.encode())
        assert again.text == text
        assert not again.changed


@given(raw=anything)
def test_no_name_is_a_path_a_control_or_too_long_for_a_file_system(raw: bytes) -> None:
    text = _cleaned(raw)

    if text is not None:
        assert 1 <= len(text.encode()) <= 255
        assert not set(text) & set('/\\<>:"|?*')
        assert not {unicodedata.category(char) for char in text} & {"Cc", "Cs", "Zl", "Zp"}
        assert text == text.strip() == text.rstrip(".")
        assert text[0] not in ".-~"
        assert text.partition(".")[0].strip().upper() not in DEVICES
        assert unicodedata.is_normalized("NFC", text)


@given(raw=anything)
def test_no_name_says_more_than_it_shows(raw: bytes) -> None:
    text = _cleaned(raw)

    if text is not None:
        assert not set(text) & set(
            "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2069\ufeff"
        )
        marks = 0
        for char in text:
            if unicodedata.category(char)[0] != "M":
                marks = marks if char in "\u200c\u200d" else 0
            elif "VARIATION SELECTOR" not in unicodedata.name(char, ""):
                marks += 1
            assert marks <= 8


def test_what_marks_do_to_normalisation_is_bounded_before_it_runs() -> None:
    # Sorting 30,000 marks on one base takes the standard library about half a second.
    name = clean_name(("a" + "\u0301\u0316" * 15_000 + ".pdf").encode())

    assert name.text == "\u00e1" + "\u0316" * 4 + "\u0301" * 3 + ".pdf"


def test_a_number_too_long_for_int_is_just_text() -> None:
    # Python refuses to read 4,300 digits, and html.unescape would raise ValueError.
    name = clean_name(b"&#" + b"9" * 5_000)

    assert name.text == "&#" + "9" * 253


@pytest.mark.parametrize(
    ("text", "safe"),
    [(".env", "_.env"), ("-rf", "_-rf"), ("~", "_~"), ("nul.txt", "_nul.txt"), ("a.txt", "a.txt")],
)
def test_a_guarded_name_starts_harmlessly(text: str, safe: str) -> None:
    assert guarded(text) == safe
