"""What lives as long as a worker: opened in the loop that uses it, closed in reverse."""

import asyncio
import gc
import logging
import os
import sqlite3
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest

import fileservice
from fileservice.archiving import Archiving
from fileservice.backlog import Backlog
from fileservice.batches.ordering import Desk
from fileservice.batches.watch import Watch
from fileservice.blocks import Blocks
from fileservice.certificates import Templates
from fileservice.clamd import Clamd
from fileservice.compilation import Compiler
from fileservice.delivering import Delivering
from fileservice.drops import Drops
from fileservice.fetch.fetching import Fetcher
from fileservice.fetch.session import SharedSession
from fileservice.filing import Filing
from fileservice.following import Following
from fileservice.http.accesslog import AccessLog
from fileservice.http.body import Pace
from fileservice.http.firstlink import tell_first_link
from fileservice.http.messages import Receive, Scope, Send
from fileservice.issuing import Issuing
from fileservice.ledger import FileState, Ledger
from fileservice.lending import Leases
from fileservice.localtemplates import LocalTemplates
from fileservice.options import Options
from fileservice.panels import Panels
from fileservice.parcels import Parcels
from fileservice.passwords import THREADS as PASSWORD_THREADS
from fileservice.passwords import Passwords
from fileservice.pictures import Pictures
from fileservice.quotas import Quotas
from fileservice.rates import Rates
from fileservice.registry import Registry
from fileservice.remotetemplates import RemoteTemplates
from fileservice.resumables import Resumables
from fileservice.resuming import Resuming
from fileservice.scanning import Scanning
from fileservice.sessions import Sessions
from fileservice.shares import Shares
from fileservice.signatures import Signatures
from fileservice.storage import Storage
from fileservice.storage.local import LocalStorage
from fileservice.sweeping import Sweeper, sweeping
from fileservice.tasks import beside
from fileservice.timestamping import Authority
from fileservice.tokens import Tokens
from fileservice.verifying import Verifying
from fileservice.webhooks import Webhooks

log = logging.getLogger("fileservice.lifespan")

# Uploads spend their thread in fsync, not on a core: more than cores pays (docs/decisions).
DISK_THREADS = 12
# In a checkout beside the package, in a wheel inside of it.
PACKAGE = Path(fileservice.__file__).parent
SHIPPED_TEMPLATES = PACKAGE / "pdf" / "templates"
if not SHIPPED_TEMPLATES.is_dir():
    SHIPPED_TEMPLATES = PACKAGE.parent / "pdf_templates"


class CannotStart(Exception):
    """A setting is wrong, or the database is not there."""


@dataclass(frozen=True, slots=True)
class Resources:
    """One worker's own things."""

    options: Options
    storage: Storage
    ledger: Ledger
    filing: Filing
    quotas: Quotas
    rates: Rates
    drops: Drops
    tokens: Tokens
    passwords: Passwords
    shares: Shares
    leases: Leases
    sessions: Sessions
    resuming: Resuming
    parcels: Parcels
    archiving: Archiving
    following: Following
    sweeper: Sweeper
    scanning: Scanning | None
    webhooks: Webhooks
    delivering: Delivering
    templates: Templates
    pictures: Pictures
    registry: Registry
    issuing: Issuing
    verifying: Verifying
    backlog: Backlog
    desk: Desk
    watch: Watch
    session: SharedSession
    fetcher: Fetcher
    panels: Panels
    signatures: Signatures | None
    access_log: AccessLog

    @property
    def pace(self) -> Pace:
        """How slow a body may be."""
        return Pace(self.options.body_wait_seconds, self.options.min_bytes_per_second)


def resources_of(request: ASGIRequest) -> Resources:
    """Return the resources of the worker that serves `request`."""
    resources: Resources = request.scope["state"]["resources"]
    return resources


def session_of(request: ASGIRequest) -> aiohttp.ClientSession:
    """
    Return the worker's one session, to be used and not closed.

    It reaches the public internet and what `FILESERVICE_FETCH_ALLOW_NETWORKS` opens. For a URL
    that came from elsewhere use the fetcher, which bounds what comes back.
    """
    return resources_of(request).session.get()


