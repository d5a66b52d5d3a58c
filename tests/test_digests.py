import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fileservice.digests import format_sha256, parse_digests, weigh_sha256
from fileservice.errors import BadRequest

SHA256 = hashlib.sha256(b"hello").digest()
SHA512 = hashlib.sha512(b"hello").digest()
SHA256_TEXT = base64.b64encode(SHA256).decode()
SHA512_TEXT = base64.b64encode(SHA512).decode()


def test_the_value_is_that_of_the_rfc() -> None:
    # RFC 9530 Appendix B.1: the representation is {"hello": "world"} and a line break.
    digest = hashlib.sha256(b'{"hello": "world"}\n').hexdigest()

    assert format_sha256(digest) == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"


@given(st.binary())
def test_what_we_send_is_what_we_read(content: bytes) -> None:
    digest = hashlib.sha256(content)

    assert parse_digests(format_sha256(digest.hexdigest())) == {"sha-256": digest.digest()}


@pytest.mark.parametrize(
    ("field", "digests"),
    [
        (f"sha-256=:{SHA256_TEXT}:", {"sha-256": SHA256}),
        (f"sha-512=:{SHA512_TEXT}:", {"sha-512": SHA512}),
        (
            f"sha-256=:{SHA256_TEXT}:,\tsha-512=:{SHA512_TEXT}:",
            {"sha-256": SHA256, "sha-512": SHA512},
        ),
        (f"unixsum=:AAA=:, md5=:: , sha-256=:{SHA256_TEXT}:", {"sha-256": SHA256}),
        ("md5=:1B2M2Y8AsgTpgAmY7PhCfg==:", {}),
        (f'sha-256=:{SHA256_TEXT}:;q=1;  note="a, sha-256=:AA==:\\"";t=?1', {"sha-256": SHA256}),
        (f"sha-256=:AAAA:, sha-256=:{SHA256_TEXT}:".replace("AAAA", "A" * 43), {"sha-256": SHA256}),
        (f"sha-256=:{SHA256_TEXT.rstrip('=')}:", {"sha-256": SHA256}),
    ],
)
def test_known_digests_are_read_and_others_left_out(field: str, digests: dict[str, bytes]) -> None:
    assert parse_digests(field) == digests


@pytest.mark.parametrize(
    "field",
    [
        "",
        "sha-256",
        "sha-256=",
        f"sha-256={SHA256_TEXT}",
        f'sha-256="{SHA256_TEXT}"',
        f"sha-256=:{SHA256_TEXT}",
        f"SHA-256=:{SHA256_TEXT}:",
        f"sha-256 = :{SHA256_TEXT}:",
        f"sha-256=:{SHA256_TEXT}:,",
        f",sha-256=:{SHA256_TEXT}:",
        f"sha-256=:{SHA256_TEXT}: sha-512=:{SHA512_TEXT}:",
        f"sha-256=:{SHA256.hex()}:",
        f"sha-256=:{SHA512_TEXT}:",
        "sha-256=::",
        "sha-256=:A:",
        "sha-256=:AA-_:",
        "sha-256=:=:",
        "sha-256=1",
        "md5=1",
        f"sha-256=:{SHA256_TEXT}:;Q=1",
        f"sha-256=:{SHA256_TEXT}:\n",
    ],
)
def test_a_digest_that_cannot_be_read_is_refused(field: str) -> None:
    with pytest.raises(BadRequest):
        parse_digests(field)


@given(st.text('sha-256512=:;," AB+/?1\\', max_size=80))
def test_no_field_breaks_the_parser(field: str) -> None:
    try:
        digests = parse_digests(field)
    except BadRequest:
        return

    assert digests.keys() <= {"sha-256", "sha-512"}


@pytest.mark.parametrize(
    ("field", "weight"),
    [
        ("sha-256=10", 10),
        ("sha-256=1", 1),
        ("sha-256=0", 0),
        ("sha-512=3, sha-256=10, unixsum=0", 10),
        ("sha-256=5;x=y , sha-256=0", 0),
        ("sha-512=3", None),
        ("sha-256=11", None),
        ("sha-512=11, sha-256=0", None),
        ("sha-256=-1", None),
        ("sha-256=1.0", None),
        ("sha-256=\u0661", None),
        ("sha-256", None),
        ("sha-256=?0", None),
        ("", None),
        ("0", None),
    ],
)
def test_a_wish_for_a_digest_is_weighed(field: str, weight: int | None) -> None:
    assert weigh_sha256(field) == weight
