"""People of a running service, with their logins and tokens: made beside it, in one process."""

import base64
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from fileservice.options import DATABASE
from tests.conftest import CHECKOUT, START_SECONDS, Server, environment

SCRIPT = """
import json, sys
from datetime import UTC, datetime
from importlib import import_module

import django
django.setup()
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.db import transaction

from fileservice import tokens
from fileservice.actors import THE_OPERATOR

STORE = import_module(settings.SESSION_ENGINE).SessionStore

def log_in(user):
    session = STORE()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"

def make(user, number, scopes):
    token = tokens.PREFIX + f"{user.username}-{number}-".ljust(40, "x")
    now = datetime.now(UTC)
    row = tokens.add(
        THE_OPERATOR, token, scopes, frozenset(scopes.split()), user.pk, now, None
    )
    return {"id": row.id, "token": token}

made = {}
with transaction.atomic():
    for name, is_superuser, scopes in json.loads(sys.argv[1]):
        user = User(username=name, is_superuser=is_superuser, is_staff=is_superuser)
        user.set_unusable_password()
        user.save()
        made[name] = {
            "id": user.pk,
            "cookie": log_in(user),
            "tokens": [make(user, number, one) for number, one in enumerate(scopes)],
        }
print(json.dumps(made))
"""


def django_script(server: Server, script: str, *arguments: str) -> str:
    """Run Python beside a service, on its database, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=environment(server.root) | {"DJANGO_SETTINGS_MODULE": "fileservice.settings"},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def make_people(server: Server, *people: tuple[str, bool, Iterable[str]]) -> dict[str, Any]:
    """
    Make people: a name, whether an administrator, and the scopes of each token.

    Returns by name `id`, `cookie` of a login, and `tokens`, each with `id` and `token`.
    """
    wanted = [(name, is_superuser, list(scopes)) for name, is_superuser, scopes in people]
    made: dict[str, Any] = json.loads(django_script(server, SCRIPT, json.dumps(wanted)))
    return made


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(user: str, password: str) -> dict[str, str]:
    credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {credentials}"}


@contextmanager
def database(server: Server) -> Iterator[sqlite3.Connection]:
    """Open the rows of a service; what was changed is committed at the end of the block."""
    with closing(sqlite3.connect(server.root / DATABASE, timeout=START_SECONDS)) as rows, rows:
        yield rows
