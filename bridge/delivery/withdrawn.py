"""Messages that were deleted while they were on their way: they are not shown any more."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from bridge.flow.relay import Duty
from bridge.model import Deleted

_REMEMBERED: Final = 10_000
"""What waits longer than so many deletions is read from disk again, without its words."""


class Withdrawn:
    """Remembers the latest deletions that are on disk."""

    def __init__(self) -> None:
        self._messages: OrderedDict[int, None] = OrderedDict()

    def note(self, duties: Iterable[Duty]) -> None:
        """Take note of deletions among new duties."""
        for duty in duties:
            if isinstance(duty.event, Deleted) and duty.target_id is not None:
                self._messages[duty.target_id] = None
        while len(self._messages) > _REMEMBERED:
            self._messages.popitem(last=False)

    def has(self, message_id: int) -> bool:
        """Whether a message was deleted a short while ago."""
        return message_id in self._messages
