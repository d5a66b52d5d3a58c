"""The link by which the first administrator is made, told at a start where there is nobody."""

import logging
import os

from django.urls import reverse

from fileservice import people
from fileservice.ledger import Ledger
from fileservice.options import Options

log = logging.getLogger("fileservice.people")

# In the environment of workers whose supervisor told the link: it knows the address as well.
TOLD = "_FILESERVICE_FIRST_LINK_TOLD"


def first_path(options: Options) -> str | None:
    """Return the path of the link; None where there is somebody, or no account is needed."""
    secret = people.first_secret() if options.access == "private" else None
    return reverse("first", args=[secret]) if secret else None


def sentence(link: str) -> str:
    """Return what is told of a link."""
    return f"Nobody has an account yet. Whoever opens this link first runs the service: {link}"


async def tell_first_link(options: Options, ledger: Ledger) -> None:
    """Log the link, under servers that are not ours."""
    if TOLD not in os.environ and (path := await ledger.run(first_path, options)):
        log.warning("%s", sentence(f"{path} at this service's address"))
