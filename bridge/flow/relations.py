"""What an event refers to, as one place knows it."""

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.contract import Copy, Topic
from bridge.model import Message


@dataclass(frozen=True, slots=True)
class Relations:
    """`targets` are the copies, part by part, of the message that is edited, deleted or reacted
    to; empty where it is not to be seen at the place. `original` is that message as it is now.
    All else is as in `bridge.contract.Outgoing`.
    """

    targets: Sequence[Copy] = ()
    original: Message | None = None
    reaction: Copy | None = None
    standing: tuple[str, ...] = ()
    reply_to: Copy | None = None
    topic: Topic | None = None


NONE = Relations()
