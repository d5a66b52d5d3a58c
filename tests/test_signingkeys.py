"""Keys to sign with: made once, read with care, and wrong ones named before the start."""

import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from fileservice import options
from fileservice.pdf.cms import Signer
from fileservice.pdf.signing import sign
from fileservice.signingkeys import (
    BadCertificate,
    BadKey,
    PrivateKey,
    SigningKey,
    make_signing_key,
    read_signing_key,
)
from tests.conftest import manage, need_program, serving
from tests.pdfs import checked
from tests.signatures import NOW, VALID, WHOLE, key_of, pdfsig, pyhanko_accepts
from tests.test_signing import filled

P256 = ec.generate_private_key(ec.SECP256R1())


def certificate_of(
    key: PrivateKey, name: str = "A", issuer: str = "A", **usage: bool
) -> x509.Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(0x80_00_00_00 + len(name))
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
    )
    if name == "Root":
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
    if usage:
        none = dict.fromkeys(
            (
                *("digital_signature", "content_commitment", "key_encipherment"),
                *("data_encipherment", "key_agreement", "key_cert_sign", "crl_sign"),
                *("encipher_only", "decipher_only"),
            ),
            False,
        )
        builder = builder.add_extension(x509.KeyUsage(**(none | usage)), critical=True)
    return builder.sign(P256 if issuer != name else key, hashes.SHA256())


def pem_of(
    key: object,
    form: PrivateFormat = PrivateFormat.PKCS8,
    encryption: KeySerializationEncryption | None = None,
) -> bytes:
    pem: bytes = key.private_bytes(Encoding.PEM, form, encryption or NoEncryption())  # type: ignore[attr-defined]  # whatever kind it is
    return pem


def written(folder: Path, key: bytes, *chain: x509.Certificate) -> tuple[Path, Path]:
    key_file, certificate_file = folder / "k.pem", folder / "c.pem"
    key_file.touch(0o600)
    key_file.write_bytes(key)
    certificate_file.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in chain))
    return key_file, certificate_file


def test_a_made_key_is_its_owners_only_and_can_be_read_back(tmp_path: Path) -> None:
    made = make_signing_key(tmp_path / "signing", "Office é", rsa_bits=None, days=9, now=NOW)

    key_file, certificate_file = (tmp_path / "signing" / n for n in ("key.pem", "certificate.pem"))
    read = read_signing_key(key_file, certificate_file)
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(key_file.parent.stat().st_mode) == 0o700
    assert read.chain == made.chain
    assert (read.name, read.algorithm) == ("Office é", "ECDSA P-256")
    assert read.holds_at(NOW + timedelta(days=9))
    assert not read.holds_at(NOW + timedelta(days=9, seconds=1))
    assert not read.holds_at(NOW - timedelta(days=1))
    assert sorted(path.name for path in key_file.parent.iterdir()) == ["certificate.pem", "key.pem"]


@pytest.mark.parametrize("there", ["key.pem", "certificate.pem"])
def test_a_key_is_never_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_bytes(b"mine")

    with pytest.raises(FileExistsError):
        make_signing_key(tmp_path, "Office", rsa_bits=None, days=9, now=NOW)

    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb", "a\0"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadCertificate, match="1 to 64"):
        make_signing_key(tmp_path, name, rsa_bits=None, days=9, now=NOW)


def test_an_rsa_size_that_is_not_taken_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadKey, match="2048, 3072 or 4096"):
        make_signing_key(tmp_path, "Office", rsa_bits=1024, days=9, now=NOW)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_key_with_a_chain_signs(tmp_path: Path, form: PrivateFormat) -> None:
    issuer = certificate_of(P256, "Root", "Root", key_cert_sign=True)
    own_key = ec.generate_private_key(ec.SECP256R1())
    own = certificate_of(own_key, "Office", "Root", digital_signature=True, content_commitment=True)

    key = read_signing_key(*written(tmp_path, pem_of(own_key, form), own, issuer))

    certificate = sign(filled(), Signer(key), signed_at=NOW)
    assert VALID in pdfsig(checked(certificate))
    assert certificate.count(issuer.public_bytes(Encoding.DER).hex().encode()) == 1
    assert pyhanko_accepts(certificate, SigningKey(P256, (issuer,)))


