"""Codes of links: signed for one purpose, by one of the keys."""

import pytest

from fileservice.signedlinks import read_signed, signed
from fileservice.uploads import unguessable

OLD, NEW = "old key of some length", "new key of some length"
ID = "abcdefghijklmnopqrstuvwxyz"


def test_a_code_gives_its_id_back() -> None:
    id = unguessable()

    code = signed("share", id, [NEW])

    assert code.startswith(id)
    assert len(code) == 52
    assert read_signed("share", code, [NEW]) == id


def test_a_code_of_another_purpose_is_none() -> None:
    assert read_signed("drop", signed("share", ID, [NEW]), [NEW]) is None


def test_the_old_key_still_reads_and_the_new_one_signs() -> None:
    before = signed("share", ID, [OLD])

    assert read_signed("share", before, [NEW, OLD]) == ID
    assert read_signed("share", before, [NEW]) is None
    assert signed("share", ID, [NEW, OLD]) == signed("share", ID, [NEW])


def test_a_code_that_was_changed_anywhere_is_none() -> None:
    code = signed("share", ID, [NEW])
    changed = [
        code[:at] + chr(ord(code[at]) ^ 1 << bit) + code[at + 1 :]
        for at in range(len(code))
        for bit in range(7)
    ]

    assert [each for each in changed if read_signed("share", each, [NEW]) is not None] == []


@pytest.mark.parametrize(
    "code", ["", ID, ID + "é", "x" * 5000, "\ud800", signed("share", "", [NEW])]
)
def test_what_is_no_code_is_none(code: str) -> None:
    assert read_signed("share", code, [NEW]) is None
