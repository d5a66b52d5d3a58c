"""What the people who run the service see of the rows."""

from django.contrib import admin

from fileservice.models import Batch, Certificate, File


@admin.register(File)
class FileAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """
    Rows to look at.

    They are neither made nor changed nor removed here: a row without its bytes, or bytes
    without their row, would be the outcome.
    """

    list_display = ["name", "size", "media_type", "created_at", "id"]
    search_fields = ["name", "id", "sha256"]
    exclude = ["key"]

    def has_add_permission(self, request: object) -> bool:
        """Files come in through uploads only."""
        return False

    def has_change_permission(self, request: object, obj: File | None = None) -> bool:
        """A file never changes."""
        return False

    def has_delete_permission(self, request: object, obj: File | None = None) -> bool:
        """The link to keep deletes."""
        return False


@admin.register(Certificate)
class CertificateAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """
    Certificates to look at, and to forget.

    Whoever has a right to be forgotten is, and then verification knows nothing of the certificate;
    one that is only no longer true is revoked, by the link to keep.
    """

    list_display = ["number", "title", "issued_at", "expires_at", "revoked_at"]
    search_fields = ["number", "id", "values", "sha256"]
    exclude = ["key", "own"]

    def has_add_permission(self, request: object) -> bool:
        """Certificates are issued, which is more than a row."""
        return False

    def has_change_permission(self, request: object, obj: Certificate | None = None) -> bool:
        """What was issued never changes."""
        return False


@admin.register(Batch)
class BatchAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Batches to look at; the link to keep stops them."""

    list_display = ["id", "state", "done", "total", "issued_at", "trouble"]
    list_filter = ["state"]
    exclude = ["key"]

    def has_add_permission(self, request: object) -> bool:
        """Lists come in by requests only."""
        return False

    def has_change_permission(self, request: object, obj: Batch | None = None) -> bool:
        """Who has the lease changes it."""
        return False

    def has_delete_permission(self, request: object, obj: Batch | None = None) -> bool:
        """Its certificates would no longer be of a batch."""
        return False
