"""Under which name an author appears away from home."""

import unicodedata
from collections.abc import Mapping

from bridge.flow.hygiene import clean_name
from bridge.model import MATRIX, Author


def shown_name(author: Author, network_names: Mapping[str, str]) -> str:
    """The name under which an author appears away from home.

    People of another network carry its name, "Anna (Hospital B)", so nobody can pass for a
    doctor of this homeserver or for a member of a third network. A claim to such a suffix that
    is part of a person's own name is taken away first, however its letters are dressed up.
    """
    name = bare_name(author.name, network_names) or bare_name(clean_name(author.id), network_names)
    if author.network == MATRIX:
        return name or "?"
    return f"{name or '?'} ({network_names.get(author.network, author.network)})"


def bare_name(name: str, network_names: Mapping[str, str]) -> str:
    """The name without the suffix of any network, however often it is there."""
    while start := _start_of_claim(name, network_names):
        name = name[: start - 1].rstrip()
    return name


def _start_of_claim(name: str, network_names: Mapping[str, str]) -> int:
    """Where in the name a network's suffix begins, counted from 1; 0 when it ends with none."""
    if not unicodedata.normalize("NFKC", name).endswith(")"):
        return 0
    suffixes = {_folded(f"({word})") for names in network_names.items() for word in names if word}
    # A change of case or dress may change the length: so the ends are compared one by one.
    return next((n for n in range(len(name), 0, -1) if _folded(name[n - 1 :]) in suffixes), 0)


def _folded(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