def test_the_certificates_of_a_message_are_in_the_order_of_der() -> None:
    names = ["Root", "B", "Office of the Tests"]
    chain = tuple(certificate_of(P256, name, "Root") for name in names)

    for order in (chain, (chain[0], *reversed(chain[1:]))):
        message = Signer(SigningKey(P256, order)).sign(bytes(32)).encoded()
        held = cms.ContentInfo.load(message)["content"]["certificates"]
        dumped = [each.chosen.dump() for each in held]
        assert dumped == sorted(dumped)


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (ed25519.Ed25519PrivateKey.generate(), "poppler"),
        (ed448.Ed448PrivateKey.generate(), "poppler"),
        (ec.generate_private_key(ec.SECP384R1()), "neither P-256 nor RSA"),
        (ec.generate_private_key(ec.SECP256K1()), "neither P-256 nor RSA"),
        (rsa.generate_private_key(65537, 2560), "neither P-256 nor RSA"),
        (dsa.generate_private_key(2048), "neither P-256 nor RSA"),
    ],
    ids=["ed25519", "ed448", "p384", "secp256k1", "rsa2560", "dsa"],
)
def test_a_key_of_another_kind_is_refused_with_the_reason(
    tmp_path: Path, key: object, why: str
) -> None:
    files = written(tmp_path, pem_of(key), certificate_of(P256))

    with pytest.raises(BadKey, match=why):
        read_signing_key(*files)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    files = written(tmp_path, pem_of(P256), certificate_of(P256))
    for mode in (0o640, 0o604, 0o620):
        files[0].chmod(mode)

        with pytest.raises(BadKey, match="chmod 600"):
            read_signing_key(*files)


def test_a_key_with_a_password_is_refused(tmp_path: Path) -> None:
    pem = pem_of(P256, encryption=BestAvailableEncryption(b"secret"))

    with pytest.raises(BadKey, match="password"):
        read_signing_key(*written(tmp_path, pem, certificate_of(P256)))


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA", b"\x30\x82"])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadKey, match="no private key in PEM"):
        read_signing_key(*written(tmp_path, content, certificate_of(P256)))


def test_the_certificate_of_another_key_is_refused(tmp_path: Path) -> None:
    other = ec.generate_private_key(ec.SECP256R1())

    with pytest.raises(BadCertificate, match="not that of the key"):
        read_signing_key(*written(tmp_path, pem_of(P256), certificate_of(other)))


def test_a_chain_that_begins_with_the_issuer_is_refused(tmp_path: Path) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    own = certificate_of(other, "Office", "Root")

    with pytest.raises(BadCertificate, match="not that of the key"):
        read_signing_key(*written(tmp_path, pem_of(other), certificate_of(P256), own))


def test_a_certificate_for_something_else_is_refused(tmp_path: Path) -> None:
    authority = certificate_of(P256, key_cert_sign=True)

    with pytest.raises(BadCertificate, match="key usage"):
        read_signing_key(*written(tmp_path, pem_of(P256), authority))


def test_files_without_certificates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCertificate, match="without certificates"):
        read_signing_key(*written(tmp_path, pem_of(P256)))
    with pytest.raises(BadCertificate, match="cannot be read"):
        read_signing_key(written(tmp_path, pem_of(P256))[0], tmp_path / "none.pem")


def chosen(root: Path, **variables: object) -> tuple[options.Options, list[str]]:
    environ = {f"FILESERVICE_{name}": str(value) for name, value in variables.items()}
    read, problems = options.read({"FILESERVICE_ROOT": str(root), **environ})
    return read, [problem.id.removeprefix("fileservice.") for problem in problems]


def test_the_key_and_the_authority_are_read_from_the_settings(tmp_path: Path) -> None:
    make_signing_key(tmp_path / "s", "Office", rsa_bits=None, days=9, now=datetime.now(UTC))

    read, problems = chosen(
        tmp_path,
        SIGN_KEY_FILE=tmp_path / "s" / "key.pem",
        SIGN_CERTIFICATE_FILE=tmp_path / "s" / "certificate.pem",
        TIMESTAMP_URL="http://time.example/tsa",
    )

    assert problems == []
    assert read.signing_key is not None
    assert read.signing_key.name == "Office"
    assert str(read.timestamp_url) == "http://time.example/tsa"


