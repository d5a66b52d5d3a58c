from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("fileservice", "0003_batches"),
    ]

    operations = [
        migrations.CreateModel(
            name="ResumableUpload",
            fields=[
                (
                    "id",
                    models.CharField(
                        help_text="the file's, once it is one",
                        max_length=26,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "key",
                    models.CharField(help_text="in the link to keep", max_length=26, unique=True),
                ),
                ("name", models.CharField(max_length=255)),
                ("name_changed", models.BooleanField(help_text="the client sent another name")),
                ("kind", models.CharField(help_text="whole, told, part or final", max_length=5)),
                ("state", models.CharField(help_text="open, finished or failed", max_length=8)),
                (
                    "length",
                    models.PositiveBigIntegerField(
                        blank=True,
                        help_text="bytes when it is whole; none while nobody said",
                        null=True,
                    ),
                ),
                (
                    "offset",
                    models.PositiveBigIntegerField(default=0, help_text="bytes that are durable"),
                ),
                (
                    "sha256",
                    models.CharField(
                        blank=True, help_text="that it must have, in hexadecimal", max_length=64
                    ),
                ),
                (
                    "metadata",
                    models.TextField(blank=True, help_text="Upload-Metadata, as it was sent"),
                ),
                ("concat", models.TextField(blank=True, help_text="Upload-Concat, as it was sent")),
                (
                    "parts",
                    models.TextField(blank=True, help_text="ids of what a final one is made of"),
                ),
                ("created_at", models.DateTimeField()),
                (
                    "expires_at",
                    models.DateTimeField(help_text="when it is removed, if it is not finished"),
                ),
                (
                    "sender",
                    models.CharField(
                        blank=True,
                        help_text="SHA-256 of the browser's cookie; empty for others",
                        max_length=64,
                    ),
                ),
                (
                    "owner",
                    models.CharField(
                        blank=True, help_text="who had the lease last", max_length=255
                    ),
                ),
                (
                    "fence",
                    models.PositiveIntegerField(
                        default=0, help_text="how often the lease was taken"
                    ),
                ),
                ("until", models.DateTimeField(help_text="when the lease ends")),
                (
                    "asked",
                    models.BooleanField(default=False, help_text="who has the lease is to let go"),
                ),
            ],
            options={
                "ordering": ["-created_at"],
                "indexes": [
                    models.Index(fields=["state", "expires_at"], name="resumable_state_expires"),
                    models.Index(fields=["parts"], name="resumable_parts"),
                    models.Index(
                        condition=models.Q(("asked", True)),
                        fields=["owner"],
                        name="resumable_asked",
                    ),
                ],
            },
        ),
    ]
