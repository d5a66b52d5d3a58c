"""Who calls the API in the tests: people, and the tokens that speak for them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.client import Answer, Client
from tests.conftest import Server, serving
from tests.people import bearer, make_people

SHARED = "correct-horse-battery-staple-0123456789"
ALL = "upload read issue"
PEOPLE = (
    ("ada", False, (ALL, "upload", "read", "issue")),
    ("bob", False, (ALL,)),
    ("root", True, (f"{ALL} admin", ALL)),
)
# Of whom a token is, and which of them.
TOKENS = {
    "ada": ("ada", 0),
    "uploads": ("ada", 1),
    "reads": ("ada", 2),
    "issues": ("ada", 3),
    "bob": ("bob", 0),
    "root": ("root", 0),
    "root-without-admin": ("root", 1),
}


@dataclass(frozen=True, slots=True)
class Api:
    """A running service with people in it, as `make_people` returns them."""

    server: Server
    people: dict[str, Any]

    def token(self, who: str) -> str:
        """Return what a caller shows."""
        if who == "shared":
            return SHARED
        name, number = TOKENS[who]
        token = self.people[name]["tokens"][number]["token"]
        assert isinstance(token, str)
        return token

    def shown(self, who: str) -> dict[str, str]:
        """Return the fields of a caller; of nobody, none."""
        return bearer(self.token(who)) if who else {}

    def ask(self, who: str, method: str, path: str, sent: object = None, **headers: str) -> Answer:
        """Call an operation, with a token unless `who` is empty, and JSON unless it is None."""
        with self.server.client() as client:
            return self.ask_by(client, who, method, path, sent, **headers)

    def ask_by(
        self, client: Client, who: str, method: str, path: str, sent: object = None, **headers: str
    ) -> Answer:
        """Call an operation on a connection that is there."""
        fields = self.shown(who) | headers
        body = None
        if sent is not None:
            body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
            fields = {"Content-Type": "application/json"} | fields
        return client.ask(method, f"/api/v1{path}", body, fields)

    def put(self, who: str, name: str, content: bytes = b"hello") -> dict[str, Any]:
        """Send a file and return what the service says of it."""
        headers = self.shown(who) | {"Accept": "application/json"}
        answer = self.server.ask("PUT", f"/files/{name}", content, headers)
        assert answer.status == 201, answer.text
        [file] = answer.json["files"]
        assert isinstance(file, dict)
        return file

    def issue(self, who: str, **order: object) -> dict[str, Any]:
        """Issue a certificate and return what the service says of it."""
        answer = self.ask(who, "POST", "/certificates", {"values": {"name": "Ada"}, **order})
        assert answer.status == 201, answer.text
        assert isinstance(answer.json, dict)
        return answer.json

    def page(self, who: str, path: str) -> dict[str, Any]:
        """Return one page of a list."""
        answer = self.ask(who, "GET", path)
        assert answer.status == 200, answer.text
        assert isinstance(answer.json, dict)
        return answer.json


@contextmanager
def calling(migrated: Path, **options: str) -> Iterator[Api]:
    """Serve privately, with people and tokens, until the end of the block."""
    with serving(migrated, **{"ACCESS": "private", "TOKEN": SHARED, **options}) as running:
        yield Api(running, make_people(running, *PEOPLE))
