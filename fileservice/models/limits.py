"""How much is used, and may be."""

from django.db import models


class Usage(models.Model):
    """What a person, or an address, has stored; with what is on its way."""

    subject = models.CharField(
        primary_key=True, max_length=64, help_text="user:<id> or address:<address>"
    )
    used_bytes = models.PositiveBigIntegerField(default=0)
    used_files = models.PositiveBigIntegerField(default=0)
    max_bytes = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="instead of what holds for all"
    )
    max_files = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="instead of what holds for all"
    )

    class Meta:
        verbose_name_plural = "usage"

    def __str__(self) -> str:
        return self.subject
