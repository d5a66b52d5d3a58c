"""manage.py openapi: the description of the API, as docs/openapi.json keeps it."""

from django.core.management.base import BaseCommand

from fileservice.http.api.document import described


class Command(BaseCommand):
    """Print the description of the API."""

    help = "Print the description of the API (OpenAPI 3.1)."

    def handle(self, **options: object) -> None:
        """Print it."""
        self.stdout.write(described(), ending="")
