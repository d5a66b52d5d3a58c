"""Stored files that the tests of downloads ask for."""

import base64
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from tests.client import Answer
from tests.conftest import Server

ALPHABET = b"abcdefghijklmnopqrstuvwxyz"
LARGE = os.urandom(3_000_000)


@dataclass(frozen=True, slots=True)
class Given:
    """A stored file."""

    server: Server
    path: str
    id: str
    content: bytes = field(repr=False)

    def get(self, method: str = "GET", query: str = "", **fields: str) -> Answer:
        """Ask with `fields`, whose names have `_` for `-`."""
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        return self.server.ask(method, f"{self.path}{query}", headers=headers)

    @property
    def blob(self) -> Path:
        return self.server.root / "uploads" / self.id[:2] / self.id

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()}"'

    @property
    def digest(self) -> str:
        return digest_of(self.content)


def digest_of(content: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


def give(server: Server, content: bytes, name: str = "a.bin") -> Given:
    accept = {"Accept": "application/json"}
    [file] = server.ask("PUT", f"/files/{quote(name)}", content, accept).json["files"]
    return Given(server, file["url"].removeprefix(server.url), file["id"], content)
