"""What the operator may choose: every `FILESERVICE_*` variable, typed, and what is wrong."""

import importlib.util
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast

from fileservice import signon
from fileservice.addresses import Network, networks_of
from fileservice.errors import BadUrl
from fileservice.remoteurls import RemoteUrl, parse_host, parse_origin, parse_remote_url
from fileservice.signingkeys import BadCertificate, BadKey, SigningKey, read_signing_key
from fileservice.signon import SignOn

Access = Literal["open", "private"]
TooLarge = Literal["withhold", "give"]
type ClamdAddress = Path | tuple[str, int]

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
DATABASE = "fileservice.sqlite3"
PRIVATE = 0o600
SMALLEST_TOKEN = 32  # characters; 128 bits even when the token is only hexadecimal
GIB = 1 << 30
MIB = 1 << 20
WEEK_SECONDS = 7 * 24 * 3600
TEMPLATE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
ANY_ORIGIN = "*"
RATE = re.compile(r"[1-9][0-9]{0,6}/(?:second|minute|hour|day)")
LIMITS_URL = re.compile(r"async\+(?:rediss?://|redis\+unix:///)[!-~]+")
PANEL_NAME = re.compile(r"\w[\w-]{0,63}")


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong variable, under the id that `manage.py check` reports."""

    id: str
    message: str


@dataclass(frozen=True, slots=True)
class Options:
    """
    The operator's choices.

    Attributes:
        root: the folder that holds `uploads/`, `pdf_templates/`, the database and the secret key.
        access: who may upload and make certificates; None where nobody chose, which is
            "open", but on loopback addresses only.
        token: what `Authorization` must carry in "private"; empty means log in is the only way.
        hosts: names under which browsers reach the service (the Host field).
        trusted_proxies: addresses whose X-Forwarded-* fields are believed.
        max_upload_bytes: largest file taken, and the most that a form's files may have together.
        min_free_bytes: an upload that would leave less room on the disk is refused.
        body_wait_seconds: how long a body may be silent, and the window of the next.
        min_bytes_per_second: a body slower than this over the window is ended.
        resume_seconds: how long after its last byte an unfinished upload can be gone on with.
        quota_bytes: what a user, or the address of who is none, may have here; 0 for no quota.
        quota_files: how many files, with uploads that are not finished; 0 for no quota.
        upload_rate: uploads that a user or an address may begin, as 100/minute; empty for any.
        certificate_rate: certificates, and lists of them, that they may ask for.
        limits_url: of the Redis in which all workers count together; empty where each does so.
        secret_keys: the first signs cookies, forms and links; all of them are believed.
        fetch_allow_networks: networks that every URL may lead to, also one from a request.
        template_urls: where a template is, by its name.
        template_hosts: hosts, with ports, where a request may say that a template is.
        home_panels: where the panels of the home page are, by their titles.
        font_dirs: folders of fonts for what the shipped ones cannot draw.
        signing_key: what certificates are signed with; None where they are not.
        timestamp_url: where the authority is that time-stamps them, if any.
        clamd: where a ClamAV daemon is that scans what comes; None where nothing is scanned.
        clamd_too_large: what becomes of a file that is too large for it.
        cors_origins: origins whose pages may use the service from a browser, or `ANY_ORIGIN` alone.
        secure_cookies: whether browsers come by https only, also where no proxy says so.
        sign_on: the provider by which people may log in; None where there is none.
        second_factor: whether people may protect their account by one.
    """

    root: Path
    access: Access | None
    token: str
    hosts: tuple[str, ...]
    trusted_proxies: tuple[str, ...]
    max_upload_bytes: int
    min_free_bytes: int
    body_wait_seconds: int
    min_bytes_per_second: int
    resume_seconds: int
    quota_bytes: int
    quota_files: int
    upload_rate: str
    certificate_rate: str
    limits_url: str
    secret_keys: tuple[str, ...]
    fetch_allow_networks: frozenset[Network]
    template_urls: Mapping[str, RemoteUrl]
    template_hosts: frozenset[tuple[str, int]]
    home_panels: Mapping[str, RemoteUrl]
    font_dirs: tuple[Path, ...]
    signing_key: SigningKey | None
    timestamp_url: RemoteUrl | None
    cors_origins: tuple[str, ...]
    clamd: ClamdAddress | None
    clamd_too_large: TooLarge
    secure_cookies: bool
    sign_on: SignOn | None
    second_factor: bool

    @property
    def uses_allauth(self) -> bool:
        """Whether the extra `sso` is used."""
        return self.sign_on is not None or self.second_factor

    @property
    def database(self) -> Path:
        """Where the rows are."""
        return self.root / DATABASE


class Reader:
    """Takes variables out of an environment and collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[Problem] = []
        self.known: set[str] = set()

    def wrong(self, number: int, name: str, why: str) -> None:
        """Note that `name` is wrong under the id fileservice.E<number>."""
        self.problems.append(Problem(f"fileservice.E{number:03}", f"FILESERVICE_{name} {why}"))

    def text(self, name: str, default: str = "") -> str:
        """Return the variable without the white space around it."""
        self.known.add(f"FILESERVICE_{name}")
        return self.environ.get(f"FILESERVICE_{name}", default).strip()

    def secret(self, number: int, name: str) -> str:
        """Return the variable, or the content of the file that `<name>_FILE` names."""
        path, value = self.text(f"{name}_FILE"), self.text(name)
        if not path:
            return value
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            self.wrong(number, f"{name}_FILE", f"names a file that cannot be read: {error}")
            return ""

    def choice(self, number: int, name: str) -> bool:
        """Return the variable as yes or no, which is the default."""
        raw = self.text(name)
        if raw not in ("", "yes", "no"):
            self.wrong(number, name, f"must be yes or no, not {raw!r}")
        return raw == "yes"

    def count(self, number: int, name: str, default: int, *, least: int) -> int:
        """Return the variable as a whole number, at least `least`."""
        raw = self.text(name)
        if not raw:
            return default
        if not (raw.isascii() and raw.isdigit()) or int(raw) < least:
            self.wrong(number, name, f"must be a whole number, {least} or more, not {raw!r}")
            return default
        return int(raw)


