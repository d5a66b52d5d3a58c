"""What was done, by whom: rows that are added and never changed."""

from django.db import models


class AuditEntry(models.Model):
    """
    One act, committed with what it did.

    It names people and things by value: it stays when they are gone.
    """

    at = models.DateTimeField()
    user_id = models.IntegerField(null=True)
    user_name = models.CharField(max_length=150, blank=True)
    token_id = models.BigIntegerField(null=True)
    act = models.CharField(max_length=40, help_text="noun and verb, as file.delete")
    object = models.CharField(max_length=64, blank=True, help_text="its id")
    name = models.CharField(max_length=255, blank=True, help_text="of the object")
    sha256 = models.CharField(max_length=64, blank=True, help_text="of a content")
    address = models.CharField(max_length=45, blank=True)
    request = models.CharField(max_length=40, blank=True, help_text="X-Request-ID")

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["user_id", "-id"], name="audit_user"),
            models.Index(fields=["object"], name="audit_object"),
        ]

    def __str__(self) -> str:
        return f"{self.act} {self.object}"
