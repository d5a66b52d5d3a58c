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
