"""
What the people who run the service see of the rows, and may do to them.

What has bytes, or a promise that was given, is not edited: the row would lie. What can be done is
an action, and is recorded as any other act.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Case, F, Model, QuerySet, Value, When
from django.http import HttpRequest

from fileservice.actors import EVERYTHING, Actor
from fileservice.audit import Entry, record
from fileservice.models import (
    AuditEntry,
    Batch,
    Certificate,
    Delivery,
    Drop,
    Duty,
    File,
    Lease,
    Parcel,
    ResumableUpload,
    Share,
    Token,
    Usage,
    Webhook,
)

type Change = Callable[[Any, HttpRequest, "QuerySet[Any]"], None]


def actor_of(request: HttpRequest) -> Actor:
    """Return who is logged in to the administration."""
    return Actor(
        user_id=request.user.pk,
        name=request.user.get_username(),
        is_superuser=True,
        scopes=EVERYTHING,
        address=request.META.get("REMOTE_ADDR", ""),
    )


def change(
    act: str, description: str, *, where: dict[str, Any], to: Callable[[], dict[str, Any]]
) -> Change:
    """
    Return an action that changes the rows it applies to, and records that.

    Args:
        act: as `audit.Entry` has it.
        description: in the list of actions.
        where: what a row has to be like; others are passed over.
        to: returns what they become.
    """

    @admin.action(description=description, permissions=["act"])
    def changed(model: Any, request: HttpRequest, chosen: "QuerySet[Any]") -> None:
        with transaction.atomic():
            rows = list(chosen.filter(**where).select_for_update())
            by = actor_of(request)
            record(*(Entry(by, act, str(row.pk), str(row)[:255]) for row in rows))
            chosen.filter(pk__in=[row.pk for row in rows]).update(**to())
        model.message_user(request, f"{act}: {len(rows)}", messages.SUCCESS)

    changed.__name__ = act.replace(".", "_")
    return changed


def now(name: str) -> Callable[[], dict[str, Any]]:
    """Return what sets one column to the present."""
    return lambda: {name: datetime.now(UTC)}


class Looked(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """
    Rows to look at.

    Only the actions change them. A list of a million rows is as quick as one of ten: nobody
    counts them all, and they are sorted by an index.
    """

    show_full_result_count = False
    list_per_page = 50
    exclude: ClassVar[list[str]] = []

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Rows are made by what they stand for."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """To edit one would be to lie."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """What a row stands for would stay."""
        return False

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Tell whether the actions are there."""
        return bool(request.user.is_active and request.user.is_superuser)


def released() -> dict[str, Any]:
    """Return what becomes of files that were withheld: what was not scanned yet has to be first."""
    if settings.OPTIONS.clamd is None:
        return {"state": "ready", "finding": ""}
    state = Case(When(finding="", then=Value("unscanned")), default=Value("ready"))
    return {"state": state, "finding": ""}


RESCAN = change(
    "file.rescan",
    "Scan again",
    where={"state__in": ["ready", "infected", "withheld"]},
    to=lambda: {"state": "unscanned", "finding": ""},
)


@admin.register(File)
class FileAdmin(Looked):
    """Files, which can be withheld at once and expired; the sweep removes what has expired."""

    list_display = ["name", "size", "media_type", "state", "user", "created_at", "expires_at"]
    exclude = ["key"]
    list_filter = ["state", "restricted"]
    list_select_related = ["user"]
    search_fields = ["=id", "=sha256", "name"]
    actions = [
        change(
            "file.withhold",
            "Withhold (quarantine)",
            where={"state__in": ["ready", "unscanned"]},
            to=lambda: {"state": "withheld"},
        ),
        change(
            "file.release",
            "Release what was withheld",
            where={"state": "withheld"},
            to=released,
        ),
        *([RESCAN] if settings.OPTIONS.clamd else []),
        change("file.expire", "Expire now", where={}, to=now("expires_at")),
    ]


@admin.register(ResumableUpload)
class ResumableUploadAdmin(Looked):
    """Uploads that come in several requests."""

    list_display = ["name", "kind", "state", "offset", "length", "user", "expires_at"]
    exclude = ["key"]
    list_filter = ["state", "kind"]
    list_select_related = ["user"]
    search_fields = ["=id", "name"]
    actions = [
        change("upload.expire", "Expire now", where={"state": "open"}, to=now("expires_at")),
    ]


