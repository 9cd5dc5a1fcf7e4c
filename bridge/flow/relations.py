"""What an event refers to, as one place knows it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bridge.contract import Copy, Topic
from bridge.model import Message


@dataclass(frozen=True, slots=True)
class Reshaped:
    """What an edit did beside changing pieces: it has deleted those numbered `gone`, counted
    among the pieces that were there before it, and `added` messages of its own.
    """

    gone: Collection[int]
    added: Sequence[Copy]


@dataclass(frozen=True, slots=True)
class Relations:
    """`targets` are the copies, part by part, of the message that is edited, deleted or reacted
    to; empty where it is not to be seen at the place. `original` is that message as it is now, and
    `reshaped` is what earlier edits did to it there, oldest first.
    All else is as in `bridge.contract.Outgoing`.
    """

    targets: Sequence[Copy] = ()
    original: Message | None = None
    reshaped: Sequence[Reshaped] = ()
    reaction: Copy | None = None
    standing: tuple[str, ...] = ()
    reply_to: Copy | None = None
    topic: Topic | None = None


NONE = Relations()
