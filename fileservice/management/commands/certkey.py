"""`manage.py certkey`: make the key that certificates are signed with, or show whose it is."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from fileservice.signingkeys import (
    BadCertificate,
    BadKey,
    SigningKey,
    make_signing_key,
    read_signing_key,
)

FOLDER = "signing"
YEARS_10 = 3653


class Command(BaseCommand):
    """Make a key, or show the one there is."""

    help = "Make the key that certificates are signed with, or show whose it is."
    # The settings may name the files that are yet to be made.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take one of two words."""
        words = parser.add_subparsers(dest="word", required=True)
        new = words.add_parser("new", help="make a key and a certificate that it signs itself")
        new.add_argument("--name", required=True, help="who signs, as readers show it")
        new.add_argument("--rsa", type=int, metavar="BITS", help="RSA instead of ECDSA P-256")
        new.add_argument("--days", type=int, default=YEARS_10, help="(default: %(default)s)")
        words.add_parser("show", help="tell whose key certificates are signed with")

    def handle(self, *args: object, **options: Any) -> None:
        """Do as the word says."""
        if options["word"] == "new":
            self._new(options["name"], options["rsa"], options["days"])
        else:
            self._show(chosen_key())

    def _new(self, name: str, rsa_bits: int | None, days: int) -> None:
        folder = settings.OPTIONS.root / FOLDER
        if days < 1:
            raise CommandError("--days must be 1 or more.")
        try:
            key = make_signing_key(
                folder, name, rsa_bits=rsa_bits, days=days, now=datetime.now(UTC)
            )
        except FileExistsError as error:
            raise CommandError(f"{error} is there already; it is left as it is.") from error
        except BadKey as error:
            raise CommandError(f"The key {error}.") from error
        except BadCertificate as error:
            raise CommandError(f"The certificate {error}.") from error
        self._show(key)
        self.stdout.write(f"FILESERVICE_SIGN_KEY_FILE={folder / 'key.pem'}")
        self.stdout.write(f"FILESERVICE_SIGN_CERTIFICATE_FILE={folder / 'certificate.pem'}")

    def _show(self, key: SigningKey) -> None:
        own = key.chain[0]
        self.stdout.write(f"{key.name}, {key.algorithm}, valid {key.period}")
        self.stdout.write(f"issued by {own.issuer.rfc4514_string()}")
        self.stdout.write(f"SHA-256 {own.fingerprint(SHA256()).hex(':').upper()}")


def chosen_key() -> SigningKey:
    """
    Return the key of the settings, or the one that `new` made.

    Raises:
        CommandError: there is none, or it cannot be used.
    """
    problems = [p for p in settings.OPTION_PROBLEMS if p.message.startswith("FILESERVICE_SIGN_")]
    if problems:
        raise CommandError("; ".join(f"{p.id}: {p.message}" for p in problems))
    key: SigningKey | None = settings.OPTIONS.signing_key
    if key is not None:
        return key
    folder = settings.OPTIONS.root / FOLDER
    try:
        return read_signing_key(folder / "key.pem", folder / "certificate.pem")
    except (BadKey, BadCertificate) as error:
        raise CommandError("There is no key; `certkey new` makes one.") from error
