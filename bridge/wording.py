"""Small words for people: what was meant by a slip of the pen, lists, and counted things."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like `word`, or None when none is like it."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    # Longer input is no typing slip, and the comparison is quadratic in its length.
    found = get_close_matches(word.lower()[:100], by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def listed(words: Iterable[str]) -> str:
    """Words as a list for people: "a, b and c"; "none" when there are none."""
    *most, last = list(words) or ["none"]
    return f"{', '.join(most)} and {last}" if most else last


def counted(number: int, thing: str) -> str:
    """A number of things for people: "1 portal", "2 portals"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
