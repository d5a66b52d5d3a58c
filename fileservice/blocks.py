"""The blocks that certificates begin with: one for all of a template, kept for ever."""

import os
from collections.abc import Buffer
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fileservice.storage.disk import WholeFile, sync_folder, unchanged

PRIVATE_FOLDER = 0o700
DRAFT_AGE = timedelta(days=1)


class Blocks:
    """
    Blocks by their SHA-256; its methods wait for the disk, so call them in a thread.

    Nothing removes a block: a row may need it as long as there are rows.

    Attributes:
        folder: where each is a file named by its digest.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._synced: set[str] = set()

    def prepare(self) -> None:
        """Make the folder, and remove what killed processes left in it."""
        self.folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        sync_folder(str(self.folder.parent))
        for file in unchanged(self.folder, datetime.now(UTC) - DRAFT_AGE):
            if file.name.startswith("."):
                file.unlink(missing_ok=True)

    def keep(self, digest: str, block: Buffer, *, draft: str) -> None:
        """
        Make `block` durable; `draft` is a name that nobody else uses.

        Raises:
            OSError: the disk failed.
        """
        place = self.folder / digest
        if digest in self._synced and place.exists():
            return
        if not place.exists():
            self._place(place, block, self.folder / f".{draft}")
        # Also of one that another worker placed a moment ago.
        sync_folder(str(self.folder))
        self._synced.add(digest)

    def _place(self, place: Path, block: Buffer, draft: Path) -> None:
        try:
            with WholeFile(str(draft)) as file:
                file.writelines([block])
                os.fsync(file.fileno())
            # What has its name is whole and on the disk, whoever was killed when.
            draft.replace(place)
        finally:
            draft.unlink(missing_ok=True)

    def get(self, digest: str) -> bytes:
        """
        Return a block.

        Raises:
            OSError: it is not there.
        """
        return (self.folder / digest).read_bytes()
