"""The other host that a row is about: a process of its own, with a certificate of its own CA."""

import contextlib
import http.client
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.contenders import PROJECT
from bench.environment import Absent, system_program
from bench.race import DISK, folder_below
from bench.servers import Command, Server, free_port, running

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
EXTENSIONS_OF_CA = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign")
NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


@dataclass(frozen=True, slots=True)
class OtherHost:
    """A running host; `ca` is the file with the certificate that vouches for it."""

    server: Server
    tls_port: int
    ca: Path

    def url(self, path: str) -> str:
        """Return the http address of `path`."""
        return self.server.url(path)

    def tls_url(self, path: str, *, host: str = "127.0.0.1") -> str:
        """Return the https address of `path`."""
        return f"https://{host}:{self.tls_port}{path}"

    @property
    def trust(self) -> Mapping[str, str]:
        """The environment of a service of ours that may fetch from this host."""
        return {
            "FILESERVICE_FETCH_ALLOW_NETWORKS": "127.0.0.0/8 ::1/128",
            "SSL_CERT_FILE": str(self.ca),
        }

    @contextlib.contextmanager
    def counting(self) -> Iterator[Counter[str]]:
        """Yield a counter of the connections per scheme, which is right after the block."""
        made: Counter[str] = Counter()
        # One connection for both questions, so that it is in both answers.
        asking = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        with contextlib.closing(asking):
            made.subtract(_connections(asking))
            yield made
            made.update(_connections(asking))


@contextlib.contextmanager
def other_host() -> Iterator[OtherHost]:
    """
    Run another host until the block ends.

    Raises:
        Absent: openssl is not installed, or too old: 3.0 learned to issue by `req`.
        DidNotStart: the host did not.
    """
    with folder_below(DISK) as folder:
        ca, certificate, key = _issued(folder)
        port, tls_port = free_port(), free_port()
        program = [sys.executable, "-m", "bench.peers.other_host", str(port), str(tls_port)]
        command = Command([*program, str(certificate), str(key)], {"PYTHONPATH": str(PROJECT)})
        with running(command, port=port, root=folder) as server:
            yield OtherHost(server, tls_port, ca)


def _connections(asking: http.client.HTTPConnection) -> dict[str, int]:
    asking.request("GET", "/connections")
    counted: dict[str, int] = json.loads(asking.getresponse().read())
    return counted


def _issued(folder: Path) -> tuple[Path, Path, Path]:
    """Make a CA in `folder`; return its certificate, and the certificate and the key it issued."""
    ca, ca_key, certificate, key = (folder / f"{name}.pem" for name in ("ca", "cak", "cert", "key"))
    extensions = [part for words in EXTENSIONS_OF_CA for part in ("-addext", words)]
    _request("-subj", "/CN=CA of the bench", *extensions, "-keyout", str(ca_key), "-out", str(ca))
    _request(
        *("-subj", "/CN=localhost", "-addext", NAMES, "-addext", "basicConstraints=CA:FALSE"),
        *("-CA", str(ca), "-CAkey", str(ca_key), "-keyout", str(key), "-out", str(certificate)),
    )
    return ca, certificate, key


def _request(*options: str) -> None:
    made = subprocess.run(
        [system_program("openssl"), "req", "-x509", *CURVE, "-days", "2", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise Absent(f"openssl failed: {made.stderr.strip().splitlines()[-1]}")
