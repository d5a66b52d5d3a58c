"""The Django app."""

from django.apps import AppConfig
from django.core.checks import register


class FileserviceConfig(AppConfig):
    """Registers the checks of the settings."""

    name = "fileservice"
    verbose_name = "File service"

    def ready(self) -> None:
        """Register what `manage.py check` and every start look at."""
        from fileservice import checks

        register(checks.options_are_right)
