"""Who asks: a person, a script with a person's token, or anybody; and from where."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

Scope = Literal["upload", "read", "issue", "admin"]

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
EVERYTHING: Final[frozenset[Scope]] = frozenset(SCOPES)
ALL_BUT_ADMIN: Final[frozenset[Scope]] = EVERYTHING - {"admin"}


@dataclass(frozen=True, slots=True)
class Actor:
    """
    Who asks for something to be done.

    Attributes:
        user_id: None for who has not said who it is.
        name: of the user, or of what stands for one.
        is_superuser: whether the user is an administrator now, whatever a token was made for.
        token_id: None where there is no token with a row.
        scopes: what may be done: of a token what it was made for, of others everything.
        sender: what rows keep of a browser; empty for others, and where a token was shown.
        address: of the client.
        request: X-Request-ID of the answer.
    """

    user_id: int | None = None
    name: str = ""
    is_superuser: bool = False
    token_id: int | None = None
    scopes: frozenset[Scope] = ALL_BUT_ADMIN
    sender: str = ""
    address: str = ""
    request: str = ""

    @property
    def is_admin(self) -> bool:
        """Whether everything may be seen and done."""
        return self.is_superuser and "admin" in self.scopes


ANYBODY: Final = Actor()
# What the service does by itself.
THE_SERVICE: Final = Actor(name="the service")
# Who has a shell on the machine of the service.
THE_OPERATOR: Final = Actor(name="the operator", is_superuser=True, scopes=EVERYTHING)
