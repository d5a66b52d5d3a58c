import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fileservice.errors import BadRequest, ChecksumMismatch
from fileservice.tusfields import (
    ALGORITHMS,
    Crc32,
    UploadChecksum,
    parse_checksum,
    parse_metadata,
    parse_number,
)


@pytest.mark.parametrize(("field", "number"), [("0", 0), ("007", 7), (str(2**63 - 1), 2**63 - 1)])
def test_a_number_is_decimal(field: str, number: int) -> None:
    assert parse_number("Upload-Offset", field) == number


@pytest.mark.parametrize(
    "field", [None, "", "+1", "-1", "1_0", " 1", "1 ", "1.0", "0x1", "\u0661", str(2**63), "9" * 99]
)
def test_what_is_no_number_is_refused(field: str | None) -> None:
    with pytest.raises(BadRequest, match="Upload-Offset"):
        parse_number("Upload-Offset", field)


@pytest.mark.parametrize(
    ("field", "pairs"),
    [
        ("", {}),
        ("filename YS50eHQ=", {"filename": b"a.txt"}),
        ("filename YS50eHQ=,is_confidential", {"filename": b"a.txt", "is_confidential": b""}),
        ("a , b /+8=", {"a": b"", "b": b"\xff\xef"}),
    ],
)
def test_metadata_are_keys_and_bytes(field: str, pairs: dict[str, bytes]) -> None:
    assert parse_metadata(field) == pairs


@pytest.mark.parametrize(
    "field",
    [
        ",",
        "a YQ==,",
        "a YQ==,a YQ==",
        "a YQ",
        "a Y",
        "a =",
        "a YQ== YQ==",
        "a Y-_=",
        "\u00e9 YQ==",
        "a\tYQ==",
    ],
)
def test_malformed_metadata_are_refused(field: str) -> None:
    with pytest.raises(BadRequest, match="Upload-Metadata"):
        parse_metadata(field)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,9}", fullmatch=True), st.binary(), max_size=5))
def test_metadata_read_back(pairs: dict[str, bytes]) -> None:
    field = ",".join(f"{key} {base64.b64encode(value).decode()}" for key, value in pairs.items())

    assert parse_metadata(field) == pairs


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_checksum_tells_the_bytes_it_is_of(algorithm: str) -> None:
    known = ALGORITHMS[algorithm]()
    known.update(b"hello")
    field = f"{algorithm} {base64.b64encode(known.digest()).decode()}"
    right, wrong = parse_checksum(field), parse_checksum(field)
    right.update(b"hel")
    right.update(b"lo")
    wrong.update(b"hullo")

    right.verify()
    with pytest.raises(ChecksumMismatch):
        wrong.verify()


def test_a_crc_has_its_highest_byte_first() -> None:
    crc = Crc32()
    crc.update(b"hello")

    assert crc.digest() == zlib.crc32(b"hello").to_bytes(4, "big")


@pytest.mark.parametrize(
    "field", ["", "sha1", "sha1 ", "SHA1 YQ==", "sha3 YQ==", "sha1 YQ", "sha1  YQ==", "sha1 YQ==,"]
)
def test_a_checksum_that_cannot_be_held_is_refused(field: str) -> None:
    with pytest.raises(BadRequest, match="Upload-Checksum"):
        parse_checksum(field)


def test_a_checksum_of_another_size_never_holds() -> None:
    checksum = UploadChecksum("sha1", b"")

    with pytest.raises(ChecksumMismatch):
        checksum.verify()
