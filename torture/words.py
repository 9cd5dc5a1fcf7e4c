"""What is said: every message is numbered per author and place, so that it can be told apart."""

import re
from typing import Final, NamedTuple, Self

_FORM: Final = re.compile(
    r"(?:(?P<byline>.+): )?(?P<author>[a-z]+) says (?P<number>\d+) in case (?P<portal>\d+)"
)


class Utterance(NamedTuple):
    """One message: in which portal, by whom (a key of the cast), the how manyeth of theirs."""

    portal: int
    author: str
    number: int

    @property
    def text(self) -> str:
        """How it reads."""
        return f"{self.author} says {self.number} in case {self.portal}"

    @classmethod
    def read(cls, body: str) -> tuple[Self, str | None] | None:
        """The utterance in a text, and the name put before it, if any; None for other texts."""
        found = _FORM.fullmatch(body)
        if found is None:
            return None
        said = cls(int(found["portal"]), found["author"], int(found["number"]))
        return said, found["byline"]
