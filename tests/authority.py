"""A certificate authority for hosts that the tests run themselves."""

import ssl
import subprocess
from pathlib import Path

from tests.conftest import need_program

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class Authority:
    """
    Vouches for names.

    Attributes:
        certificate: what SSL_CERT_FILE names for who shall believe it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificate = folder / "authority.pem"
        self._key = folder / "authority.key"
        need_program("openssl")
        self._openssl(
            *["req", "-x509", "-days", "2", "-subj", "/CN=authority.test", *KEY],
            *["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign"],
            *["-keyout", str(self._key), "-out", str(self.certificate)],
        )

    def server_tls(self, *names: str) -> ssl.SSLContext:
        """Return what a server of these names and addresses runs with."""
        key, certificate = self.folder / "host.key", self.folder / "host.pem"
        kinds = [f"IP:{name}" if _is_address(name) else f"DNS:{name}" for name in names]
        self._openssl(
            *["req", "-x509", "-days", "2", "-subj", "/CN=host.test", *KEY],
            *["-CA", str(self.certificate), "-CAkey", str(self._key)],
            *["-addext", f"subjectAltName={','.join(kinds)}"],
            *["-addext", "basicConstraints=critical,CA:FALSE"],
            *["-keyout", str(key), "-out", str(certificate)],
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context

    def _openssl(self, *arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()
