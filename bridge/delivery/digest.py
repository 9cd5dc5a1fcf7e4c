"""Many messages in one, where a link has held them back."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from bridge.flow.naming import shown_name
from bridge.flow.otherwise import described, excerpt
from bridge.flow.relay import Duty
from bridge.model import MATRIX, Author, Message
from bridge.wording import counted

FEW: Final = 2
"""So many messages are sent as they are: a digest of them would save nothing."""

MOST: Final = 100
"""Messages in one digest."""

_SPEAKER: Final = Author(MATRIX, "consilium-digest", "Digest")


def fits(duty: Duty) -> bool:
    """Whether a delivery can become a line of a digest."""
    return isinstance(duty.event, Message) and not duty.withdrawn and not duty.sent


def digest(duty: Duty, network_names: Mapping[str, str], deleted: Callable[[int], bool]) -> Message:
    """One message that says in short what a delivery and those that go with it say, in order.

    Args:
        duty: the first of them.
        network_names: how people call each network.
        deleted: whether a message was deleted since; it is left out.
    """
    duties, zone = (duty, *duty.together), duty.zone
    messages = [each.event for each in duties if isinstance(each.event, Message)]
    shown = [
        each.event
        for each in duties
        if isinstance(each.event, Message) and not deleted(each.message_id)
    ]
    lines = [f"{counted(len(shown), 'message')} meanwhile:"]
    for message in shown:
        said = " ".join([*map(described, message.attachments), excerpt(message.text)]).strip()
        when = message.time.astimezone(zone)
        lines.append(f"{when:%H:%M} {shown_name(message.author, network_names)}: {said}")
    last = messages[-1]
    return Message(
        last.place, _name(messages), _SPEAKER, last.time, "\n".join(lines),
        notice=True,
    )  # fmt: skip


def _name(messages: Sequence[Message]) -> str:
    """The same for the same messages, so that it is found again after a crash."""
    ids = "\0".join(message.id for message in messages)
    return f"digest {hashlib.blake2b(ids.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"
