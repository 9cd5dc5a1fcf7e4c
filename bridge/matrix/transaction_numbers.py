"""Notices a transaction that the homeserver has left behind.

Synapse numbers its transactions one by one. It can leave one behind: what it writes down at the
very moment when it finds the bridge well again stays unsent until the next time the bridge was away
(synapse/appservice/scheduler.py: `send` and `_Recoverer.retry` don't exclude each other). What is
left behind shows as a gap in the numbers. Told to repeat the one after the gap, Synapse starts
again with the oldest that is unsent, so that all come, and in order.

The specification promises nothing about transaction ids, so a guess that fails is the last one.
"""

from typing import Final

_LARGEST: Final = 1_000_000_000
"""Larger numbers are times rather than counts."""


class TransactionNumbers:
    """The numbers of the transactions of one run of the bridge."""

    def __init__(self) -> None:
        self._newest: int | None = None
        self._refused: int | None = None
        self._believed = True

    def skips(self, txn_id: str) -> bool:
        """Whether one before it is missing, so that it should be repeated after that one.

        Never twice for the same.
        """
        number = _number(txn_id)
        if number is None or not self._believed:
            return False
        if self._newest is None or number <= self._newest + 1:
            return False
        if number == self._refused:
            self._believed = False  # what is missing does not come: they are not counted like that
            return False
        self._refused = number
        return True

    def took(self, txn_id: str) -> None:
        """Note a transaction that was taken over."""
        number = _number(txn_id)
        if number is not None:
            self._newest = number if self._newest is None else max(self._newest, number)


def _number(txn_id: str) -> int | None:
    if not (txn_id.isascii() and txn_id.isdecimal() and len(txn_id) <= len(str(_LARGEST))):
        return None
    number = int(txn_id)
    return number if number < _LARGEST else None
