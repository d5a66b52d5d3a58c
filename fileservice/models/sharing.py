"""What others may get, or give: shares of what is here, boxes for what they bring."""

from django.db import models

from fileservice.models.people import USER


class Parcel(models.Model):
    """Several files that are given away together."""

    id = models.CharField(primary_key=True, max_length=26, help_text="in the link to give away")
    key = models.CharField(max_length=26, unique=True, help_text="in the link to keep")
    name = models.CharField(max_length=255, help_text="of the archive, without its ending")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True, help_text="when it is deleted")
    restricted = models.BooleanField(
        default=False, help_text="not for all who have its link, but for its owner and by shares"
    )
    sender = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of the browser's cookie; empty for others"
    )
    user = models.ForeignKey(
        USER, models.SET_NULL, null=True, blank=True, db_index=False, help_text="whose it is"
    )

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["sender", "-created_at"], name="parcel_sender_newest"),
            models.Index(fields=["user", "-created_at", "-id"], name="parcel_user_newest"),
            models.Index(
                fields=["expires_at"],
                name="parcel_expires",
                condition=models.Q(expires_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Share(models.Model):
    """A link of its own to a file or a parcel, with terms of its own."""

    id = models.CharField(
        primary_key=True, max_length=26, help_text="in the link, and signed there"
    )
    file = models.ForeignKey("File", models.CASCADE, null=True, blank=True)
    parcel = models.ForeignKey(Parcel, models.CASCADE, null=True, blank=True)
    user = models.ForeignKey(USER, models.CASCADE, null=True, blank=True, help_text="who shares")
    note = models.CharField(max_length=255, blank=True, help_text="for who shares: with whom")
    password = models.CharField(
        max_length=255, blank=True, help_text="its hash, with salt and cost"
    )
    max_downloads = models.PositiveIntegerField(null=True, blank=True)
    downloads = models.PositiveIntegerField(default=0, help_text="begun, each with a lease")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(file__isnull=True) ^ models.Q(parcel__isnull=True),
                name="share_of_one",
            )
        ]

    def __str__(self) -> str:
        return self.id


class Lease(models.Model):
    """One download by a share: what is asked again within it counts no more."""

    id = models.CharField(
        primary_key=True, max_length=64, help_text="SHA-256 of what who has it shows"
    )
    share = models.ForeignKey(Share, models.CASCADE)
    address = models.GenericIPAddressField(null=True, blank=True)
    began_at = models.DateTimeField(help_text="at the first byte")
    until = models.DateTimeField()

    class Meta:
        ordering = ["-began_at"]
        indexes = [models.Index(fields=["share", "address", "until"], name="lease_address")]

    def __str__(self) -> str:
        return self.id


class Drop(models.Model):
    """A box that people without an account put files into."""

    id = models.CharField(
        primary_key=True, max_length=26, help_text="in the link, and signed there"
    )
    user = models.ForeignKey(USER, models.CASCADE, help_text="whose the files become")
    title = models.CharField(max_length=255)
    note = models.TextField(blank=True, help_text="for who brings something")
    password = models.CharField(
        max_length=255, blank=True, help_text="its hash, with salt and cost"
    )
    max_file_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    max_bytes = models.PositiveBigIntegerField(null=True, blank=True, help_text="of all files")
    max_files = models.PositiveIntegerField(null=True, blank=True)
    media_types = models.TextField(blank=True, help_text="that may come, by spaces; all where none")
    used_bytes = models.PositiveBigIntegerField(default=0, help_text="with what is on its way")
    used_files = models.PositiveIntegerField(default=0, help_text="with what is on its way")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.title
