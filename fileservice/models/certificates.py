"""Certificates that were issued, and the lists they were issued from."""

from django.db import models

from fileservice.models.people import USER


class Batch(models.Model):
    """A list of certificates to be issued; who has the lease works on it."""

    id = models.CharField(primary_key=True, max_length=26)
    key = models.CharField(max_length=26, unique=True, help_text="in the link to keep")
    state = models.CharField(
        max_length=8, help_text="waiting, checking, issuing, done, refused or stopped"
    )
    template = models.TextField(help_text="its name or its URL")
    template_sha256 = models.CharField(
        max_length=64, blank=True, help_text="of what its lines were checked with"
    )
    zone = models.CharField(max_length=64, help_text="of the time the certificates show")
    issued_at = models.DateTimeField(help_text="when it was ordered, which they show")
    expires_at = models.DateTimeField(null=True, blank=True)
    origin = models.TextField(help_text="under which the client reached the service")
    total = models.PositiveIntegerField(help_text="lines")
    checked = models.PositiveIntegerField(default=0, help_text="lines that were tried")
    done = models.PositiveIntegerField(default=0, help_text="certificates that were issued")
    complaints = models.TextField(default="[]", help_text="lines and sentences, as JSON")
    trouble = models.TextField(blank=True, help_text="why it waits or was stopped")
    sender = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of the browser's cookie; empty for others"
    )
    user = models.ForeignKey(
        USER, models.SET_NULL, null=True, blank=True, db_index=False, help_text="whose it is"
    )
    owner = models.CharField(max_length=255, blank=True, help_text="who had the lease last")
    fence = models.PositiveIntegerField(default=0, help_text="how often the lease was taken")
    until = models.DateTimeField(help_text="when the lease ends")
    attempts = models.PositiveIntegerField(
        default=0, help_text="how often it was taken since something was issued"
    )

    class Meta:
        ordering = ["-issued_at"]
        verbose_name_plural = "batches"
        indexes = [
            models.Index(fields=["state", "until"], name="batch_state_until"),
            models.Index(fields=["sender", "-issued_at"], name="batch_sender_newest"),
            models.Index(fields=["user", "-issued_at", "-id"], name="batch_user_newest"),
        ]

    def __str__(self) -> str:
        return self.id


class BatchRoster(models.Model):
    """The list of a batch, until the batch has ended."""

    batch = models.OneToOneField(Batch, models.CASCADE, primary_key=True)
    content = models.BinaryField(help_text="lines of JSON, packed with zlib")

    def __str__(self) -> str:
        return self.batch_id


class Certificate(models.Model):
    """
    A certificate that was issued: what it says, and what its file has of its own.

    The file is the block, which it shares with all of its template, and `own`, unpacked.
    """

    id = models.CharField(primary_key=True, max_length=26, help_text="in the link to give away")
    key = models.CharField(max_length=26, unique=True, help_text="in the link to keep")
    number = models.CharField(max_length=26, unique=True, help_text="in the link to verify")
    template = models.TextField(help_text="its name, or its URL without a query")
    title = models.TextField(blank=True, help_text="of the template")
    template_sha256 = models.CharField(max_length=64)
    engine = models.CharField(max_length=64, help_text="version of the engine, and of the fonts")
    zone = models.CharField(max_length=64, help_text="of the time it shows")
    values = models.TextField(help_text="by name, as JSON")
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    block = models.CharField(max_length=64, help_text="SHA-256 of the bytes its file begins with")
    own = models.BinaryField(help_text="the rest of the file, packed with zlib")
    identity = models.CharField(max_length=32, db_index=True, help_text="the /ID of the file")
    size = models.PositiveBigIntegerField(help_text="bytes of the file")
    sha256 = models.CharField(max_length=64, db_index=True, help_text="of the file")
    revoked_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True, help_text="why it was revoked")
    sender = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of the browser's cookie; empty for others"
    )
    user = models.ForeignKey(
        USER, models.SET_NULL, null=True, blank=True, db_index=False, help_text="whose it is"
    )
    batch = models.ForeignKey(Batch, models.SET_NULL, null=True, blank=True, db_index=False)
    line = models.PositiveIntegerField(null=True, blank=True, help_text="of the batch's list")

    class Meta:
        ordering = ["-issued_at"]
        indexes = [
            models.Index(fields=["sender", "-issued_at"], name="certificate_sender_newest"),
            models.Index(fields=["user", "-issued_at", "-id"], name="certificate_user_newest"),
            models.Index(fields=["-issued_at", "-id"], name="certificate_newest"),
        ]
        constraints = [models.UniqueConstraint(fields=["batch", "line"], name="certificate_line")]

    def __str__(self) -> str:
        return self.number
