"""Who may give which commands: ranks, as the configuration hands them out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

EVERYONE: Final = "*"
"""The entry for all users who have no other."""

_USER = re.compile(r"@[^\s:@]+:(?P<domain>\S+)")
_DOMAIN = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
_FULL_DOMAIN = re.compile(r".*[.:].*|localhost")


class Rank(StrEnum):
    """What someone may do, the least first. Each rank may do all that the ones before it may."""

    NONE = "none"
    USER = "user"
    MODERATOR = "moderator"
    ADMIN = "admin"

    def covers(self, needed: "Rank") -> bool:
        """Whether this rank is enough where `needed` is asked for."""
        return _ORDER[self] >= _ORDER[needed]


_ORDER: Final = {rank: place for place, rank in enumerate(Rank)}


@dataclass(frozen=True, slots=True)
class Permissions:
    """Ranks by user id, by domain, and by `EVERYONE`; the most specific entry holds."""

    entries: Mapping[str, Rank]

    @classmethod
    def of(cls, entries: Mapping[str, Rank], domain: str) -> Self:
        """The entries of the configuration, completed: where they say nothing of the homeserver's
        own domain, nor of everyone, its users are `Rank.USER`.
        """
        found = {_entry(who): rank for who, rank in entries.items()}
        if EVERYONE not in found:
            found.setdefault(domain.lower(), Rank.USER)
        return cls(found)

    def rank(self, user_id: str, *, moderates: bool = False) -> Rank:
        """The rank of a user, in a room where they moderate or in any other.

        A moderator of a room is one for the bot as well, but not someone whom an entry keeps from
        giving any commands.
        """
        found = self._entry(user_id)
        if moderates and found is not Rank.NONE and (found is None or not found.covers(_LIFTED)):
            return _LIFTED
        return found or Rank.NONE

    def admins(self) -> tuple[str, ...]:
        """The users who are admins by name."""
        admins = (who for who, rank in self.entries.items() if rank is Rank.ADMIN)
        return tuple(who for who in admins if who.startswith("@"))

    def _entry(self, user_id: str) -> Rank | None:
        domain = user_id.partition(":")[2].lower()
        keys = (_entry(user_id), domain, EVERYONE)
        return next((self.entries[key] for key in keys if key in self.entries), None)


_LIFTED: Final = Rank.MODERATOR


def _entry(who: str) -> str:
    """An entry's one spelling: server names know no case, names of users do."""
    local, colon, domain = who.partition(":")
    return f"{local}:{domain.lower()}" if who.startswith("@") and colon else who.lower()


def checked_entry(who: str, own_domain: str) -> str:
    """The same, if it can stand for someone.

    Args:
        who: a key of the configuration's permissions.
        own_domain: the homeserver's, which may be a single word.

    Raises:
        ValueError: it is neither a user id, nor a domain, nor `EVERYONE`; says what to write.
    """
    if who == EVERYONE:
        return who
    if user := _USER.fullmatch(who):
        if _is_domain(user["domain"], own_domain):
            return who
    elif _is_domain(who, own_domain):
        return who
    msg = (
        f'this key names nobody; write a user id ("@weber:{own_domain}"), a domain'
        f' ("{own_domain}"), or "{EVERYONE}" for everyone'
    )
    raise ValueError(msg)


def _is_domain(text: str, own_domain: str) -> bool:
    if text.lower() == own_domain.lower():
        return True
    return bool(_DOMAIN.fullmatch(text) and _FULL_DOMAIN.fullmatch(text))
