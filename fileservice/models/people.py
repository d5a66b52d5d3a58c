"""What people carry who are no browser: tokens. People themselves are Django's."""

from django.db import models

USER = "auth.User"


class Token(models.Model):
    """What a script shows in its owner's place; the token itself is nowhere but with who has it."""

    user = models.ForeignKey(USER, models.CASCADE)
    name = models.CharField(max_length=100, help_text="what it is for")
    sha256 = models.CharField(max_length=64, unique=True, help_text="of the token")
    hint = models.CharField(max_length=8, help_text="how it begins, to tell it from others")
    scopes = models.CharField(max_length=100, help_text="upload, read, issue and admin, by spaces")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True, help_text="to the minute")

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.name


class Session(models.Model):
    """What is known of a browser, mostly who has logged in there; its key only the browser has."""

    id = models.CharField(primary_key=True, max_length=64, help_text="SHA-256 of the key")
    user = models.ForeignKey(USER, models.CASCADE, null=True, blank=True, help_text="logged in")
    data = models.TextField()
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(help_text="to ten minutes")

    class Meta:
        ordering = ["-used_at"]

    def __str__(self) -> str:
        return self.id


class LoginAttempts(models.Model):
    """How often somebody tried to log in of late."""

    subject = models.CharField(
        primary_key=True, max_length=64, help_text="SHA-256 of a name, an address or a browser"
    )
    count = models.PositiveIntegerField()
    until = models.DateTimeField(db_index=True, help_text="when it is forgotten")

    class Meta:
        verbose_name_plural = "login attempts"

    def __str__(self) -> str:
        return self.subject