@asynccontextmanager
async def open_resources(options: Options) -> AsyncIterator[Resources]:
    """
    Open everything, and close it at the end, last opened first.

    Raises:
        CannotStart: with a sentence for the operator.
    """
    if settings.OPTION_PROBLEMS:
        raise CannotStart("; ".join(f"{p.id}: {p.message}" for p in settings.OPTION_PROBLEMS))
    async with AsyncExitStack() as stack:
        disk = stack.enter_context(ThreadPoolExecutor(DISK_THREADS, "disk"))
        rows = stack.enter_context(ThreadPoolExecutor(1, "rows"))
        blocks = stack.enter_context(ThreadPoolExecutor(os.cpu_count(), "blocks"))
        hashing = stack.enter_context(ThreadPoolExecutor(PASSWORD_THREADS, "passwords"))
        passwords = Passwords(hashing)
        stack.push_async_callback(passwords.close)
        storage = LocalStorage(options.root / "uploads", disk, blocks)
        storage.prepare()
        ledger = open_ledger(options, rows)
        stack.push_async_callback(ledger.close)
        ledger.quarantine = scanning = open_scanning(options, ledger, storage)
        registry = Registry(ledger)
        stack.push_async_callback(registry.close)
        lifetime = timedelta(seconds=options.resume_seconds)
        resumables = Resumables(ledger)
        following = Following(storage, resumables, wait_seconds=options.body_wait_seconds)
        quotas = Quotas(ledger, max_bytes=options.quota_bytes, max_files=options.quota_files)
        rates = Rates(
            options.limits_url,
            uploads=options.upload_rate,
            certificates=options.certificate_rate,
        )
        stack.push_async_callback(rates.close)
        drops = Drops(ledger, options.secret_keys)
        resuming = Resuming(
            storage, ledger, resumables, following, quotas, drops, lifetime=lifetime
        )
        parcels = Parcels(ledger, storage)
        archiving = Archiving(ledger, storage, parcels)
        stack.push_async_callback(archiving.close)
        backlog = Backlog(ledger)
        session = SharedSession(tuple(options.fetch_allow_networks))
        session.get()
        stack.push_async_callback(session.close)
        fetcher = Fetcher(session)
        signatures = open_signatures(options, fetcher)
        templates = open_templates(options, fetcher)
        stack.push_async_callback(templates.close)
        await asyncio.to_thread(templates.remote.tidy)
        pictures = Pictures(templates.local.compiler)
        stack.push_async_callback(pictures.close)
        frozen = Blocks(options.root / "certificates")
        await asyncio.to_thread(frozen.prepare)
        panels = Panels(fetcher, options.home_panels)
        stack.push_async_callback(panels.close)
        access_log = AccessLog()
        stack.callback(access_log.flush)
        yield Resources(
            options=options,
            storage=storage,
            ledger=ledger,
            filing=Filing(ledger),
            quotas=quotas,
            rates=rates,
            drops=drops,
            tokens=Tokens(ledger),
            passwords=passwords,
            shares=Shares(ledger, options.secret_keys),
            leases=Leases(ledger),
            sessions=Sessions(ledger, settings.AUTHENTICATION_BACKENDS),
            resuming=resuming,
            parcels=parcels,
            archiving=archiving,
            following=following,
            sweeper=Sweeper(ledger, storage),
            scanning=scanning,
            webhooks=Webhooks(ledger),
            delivering=Delivering(ledger, session),
            templates=templates,
            pictures=pictures,
            registry=registry,
            verifying=Verifying(registry, options.signing_key),
            issuing=Issuing(templates, frozen, registry, signatures),
            backlog=backlog,
            desk=Desk(templates, backlog),
            watch=Watch(backlog),
            session=session,
            fetcher=fetcher,
            panels=panels,
            signatures=signatures,
            access_log=access_log,
        )


def open_scanning(options: Options, ledger: Ledger, storage: Storage) -> Scanning | None:
    """Return what has files scanned, if the operator named a scanner."""
    if options.clamd is None:
        return None
    too_large: FileState = "ready" if options.clamd_too_large == "give" else "withheld"
    return Scanning(ledger, storage, Clamd(options.clamd), too_large=too_large)


def open_templates(options: Options, fetcher: Fetcher) -> Templates:
    """Open the templates of the folder and of other hosts, which share one compiler."""
    folder = options.root / "pdf_templates"
    compiler = Compiler(folder / ".compiled", options.font_dirs)
    return Templates(
        LocalTemplates(folder, SHIPPED_TEMPLATES, compiler),
        RemoteTemplates(
            fetcher,
            compiler,
            urls=options.template_urls,
            hosts=options.template_hosts,
            folder=folder / ".remote",
        ),
    )


def open_signatures(options: Options, fetcher: Fetcher) -> Signatures | None:
    """Return what signs certificates, if the operator chose a key."""
    if options.signing_key is None:
        return None
    url = options.timestamp_url
    return Signatures(options.signing_key, Authority(fetcher, url) if url else None)


@asynccontextmanager
async def open_signing(options: Options) -> AsyncIterator[Signatures | None]:
    """Open what signs certificates alone, with a session of its own for its authority."""
    if options.timestamp_url is None:
        yield Signatures(options.signing_key) if options.signing_key else None
        return
    # It reads the authorities of the system, which takes 40 ms.
    session = SharedSession(tuple(options.fetch_allow_networks))
    try:
        yield open_signatures(options, Fetcher(session))
    finally:
        await session.close()


def open_ledger(options: Options, executor: ThreadPoolExecutor) -> Ledger:
    """Open the ledger on a database that has its tables."""
    try:
        ledger = Ledger(options.database, executor)
        ledger.find("")
        Registry(ledger).find("")
        if options.uses_allauth:
            ledger.row("SELECT id FROM mfa_authenticator WHERE type = ? LIMIT 1", "")
    except sqlite3.OperationalError as error:
        raise CannotStart(
            f"fileservice.E010: the database {options.database} is not ready ({error}); "
            "run `python manage.py migrate`"
        ) from error
    return ledger


@asynccontextmanager
async def at_work(resources: Resources) -> AsyncIterator[None]:
    """Do in the background what no request waits for, until the end of the block."""
    async with (
        sweeping(resources.sweeper),
        resources.watch.watching(),
        resources.resuming.watching(),
        resources.scanning.watching() if resources.scanning else nullcontext(),
        beside(resources.quotas.keep_renewing()),
        resources.delivering.watching(),
    ):
        yield


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """
    Serve the lifespan protocol: resources are in `scope["state"]` from start to shutdown.

    A start that fails is told to the server, which then does not serve.
    """
    await receive()
    try:
        stack = AsyncExitStack()
        resources = await stack.enter_async_context(open_resources(settings.OPTIONS))
        await tell_first_link(resources.options, resources.ledger)
    except (CannotStart, OSError) as error:
        log.critical("%s", error)
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    scope["state"]["resources"] = resources
    scope["state"]["let_go"] = resources.resuming.let_go
    # What lives as long as the worker need not be looked through again: a full collection held
    # the loop for 54 ms with Django's 72,000 objects in it.
    gc.collect()
    gc.freeze()
    async with stack, at_work(resources):
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})
