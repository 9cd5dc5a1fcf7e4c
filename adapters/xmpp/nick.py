"""A name as the nick of an occupant: what resourceprep allows (RFC 6122, appendix B)."""

import stringprep
import unicodedata
from typing import Final

FALLBACK: Final = "Guest"
LONGEST: Final = 80
"""Characters. A resourcepart may have 1023 bytes; nobody reads that."""

SPELLINGS: Final = 20
"""How many numbers are tried after a nick that is taken."""

_PROHIBITED = (
    stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3,
    stringprep.in_table_c4, stringprep.in_table_c5, stringprep.in_table_c6, stringprep.in_table_c7,
    stringprep.in_table_c8, stringprep.in_table_c9, stringprep.in_table_b1,
)  # fmt: skip


def prepare(name: str, fallback: str = FALLBACK) -> str:
    """The nearest nick to `name` that a room can take; `fallback` if nothing of it is left."""
    return _shaped(name) or _shaped(fallback) or FALLBACK


def strict(nick: str, fallback: str = FALLBACK) -> str:
    """The same for rooms that know no character younger than Unicode 3.2 (an emoji, say)."""
    return _shaped(_known(nick)) or _shaped(_known(fallback)) or FALLBACK


def numbered(nick: str, number: int) -> str:
    """`nick` for the first, "nick (2)" for the second of that name."""
    if number == 1:
        return nick
    suffix = f" ({number})"
    shown = nick[: LONGEST - len(suffix)].rstrip()
    if _is_right_to_left(shown):
        return f"{shown}{suffix}{shown[-1]}"  # such a nick has to end with such a letter
    return shown + suffix


def spells(nick: str, name: str) -> bool:
    """Whether someone of this name may have been given this nick."""
    bases = {prepare(name), strict(prepare(name))}
    numbers = range(1, SPELLINGS + 1)
    return any(nick == numbered(base, number) for base in bases for number in numbers)


def _known(name: str) -> str:
    return "".join(char for char in name if not stringprep.in_table_a1(char))


def _shaped(name: str) -> str:
    """Normalised, of allowed characters only, of one direction, not too long."""
    spaced = " ".join(name.split())
    normal = unicodedata.normalize("NFKC", spaced)
    kept = "".join(char for char in normal if not any(table(char) for table in _PROHIBITED))
    # Dropping characters can bring others together that compose: once more, then it is stable.
    kept = " ".join(unicodedata.normalize("NFKC", kept).split())
    return _one_direction(kept[:LONGEST]).strip()


def _is_right_to_left(text: str) -> bool:
    return any(stringprep.in_table_d1(char) for char in text)


def _one_direction(text: str) -> str:
    """Stringprep (RFC 3454, section 6) lets a right-to-left nick contain no left-to-right letter,
    and begin and end with a right-to-left one.
    """
    if not _is_right_to_left(text):
        return text
    kept = [char for char in text if not stringprep.in_table_d2(char)]
    while kept and not stringprep.in_table_d1(kept[0]):
        kept.pop(0)
    while kept and not stringprep.in_table_d1(kept[-1]):
        kept.pop()
    return " ".join("".join(kept).split())
