"""Files, and what they come in by."""

from django.db import models

from fileservice.models.people import USER


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
    user = models.ForeignKey(
        USER, models.SET_NULL, null=True, blank=True, db_index=False, help_text="whose it is"
    )
    state = models.CharField(
        max_length=8, default="ready", help_text="ready, unscanned, infected or withheld"
    )
    finding = models.CharField(
        max_length=255, blank=True, help_text="what a scanner found, or why it is withheld"
    )
    restricted = models.BooleanField(
        default=False, help_text="not for all who have its link, but for its owner and by shares"
    )
    expires_at = models.DateTimeField(null=True, blank=True, help_text="when it is deleted")
    crc32 = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="of the content; none where nobody has read it since"
    )
    parcel = models.ForeignKey(
        "Parcel",
        models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
        help_text="of what it is a part",
    )
    path = models.TextField(blank=True, help_text="in its parcel: folders and name, with slashes")
    drop = models.ForeignKey(
        "Drop",
        models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
        help_text="the box that it was put into",
    )
    address = models.CharField(
        max_length=45,
        blank=True,
        db_default="",
        help_text="that it is counted for; empty for users",
    )

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["sender", "-created_at"], name="file_sender_newest"),
            models.Index(
                fields=["user", "-created_at", "-id"],
                name="file_user_newest",
                condition=models.Q(user__isnull=False),
            ),
            models.Index(fields=["-created_at", "-id"], name="file_newest"),
            # The few that have one: a row that has none costs an insert nothing.
            models.Index(
                fields=["parcel", "path"],
                name="file_parcel",
                condition=models.Q(parcel__isnull=False),
            ),
            models.Index(fields=["drop"], name="file_drop", condition=models.Q(drop__isnull=False)),
            models.Index(
                fields=["expires_at"],
                name="file_expires",
                condition=models.Q(expires_at__isnull=False),
            ),
            models.Index(fields=["address"], name="file_address", condition=~models.Q(address="")),
            models.Index(fields=["state"], name="file_state", condition=~models.Q(state="ready")),
        ]

    def __str__(self) -> str:
        return self.name


class ResumableUpload(models.Model):
    """
    An upload that comes in several requests; who has the lease writes to it.

    It stays when it is finished, for as long as its file does: clients ask what became of it.
    """

    id = models.CharField(primary_key=True, max_length=26, help_text="the file's, once it is one")
    key = models.CharField(max_length=26, unique=True, help_text="in the link to keep")
    name = models.CharField(max_length=255)
    name_changed = models.BooleanField(help_text="the client sent another name")
    kind = models.CharField(max_length=5, help_text="whole, told, part or final")
    state = models.CharField(max_length=8, help_text="open, finished or failed")
    length = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="bytes when it is whole; none while nobody said"
    )
    offset = models.PositiveBigIntegerField(default=0, help_text="bytes that are durable")
    sha256 = models.CharField(
        max_length=64, blank=True, help_text="that it must have, in hexadecimal"
    )
    metadata = models.TextField(blank=True, help_text="Upload-Metadata, as it was sent")
    concat = models.TextField(blank=True, help_text="Upload-Concat, as it was sent")
    parts = models.TextField(blank=True, help_text="ids of what a final one is made of")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="when it is removed, if it is not finished")
    sender = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of the browser's cookie; empty for others"
    )
    user = models.ForeignKey(
        USER, models.SET_NULL, null=True, blank=True, db_index=False, help_text="whose it is"
    )
    restricted = models.BooleanField(default=False, help_text="as of the file")
    file_expires_at = models.DateTimeField(null=True, blank=True, help_text="of the file")
    parcel = models.ForeignKey(
        "Parcel", models.SET_NULL, null=True, blank=True, help_text="as of the file"
    )
    path = models.TextField(blank=True, help_text="as of the file")
    drop = models.ForeignKey(
        "Drop", models.SET_NULL, null=True, blank=True, help_text="as of the file"
    )
    address = models.CharField(max_length=45, blank=True, db_default="", help_text="as of the file")
    owner = models.CharField(max_length=255, blank=True, help_text="who had the lease last")
    fence = models.PositiveIntegerField(default=0, help_text="how often the lease was taken")
    until = models.DateTimeField(help_text="when the lease ends")
    asked = models.BooleanField(default=False, help_text="who has the lease is to let go")

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["state", "expires_at"], name="resumable_state_expires"),
            models.Index(fields=["parts"], name="resumable_parts"),
            models.Index(fields=["kind", "expires_at"], name="resumable_kind_expires"),
            models.Index(fields=["owner"], name="resumable_asked", condition=models.Q(asked=True)),
        ]

    def __str__(self) -> str:
        return self.name