def read(environ: Mapping[str, str]) -> tuple[Options, tuple[Problem, ...]]:
    """
    Read every variable of `environ`.

    A wrong one gets its default, so that the options can be used to report all problems
    at once; with any problem the service must not start.
    """
    reader = Reader(environ)
    root = _root(reader)
    options = Options(
        root=root,
        access=_access(reader),
        token=_token(reader),
        hosts=tuple(reader.text("HOSTS").split()) or LOOPBACK_NAMES,
        trusted_proxies=tuple(reader.text("TRUSTED_PROXIES", "127.0.0.1 ::1").split()),
        max_upload_bytes=reader.count(4, "MAX_UPLOAD_BYTES", 10 * GIB, least=1),
        min_free_bytes=reader.count(5, "MIN_FREE_BYTES", 256 * MIB, least=0),
        body_wait_seconds=reader.count(6, "BODY_WAIT_SECONDS", 30, least=1),
        min_bytes_per_second=reader.count(7, "MIN_BYTES_PER_SECOND", 1024, least=0),
        resume_seconds=reader.count(20, "RESUME_SECONDS", WEEK_SECONDS, least=1),
        quota_bytes=reader.count(30, "QUOTA_BYTES", 0, least=0),
        quota_files=reader.count(31, "QUOTA_FILES", 0, least=0),
        upload_rate=_rate(reader, 32, "UPLOAD_RATE"),
        certificate_rate=_rate(reader, 33, "CERTIFICATE_RATE"),
        limits_url=_limits_url(reader),
        secret_keys=tuple(filter(None, (_secret_key(reader, root), _old_secret_key(reader)))),
        fetch_allow_networks=_networks(reader),
        template_urls=_urls(reader, 13, "TEMPLATE_URLS", TEMPLATE_NAME),
        template_hosts=_hosts(reader),
        home_panels=_urls(reader, 15, "HOME_PANELS", PANEL_NAME),
        font_dirs=_font_dirs(reader),
        signing_key=_signing_key(reader),
        timestamp_url=_timestamp_url(reader),
        cors_origins=_cors_origins(reader),
        clamd=_clamd(reader),
        clamd_too_large=_too_large(reader),
        secure_cookies=reader.choice(23, "SECURE_COOKIES"),
        sign_on=_sign_on(reader),
        second_factor=_second_factor(reader),
    )
    _refuse_unknown(reader)
    return options, tuple(reader.problems)


def _refuse_unknown(reader: Reader) -> None:
    for name in sorted(reader.environ):
        if name.startswith("FILESERVICE_") and name not in reader.known:
            reader.wrong(9, name.removeprefix("FILESERVICE_"), "is not a setting of this service")


def _root(reader: Reader) -> Path:
    root = Path(reader.text("ROOT") or ".").resolve()
    if not root.is_dir():
        reader.wrong(1, "ROOT", f"must be a folder that exists, not {str(root)!r}")
        return Path.cwd()
    try:
        # SQLite would let everybody read it; the files beside it take its mode.
        os.close(os.open(root / DATABASE, os.O_RDONLY | os.O_CREAT, PRIVATE))
    except OSError as error:
        reader.wrong(1, "ROOT", f"must be a folder that can be written to: {error}")
    return root


