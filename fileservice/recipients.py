"""Whose an upload becomes, and whom its bytes are counted for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final


@dataclass(frozen=True, slots=True)
class Recipient:
    """
    Whose an upload becomes, and how it is kept.

    Attributes:
        user_id: None where nobody has said who it is.
        sender: what rows keep of the browser; may be empty.
        address: that it is counted for; empty where that is a user, or nobody.
        subject: the row of `models.Usage` that it is counted in; empty where there is no quota.
        restricted: not for all who have its link.
        drop_id: the box that it is put into; None where there is none.
        media_types: that may come; all where none.
        parcel_id: of what it becomes a part; None where it is none.
        expires_at: of the file; aware, UTC; None for never.
    """

    user_id: int | None = None
    sender: str = ""
    address: str = ""
    subject: str = ""
    restricted: bool = False
    drop_id: str | None = None
    media_types: tuple[str, ...] = ()
    parcel_id: str | None = None
    expires_at: datetime | None = None

    @property
    def is_counted(self) -> bool:
        """Whether room has to be reserved for what it brings."""
        return self.subject != "" or self.drop_id is not None


NOBODY: Final = Recipient()


def subject_of(user_id: int | None, address: str) -> str:
    """Return the row of `models.Usage` of a user, or of an address; empty for neither."""
    if user_id is not None:
        return f"user:{user_id}"
    return f"address:{address}" if address else ""
