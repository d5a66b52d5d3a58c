"""Who is told of what happens."""

from django.db import models

from fileservice.models.people import USER


class Webhook(models.Model):
    """An address that is told."""

    user = models.ForeignKey(USER, models.CASCADE, help_text="of whose files and certificates")
    url = models.TextField()
    secret = models.CharField(max_length=64, help_text="of the HMAC")
    old_secret = models.CharField(
        max_length=64, blank=True, help_text="the one before, which signs too for a while"
    )
    rotated_at = models.DateTimeField(null=True, blank=True)
    events = models.TextField(help_text="as file.upload, by spaces")
    created_at = models.DateTimeField()
    paused_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.url


class Delivery(models.Model):
    """One event on its way to one address; who has the lease sends it."""

    webhook = models.ForeignKey(Webhook, models.CASCADE)
    event = models.CharField(max_length=40)
    content = models.TextField(help_text="JSON, as it is sent and signed")
    created_at = models.DateTimeField()
    next_at = models.DateTimeField(help_text="when it is sent, or sent again")
    attempts = models.PositiveIntegerField(default=0)
    status = models.PositiveIntegerField(null=True, help_text="of the last answer")
    trouble = models.TextField(blank=True, help_text="why it failed last")
    ended_at = models.DateTimeField(null=True, blank=True, help_text="taken, or given up")
    owner = models.CharField(max_length=255, blank=True, help_text="who had the lease last")
    fence = models.PositiveIntegerField(default=0, help_text="how often the lease was taken")
    until = models.DateTimeField(help_text="when the lease ends")

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        indexes = [
            # By hook, so that one with many that wait is in nobody's way.
            models.Index(
                fields=["webhook", "next_at"],
                name="delivery_due",
                condition=models.Q(ended_at__isnull=True),
            ),
            models.Index(fields=["ended_at"], name="delivery_ended"),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.webhook_id}"
