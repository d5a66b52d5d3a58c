"""Where blobs and drafts lie on the local disk; every call here waits and belongs in a thread."""

import os
from pathlib import Path

from fileservice.storage import disk

PRIVATE_FOLDER = 0o700


class Folders:
    """
    `incoming/<id>` while a blob is written, then `<aa>/<id>`, below one folder.

    Paths are text: pathlib takes longer for one than the kernel for the file.
    """

    def __init__(self, root: Path) -> None:
        self.incoming = f"{root}/incoming"
        self._root = str(root)

    def prepare(self) -> None:
        """Make them."""
        Path(self.incoming).mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)

    def of(self, id: str) -> str:
        """Return the folder of a blob."""
        return f"{self._root}/{id[:2]}"

    def blob(self, id: str) -> str:
        """Return where a blob lies."""
        return f"{self._root}/{id[:2]}/{id}"

    def draft(self, id: str) -> str:
        """Return where a draft lies."""
        return f"{self.incoming}/{id}"

    def new_blob(self, id: str) -> disk.WholeFile:
        """
        Open a blob to be written in its place, locked.

        Raises:
            FileExistsError: there is a blob with this id.
        """
        try:
            return disk.claimed(self.blob(id))
        except FileNotFoundError:
            self._make(self.of(id))
            return disk.claimed(self.blob(id))

    def place(self, id: str) -> None:
        """
        Move a synced draft to where the blob belongs, durably.

        Raises:
            FileExistsError: there is another blob with this id; it is untouched.
        """
        draft, blob = self.draft(id), self.blob(id)
        # link, unlike rename, never overwrites.
        try:
            os.link(draft, blob)
        except FileNotFoundError:
            self._make(self.of(id))
            os.link(draft, blob)
        except FileExistsError:
            # A process that was killed after `link` left both names of the one file.
            if not os.path.samefile(draft, blob):  # noqa: PTH121 - see the class
                raise
        Path(draft).unlink()
        disk.sync_folder(self.of(id))

    def _make(self, folder: str) -> None:
        Path(folder).mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        disk.sync_folder(self._root)
