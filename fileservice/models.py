"""The rows."""

from django.db import models


class File(models.Model):
    """A file that is wholly here: its bytes are durable before its row exists."""

    id = models.CharField(primary_key=True, max_length=26, help_text="in the link to give away")
    key = models.CharField(max_length=26, unique=True, help_text="in the link to keep")
    name = models.CharField(max_length=255)
    name_changed = models.BooleanField(help_text="the client sent another name")
    size = models.PositiveBigIntegerField(help_text="bytes")
    sha256 = models.CharField(max_length=64, help_text="of the content, in hexadecimal")
    media_type = models.CharField(max_length=127, help_text="told by the content")
    created_at = models.DateTimeField()
    sender = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of the browser's cookie; empty for others"
    )

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["sender", "-created_at"], name="file_sender_newest")]

    def __str__(self) -> str:
        return self.name
