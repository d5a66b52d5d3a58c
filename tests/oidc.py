"""A small OpenID Connect provider on this machine, which lets everybody in as who it is told."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID = "fileservice"
CLIENT_SECRET = "a secret of the client"  # noqa: S105 - of a provider that lives for a test


@dataclass(slots=True)
class Provider:
    """
    The provider, and what may be changed of it while it runs.

    Attributes:
        claims: of whom it speaks.
        id_token: what the token says otherwise than it should.
        broken: what it answers instead, by path.
        asked: the paths, in order.
    """

    url: str = ""
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "1"})
    id_token: dict[str, Any] = field(default_factory=dict)
    broken: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def settings(self) -> dict[str, str]:
        return {
            "OIDC_URL": self.url,
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "OIDC_NAME": "The <Directory>",
        }

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def keys(self) -> dict[str, Any]:
        numbers = self.key.public_key().public_numbers()
        public = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        return {"keys": [{**public, "kid": "1", "alg": "RS256", "use": "sig"}]}

    def authorize(self, asked: dict[str, str]) -> str:
        """Return where the browser goes on."""
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe()
        self.codes[code] = asked
        query = urlencode({"code": code, "state": asked["state"]})
        return f"{asked['redirect_uri']}?{query}"

    def token(self, sent: dict[str, str]) -> dict[str, Any]:
        """Return the tokens for a code, once, to who asked for it."""
        asked = self.codes.pop(sent["code"])
        challenge = hashlib.sha256(sent["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(challenge).decode().rstrip("=") == asked["code_challenge"]
        assert sent["client_secret"] == CLIENT_SECRET
        assert sent["redirect_uri"] == asked["redirect_uri"]
        now = int(time.time())
        said = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 60, **self.claims}
        signed = jwt.encode(said | self.id_token, self.key, "RS256", {"kid": "1"})
        return {"access_token": "opaque", "token_type": "Bearer", "id_token": signed}


def number(value: int) -> str:
    """Return a number as a key has it (RFC 7518 6.3.1)."""
    octets = value.to_bytes((value.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def handler_of(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, query = urlsplit(self.path).path, urlsplit(self.path).query
            provider.asked.append(path)
            if path in provider.broken:
                self.wfile.write(provider.broken[path])
            elif path == "/authorize":
                self.send_response(302)
                fields = {name: values[0] for name, values in parse_qs(query).items()}
                self.send_header("Location", provider.authorize(fields))
                self.end_headers()
            else:
                known = {
                    "/.well-known/openid-configuration": provider.discovery,
                    "/keys": provider.keys,
                    "/userinfo": lambda: provider.claims,
                }
                self.say(known[path]())  # type: ignore[no-untyped-call]  # one is a lambda

        def do_POST(self) -> None:
            provider.asked.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if self.path in provider.broken:
                self.wfile.write(provider.broken[self.path])
            else:
                self.say(provider.token({n: values[0] for n, values in parse_qs(body).items()}))

        def say(self, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def providing() -> Iterator[Provider]:
    """Run a provider until the end of the block."""
    provider = Provider()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(provider)) as server:
        provider.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()
