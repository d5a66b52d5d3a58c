"""People with a browser: they keep cookies and fill in forms."""

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.hashers import make_password

from tests.client import Answer
from tests.conftest import Server

PAGE = {"Accept": "text/html"}
FORM = "application/x-www-form-urlencoded"
PASSWORD = "a long passphrase"  # noqa: S105 - of people who live for a test
HIDDEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
SET_COOKIE = re.compile(r"(?:^|, )(\w+)=([^;,]*)")


@cache
def hashed(password: str) -> str:
    return make_password(password)


def rows(root: Path, statement: str, *values: object) -> list[Any]:
    """Run a statement of SQL beside the service."""
    with closing(sqlite3.connect(root / "fileservice.sqlite3", timeout=30)) as database, database:
        return database.execute(statement, values).fetchall()


def add_person(root: Path, name: str, *, is_admin: bool = False, password: str = PASSWORD) -> int:
    """Make an account, and return its id."""
    row = {
        "username": name,
        "password": hashed(password),
        "is_superuser": is_admin,
        "is_staff": is_admin,
        "is_active": True,
        "first_name": "",
        "last_name": "",
        "email": "",
        "date_joined": str(datetime.now(UTC).replace(tzinfo=None)),
    }
    marks = ", ".join("?" * len(row))
    [[id]] = rows(
        root,
        f"INSERT INTO auth_user ({', '.join(row)}) VALUES ({marks}) RETURNING id",  # noqa: S608 - our own
        *row.values(),
    )
    assert isinstance(id, int)
    return id


class Person:
    """A browser, and who sits before it."""

    def __init__(self, server: Server, **headers: str) -> None:
        self.server = server
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Send a request as a browser does, and keep the cookies of its answer."""
        sent = {**PAGE, **self.headers}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.server.ask(method, path, body, sent)
        for name, value in SET_COOKIE.findall(answer.headers.get("set-cookie", "")):
            if value in ("", '""'):
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, page: str | None = None, **fields: str) -> Answer:
        """Fill in the form of `page`, which is that of `path` mostly, and send it."""
        return self.fill(self.get(page or path), path, **fields)

    def fill(self, seen: Answer, path: str, **fields: str) -> Answer:
        """Fill in the form of a page that is open, and send it."""
        hidden = HIDDEN.search(seen.text)
        token = {"csrfmiddlewaretoken": hidden[1]} if hidden else {}
        return self.ask("POST", path, urlencode(token | fields).encode(), Content_Type=FORM)

    def log_in(self, name: str, password: str = PASSWORD, **fields: str) -> Answer:
        return self.post("/accounts/login/", username=name, password=password, **fields)

    def log_out(self) -> Answer:
        return self.post("/accounts/logout/", page="/accounts/")

    def is_logged_in(self) -> bool:
        """Tell what both lanes say, which has to be the same."""
        # The native lane first: the other one removes what is not good, cookie and row.
        native = "/accounts/logout/" in self.get("/").text
        standard = self.get("/accounts/").status == 200
        assert native == standard
        return standard
