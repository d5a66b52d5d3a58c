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


class Reservation(models.Model):
    """Room for what is on its way: counted already, and given back where it does not arrive."""

    id = models.CharField(primary_key=True, max_length=26, help_text="of the upload, or of a form")
    subject = models.CharField(max_length=64, blank=True, help_text="of the usage it is counted in")
    drop_id = models.CharField(max_length=26, blank=True, help_text="that it is counted in")
    bytes = models.PositiveBigIntegerField()
    files = models.PositiveIntegerField()
    owner = models.CharField(max_length=255, blank=True, help_text="the worker that takes it in")
    until = models.DateTimeField(help_text="when a worker that renews it no longer is dead")

    class Meta:
        indexes = [
            models.Index(fields=["subject"], name="reservation_subject"),
            models.Index(fields=["owner"], name="reservation_owner"),
        ]

    def __str__(self) -> str:
        return self.id
