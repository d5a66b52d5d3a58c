"""The Django app."""

from django.apps import AppConfig
from django.core.checks import register


class FileserviceConfig(AppConfig):
    """Registers the checks of the settings, and what is done at logins."""

    name = "fileservice"
    verbose_name = "File service"

    def ready(self) -> None:
        """Register what `manage.py check` and every start look at."""
        from fileservice import checks
        from fileservice.http import logins  # noqa: F401 - its receivers

        register(checks.options_are_right)