def _access(reader: Reader) -> Access | None:
    access = reader.text("ACCESS")
    if access in ("", "open", "private"):
        return cast("Access", access) if access else None
    reader.wrong(2, "ACCESS", f"must be open or private, not {access!r}")
    return "private"


def _token(reader: Reader) -> str:
    token = reader.secret(3, "TOKEN")
    if token and (len(token) < SMALLEST_TOKEN or not token.isascii() or not token.isprintable()):
        reader.wrong(3, "TOKEN", f"must be at least {SMALLEST_TOKEN} printable ASCII characters")
        return ""
    return token


def _networks(reader: Reader) -> frozenset[Network]:
    try:
        return frozenset(networks_of(reader.text("FETCH_ALLOW_NETWORKS")))
    except ValueError as error:
        reader.wrong(12, "FETCH_ALLOW_NETWORKS", f"must list networks such as 10.0.0.0/8: {error}")
        return frozenset()


def _urls(
    reader: Reader, number: int, variable: str, names: re.Pattern[str]
) -> dict[str, RemoteUrl]:
    """Return the variable, `name=URL` several times, as a mapping in its order."""
    found: dict[str, RemoteUrl] = {}
    for entry in reader.text(variable).split():
        name, _, url = entry.partition("=")
        if not names.fullmatch(name) or name in found:
            reader.wrong(number, variable, f"must be name=URL each, with names apart: {entry!r}")
            continue
        try:
            found[name] = parse_remote_url(url)
        except BadUrl as error:
            reader.wrong(number, variable, f"has a bad URL for {name!r}: {error.detail}")
    return found


def _hosts(reader: Reader) -> frozenset[tuple[str, int]]:
    found = []
    for entry in reader.text("TEMPLATE_HOSTS").split():
        try:
            url = parse_remote_url(f"https://{entry}")
        except BadUrl as error:
            reader.wrong(14, "TEMPLATE_HOSTS", f"has a bad host: {error.detail}")
            continue
        if url.target != "/" or entry.endswith("/"):
            reader.wrong(14, "TEMPLATE_HOSTS", f"must list hosts, not URLs: {entry!r}")
        found.append((url.host, url.port))
    return frozenset(found)


def _signing_key(reader: Reader) -> SigningKey | None:
    key_file, certificate_file = reader.text("SIGN_KEY_FILE"), reader.text("SIGN_CERTIFICATE_FILE")
    if not key_file and not certificate_file:
        return None
    if not certificate_file:
        reader.wrong(17, "SIGN_KEY_FILE", "needs FILESERVICE_SIGN_CERTIFICATE_FILE beside it")
        return None
    if not key_file:
        reader.wrong(18, "SIGN_CERTIFICATE_FILE", "needs FILESERVICE_SIGN_KEY_FILE beside it")
        return None
    try:
        key = read_signing_key(Path(key_file), Path(certificate_file))
    except BadKey as error:
        reader.wrong(17, "SIGN_KEY_FILE", str(error))
        return None
    except BadCertificate as error:
        reader.wrong(18, "SIGN_CERTIFICATE_FILE", str(error))
        return None
    if not key.holds_at(datetime.now(UTC)):
        reader.wrong(18, "SIGN_CERTIFICATE_FILE", f"names one that is valid {key.period} only")
    return key


def _timestamp_url(reader: Reader) -> RemoteUrl | None:
    raw = reader.text("TIMESTAMP_URL")
    if not raw:
        return None
    if not reader.text("SIGN_KEY_FILE"):
        reader.wrong(19, "TIMESTAMP_URL", "stamps signatures, and there is no key to sign with")
    try:
        return parse_remote_url(raw)
    except BadUrl as error:
        reader.wrong(19, "TIMESTAMP_URL", f"is a bad URL: {error.detail}")
        return None


def _cors_origins(reader: Reader) -> tuple[str, ...]:
    entries = reader.text("CORS_ORIGINS").split()
    if entries == [ANY_ORIGIN]:
        return (ANY_ORIGIN,)
    found = []
    for entry in entries:
        try:
            found.append(parse_origin(entry))
        except BadUrl as error:
            reader.wrong(
                21, "CORS_ORIGINS", f"must be * alone or origins: {entry!r}: {error.detail}"
            )
    return tuple(found)