def test_settings_that_do_not_go_together_have_their_check_ids(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    make_signing_key(tmp_path / "a", "Office", rsa_bits=None, days=9, now=now)
    make_signing_key(tmp_path / "b", "Other", rsa_bits=None, days=9, now=now)
    make_signing_key(tmp_path / "old", "Old", rsa_bits=None, days=1, now=now - timedelta(days=9))
    key, certificate = tmp_path / "a" / "key.pem", tmp_path / "a" / "certificate.pem"
    pair = {"SIGN_KEY_FILE": key, "SIGN_CERTIFICATE_FILE": certificate}
    old = {
        "SIGN_KEY_FILE": tmp_path / "old" / "key.pem",
        "SIGN_CERTIFICATE_FILE": tmp_path / "old" / "certificate.pem",
    }
    other = {**pair, "SIGN_CERTIFICATE_FILE": tmp_path / "b" / "certificate.pem"}

    assert chosen(tmp_path, **pair)[1] == []
    assert chosen(tmp_path, SIGN_KEY_FILE=key)[1] == ["E017"]
    assert chosen(tmp_path, SIGN_CERTIFICATE_FILE=certificate)[1] == ["E018"]
    assert chosen(tmp_path, **{**pair, "SIGN_KEY_FILE": certificate})[1] == ["E017"]
    assert chosen(tmp_path, **other)[1] == ["E018"]
    assert chosen(tmp_path, **old)[1] == ["E018"]
    assert chosen(tmp_path, TIMESTAMP_URL="http://time.example/")[1] == ["E019"]
    assert chosen(tmp_path, **pair, TIMESTAMP_URL="time.example")[1] == ["E019"]


@pytest.mark.long
def test_certkey_makes_a_key_once_and_shows_it(tmp_path: Path) -> None:
    missing = manage(tmp_path, "certkey", "show")
    made = manage(tmp_path, "certkey", "new", "--name", "Office of Tests", "--days", "30")
    again = manage(tmp_path, "certkey", "new", "--name", "Other")
    shown = manage(tmp_path, "certkey", "show")

    assert "certkey new" in missing.stderr
    assert made.returncode == 0, made.stderr
    assert f"FILESERVICE_SIGN_KEY_FILE={tmp_path / 'signing' / 'key.pem'}" in made.stdout
    assert again.returncode != 0
    assert "left as it is" in again.stderr
    assert shown.stdout.startswith("Office of Tests, ECDSA P-256, valid from ")
    assert shown.stdout in made.stdout


@pytest.mark.parametrize(
    ("arguments", "why"),
    [(("--days", "0"), "1 or more"), (("--rsa", "1024"), "2048"), (("--name", ""), "1 to 64")],
)
def test_certkey_refuses_what_makes_no_key(
    tmp_path: Path, arguments: tuple[str, ...], why: str
) -> None:
    done = manage(tmp_path, "certkey", "new", "--name", "Office", *arguments)

    assert why in done.stderr
    assert not list((tmp_path / "signing").glob("*"))


@pytest.mark.long
def test_certkey_makes_rsa_keys_and_shows_the_key_of_the_settings(tmp_path: Path) -> None:
    made = manage(tmp_path, "certkey", "new", "--name", "Office", "--rsa", "2048")
    pair = dict(
        line.removeprefix("FILESERVICE_").split("=")
        for line in made.stdout.splitlines()
        if line.startswith("FILESERVICE_")
    )
    shown = manage(tmp_path / "..", "certkey", "show", **pair)
    broken = manage(tmp_path, "certkey", "show", **{**pair, "SIGN_KEY_FILE": "nowhere"})

    assert shown.stdout.startswith("Office, RSA 2048, ")
    assert "fileservice.E017" in broken.stderr


def test_a_wrong_pair_stops_the_start(tmp_path: Path, migrated: Path) -> None:
    key, _ = written(tmp_path, pem_of(P256), certificate_of(P256))

    done = manage(
        migrated, "serve", "--port", "1", SIGN_KEY_FILE=str(key), SIGN_CERTIFICATE_FILE="nowhere"
    )

    assert done.returncode != 0
    assert "fileservice.E018" in done.stderr


def test_get_certificate_is_signed_where_there_is_a_key(tmp_path: Path, migrated: Path) -> None:
    make_signing_key(tmp_path / "s", "Office", rsa_bits=2048, days=9, now=datetime.now(UTC))
    pair = {
        "SIGN_KEY_FILE": str(tmp_path / "s" / "key.pem"),
        "SIGN_CERTIFICATE_FILE": str(tmp_path / "s" / "certificate.pem"),
    }

    with serving(migrated, **pair) as server:
        answer = server.ask("GET", "/certificate?name=Ada")

    assert answer.status == 200
    said = pdfsig(checked(answer.body))
    assert VALID in said
    assert WHOLE in said
    assert "Common Name: Office" in said


def test_without_its_authority_no_certificate_is_given(tmp_path: Path, migrated: Path) -> None:
    make_signing_key(tmp_path / "s", "Office", rsa_bits=None, days=9, now=datetime.now(UTC))

    with serving(
        migrated,
        SIGN_KEY_FILE=str(tmp_path / "s" / "key.pem"),
        SIGN_CERTIFICATE_FILE=str(tmp_path / "s" / "certificate.pem"),
        TIMESTAMP_URL="http://127.0.0.1:9/",
    ) as server:
        answer = server.ask("GET", "/certificate", headers={"Accept": "application/json"})

    assert answer.status == 502
    assert answer.json["code"] == "remote_failed"
    assert "127.0.0.1:9 cannot be reached" in answer.json["detail"]


def test_a_key_that_openssl_made_signs(tmp_path: Path) -> None:
    subprocess.run(
        [
            *(need_program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt"),
            *("ec_paramgen_curve:P-256", "-nodes", "-keyout", str(tmp_path / "k.pem")),
            *("-out", str(tmp_path / "c.pem"), "-days", "30", "-subj", "/O=Tests/OU=Office"),
        ],
        check=True,
        capture_output=True,
    )
    (tmp_path / "k.pem").chmod(0o600)

    key = read_signing_key(tmp_path / "k.pem", tmp_path / "c.pem")

    assert key.name == "OU=Office,O=Tests"
    assert VALID in pdfsig(sign(filled(), Signer(key), signed_at=NOW))


def test_a_key_tells_whose_it_is() -> None:
    assert key_of().name == "Office of the Tests"
    assert key_of(3072).algorithm == "RSA 3072"
