"""What one worker does for all."""

from django.db import models


class Duty(models.Model):
    """What one worker does for all of them; who has the lease does it."""

    name = models.CharField(primary_key=True, max_length=32)
    owner = models.CharField(max_length=255, blank=True, help_text="who had the lease last")
    fence = models.PositiveIntegerField(default=0, help_text="how often the lease was taken")
    until = models.DateTimeField(help_text="when the lease ends")
    done_at = models.DateTimeField(null=True, blank=True, help_text="when it was last done")

    class Meta:
        verbose_name_plural = "duties"

    def __str__(self) -> str:
        return self.name