def _clamd(reader: Reader) -> ClamdAddress | None:
    raw = reader.text("CLAMD")
    if not raw or raw.startswith("/"):
        return Path(raw) if raw else None
    host, _, port = raw.rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
        reader.wrong(40, "CLAMD", f"must be the path of a socket, or host:port, not {raw!r}")
        return None
    try:
        return parse_host(host), int(port)
    except BadUrl as error:
        reader.wrong(40, "CLAMD", f"must be the path of a socket, or host:port: {error.detail}")
        return None


def _too_large(reader: Reader) -> TooLarge:
    raw = reader.text("CLAMD_TOO_LARGE")
    if raw in ("", "withhold", "give"):
        return cast("TooLarge", raw or "withhold")
    reader.wrong(41, "CLAMD_TOO_LARGE", f"must be withhold or give, not {raw!r}")
    return "withhold"


def _sign_on(reader: Reader) -> SignOn | None:
    url, client_id = reader.text("OIDC_URL").rstrip("/"), reader.text("OIDC_CLIENT_ID")
    secret = reader.secret(26, "OIDC_CLIENT_SECRET")
    name, group = reader.text("OIDC_NAME"), reader.text("OIDC_GROUP")
    new_people = reader.choice(27, "OIDC_NEW_PEOPLE")
    if not url:
        if client_id:
            reader.wrong(25, "OIDC_CLIENT_ID", "needs FILESERVICE_OIDC_URL beside it")
        return None
    if not signon.is_installed():
        reader.wrong(24, "OIDC_URL", signon.MISSING)
        return None
    try:
        parsed = parse_remote_url(url)
    except BadUrl as error:
        reader.wrong(24, "OIDC_URL", f"is a bad URL: {error.detail}")
        return None
    if not url.startswith("https:") and f"{parsed.host}" not in LOOPBACK_NAMES:
        reader.wrong(24, "OIDC_URL", "must begin with https, but for a provider on this machine")
    if not client_id:
        reader.wrong(25, "OIDC_CLIENT_ID", "is needed beside FILESERVICE_OIDC_URL")
    if not secret:
        reader.wrong(26, "OIDC_CLIENT_SECRET", "is needed beside FILESERVICE_OIDC_URL")
    return SignOn(url, client_id, secret, name or "single sign-on", group, new_people)


def _second_factor(reader: Reader) -> bool:
    wanted = reader.choice(28, "SECOND_FACTOR")
    if wanted and not signon.is_installed():
        reader.wrong(28, "SECOND_FACTOR", signon.MISSING)
        return False
    return wanted


def _rate(reader: Reader, number: int, name: str) -> str:
    rate = reader.text(name)
    if rate and not RATE.fullmatch(rate):
        reader.wrong(number, name, f"must be a rate such as 100/minute, not {rate!r}")
        return ""
    return rate


def _limits_url(reader: Reader) -> str:
    url = reader.secret(34, "LIMITS_URL")
    if url and not LIMITS_URL.fullmatch(url):
        reader.wrong(34, "LIMITS_URL", "must be a URL as async+redis://host:6379/0")
        return ""
    if url and importlib.util.find_spec("redis") is None:
        reader.wrong(34, "LIMITS_URL", "needs the extra `redis`: pip install 'fileservice[redis]'")
        return ""
    return url


def _font_dirs(reader: Reader) -> tuple[Path, ...]:
    folders = tuple(Path(each).resolve() for each in reader.text("FONT_DIRS").split())
    for folder in folders:
        if not folder.is_dir():
            reader.wrong(16, "FONT_DIRS", f"must list folders that exist, not {str(folder)!r}")
    return folders


def _secret_key(reader: Reader, root: Path) -> str:
    key = reader.secret(8, "SECRET_KEY")
    if key:
        return key
    try:
        return _kept_secret(root / "secret_key", lambda: secrets.token_urlsafe(48))
    except OSError as error:
        reader.wrong(8, "SECRET_KEY", f"is not set and no key can be kept in ROOT: {error}")
        return secrets.token_urlsafe(48)


def _old_secret_key(reader: Reader) -> str:
    key = reader.secret(22, "OLD_SECRET_KEY")
    if key and len(key) < SMALLEST_TOKEN:
        reader.wrong(22, "OLD_SECRET_KEY", f"must be at least {SMALLEST_TOKEN} characters")
    return key


def _kept_secret(path: Path, make: Callable[[], str]) -> str:
    """Return the secret in `path`; whichever process is first makes it, with mode 0600."""
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "w") as file:  # noqa: PTH123 - the mode has to be right from the first byte
            file.write(make())
            file.flush()
            os.fsync(file.fileno())  # an empty key after a cut of the power would stop the start
        try:
            os.link(draft, path)  # fails where another process came first; never half a key
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="ascii").strip()
