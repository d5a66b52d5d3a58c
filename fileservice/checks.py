"""A wrong setting stops the start, by check id."""

from collections.abc import Sequence

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error


def options_are_right(
    app_configs: Sequence[AppConfig] | None, **kwargs: object
) -> list[CheckMessage]:
    """Report every FILESERVICE_* variable that cannot be used."""
    return [Error(problem.message, id=problem.id) for problem in settings.OPTION_PROBLEMS]