@admin.register(Certificate)
class CertificateAdmin(Looked):
    """
    Certificates, which can be revoked and forgotten.

    Whoever has a right to be forgotten is, and then verification knows nothing of the certificate;
    one that is only no longer true is revoked.
    """

    list_display = ["number", "title", "user", "issued_at", "expires_at", "revoked_at"]
    list_select_related = ["user"]
    search_fields = ["=number", "=id", "=sha256", "values"]
    exclude = ["key", "own"]
    actions = [
        change("certificate.revoke", "Revoke", where={"revoked_at": None}, to=now("revoked_at")),
        "delete_selected",
    ]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Tell whether certificates can be forgotten."""
        return self.has_act_permission(request)

    def delete_model(self, request: HttpRequest, obj: Certificate) -> None:
        """Forget one, but not that it was."""
        with transaction.atomic():
            record(Entry(actor_of(request), "certificate.forget", obj.id, obj.number))
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Certificate]") -> None:
        """Forget some, but not that they were."""
        with transaction.atomic():
            by = actor_of(request)
            record(*(Entry(by, "certificate.forget", one.id, one.number) for one in queryset))
            super().delete_queryset(request, queryset)


@admin.register(Batch)
class BatchAdmin(Looked):
    """Lists of certificates, which can be stopped."""

    list_display = ["id", "state", "done", "total", "user", "issued_at", "trouble"]
    exclude = ["key"]
    list_filter = ["state"]
    list_select_related = ["user"]
    actions = [
        change(
            "batch.stop",
            "Stop",
            where={"state__in": ["waiting", "checking", "issuing"]},
            to=lambda: {
                "state": "stopped",
                "fence": F("fence") + 1,
                "trouble": "It was stopped.",
            },
        )
    ]


@admin.register(Parcel)
class ParcelAdmin(Looked):
    """Parcels."""

    list_display = ["name", "user", "restricted", "created_at", "expires_at"]
    exclude = ["key"]
    list_select_related = ["user"]
    search_fields = ["=id", "name"]
    actions = [change("parcel.expire", "Expire now", where={}, to=now("expires_at"))]


@admin.register(Share)
class ShareAdmin(Looked):
    """Shares of files and parcels."""

    list_display = ["id", "user", "note", "downloads", "max_downloads", "expires_at", "revoked_at"]
    list_select_related = ["user"]
    search_fields = ["=id", "note"]
    exclude = ["password"]
    actions = [
        change("share.revoke", "Revoke", where={"revoked_at": None}, to=now("revoked_at")),
    ]


@admin.register(Lease)
class LeaseAdmin(Looked):
    """Downloads by shares."""

    list_display = ["share", "address", "began_at", "until"]


@admin.register(Drop)
class DropAdmin(Looked):
    """Boxes that others put files into."""

    list_display = ["title", "user", "used_files", "used_bytes", "expires_at", "revoked_at"]
    list_select_related = ["user"]
    search_fields = ["=id", "title"]
    exclude = ["password"]
    actions = [
        change("drop.revoke", "Revoke", where={"revoked_at": None}, to=now("revoked_at")),
    ]


@admin.register(Token)
class TokenAdmin(Looked):
    """Tokens, which their owners make and nobody sees again."""

    list_display = ["name", "hint", "user", "scopes", "expires_at", "revoked_at", "used_at"]
    list_select_related = ["user"]
    search_fields = ["name", "hint", "=user__username"]
    exclude = ["sha256"]
    actions = [
        change("token.revoke", "Revoke", where={"revoked_at": None}, to=now("revoked_at")),
    ]


@admin.register(Usage)
class UsageAdmin(Looked):
    """What is used, which is counted; and what may be, which is said here."""

    list_display = ["subject", "used_bytes", "used_files", "max_bytes", "max_files"]
    search_fields = ["subject"]
    readonly_fields = ["subject", "used_bytes", "used_files"]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Tell whether the limits can be set."""
        return self.has_act_permission(request)

    def save_model(self, request: HttpRequest, obj: Usage, form: Any, change: bool) -> None:
        """Set the limits, and nothing that is counted meanwhile."""
        with transaction.atomic():
            obj.save(update_fields=["max_bytes", "max_files"])
            record(Entry(actor_of(request), "quota.set", obj.subject))


@admin.register(Webhook)
class WebhookAdmin(Looked):
    """Addresses that are told of what happens."""

    list_display = ["url", "user", "events", "created_at", "paused_at"]
    list_select_related = ["user"]
    exclude = ["secret", "old_secret"]
    actions = [
        change("webhook.pause", "Pause", where={"paused_at": None}, to=now("paused_at")),
        change(
            "webhook.resume",
            "Resume",
            where={"paused_at__isnull": False},
            to=lambda: {"paused_at": None},
        ),
    ]


@admin.register(Delivery)
class DeliveryAdmin(Looked):
    """What was told, and what came of it."""

    list_display = ["event", "webhook", "created_at", "attempts", "status", "ended_at", "trouble"]
    list_filter = ["event"]
    list_select_related = ["webhook"]


@admin.register(AuditEntry)
class AuditEntryAdmin(Looked):
    """What was done; /audit/ searches it, and writes it for a spreadsheet."""

    list_display = ["at", "user_name", "act", "object", "name", "address"]
    search_fields = ["=user_name", "=object", "=act", "=address"]


@admin.register(Duty)
class DutyAdmin(Looked):
    """What one worker does for all, and which."""

    list_display = ["name", "owner", "until", "done_at"]


admin.site.unregister(User)


@admin.register(User)
class PersonAdmin(UserAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """People; what is done to them is recorded."""

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save one."""
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            act = "user.change" if change else "user.add"
            record(Entry(actor_of(request), act, str(obj.pk), obj.get_username()))

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """Remove one; what was theirs is nobody's."""
        with transaction.atomic():
            record(Entry(actor_of(request), "user.delete", str(obj.pk), obj.get_username()))
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[User]") -> None:
        """Remove some."""
        with transaction.atomic():
            by = actor_of(request)
            record(*(Entry(by, "user.delete", str(u.pk), u.get_username()) for u in queryset))
            super().delete_queryset(request, queryset)
