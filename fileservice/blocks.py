"""The blocks that certificates begin with: one for all of a template, kept for ever."""

import os
import time
from collections.abc import Buffer
from contextlib import suppress
from pathlib import Path

from fileservice.storage.disk import WholeFile, sync_folder

PRIVATE_FOLDER = 0o700
DRAFT_SECONDS = 86_400.0


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
        for draft in self.folder.glob(".*"):
            with suppress(FileNotFoundError):
                if draft.stat().st_mtime < time.time() - DRAFT_SECONDS:
                    draft.unlink()

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
