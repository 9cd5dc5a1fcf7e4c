"""Canonical events to bytes and back, as the inbox keeps them beside their kind.

Fields may be added to an event with a default: rows written by an older version still load.
"""

from typing import Any, Final, get_args

from pydantic import TypeAdapter

from bridge.model import Deliverable, Event, Kind, Reactions, Roster

_ADAPTERS: Final[dict[Kind, TypeAdapter[Any]]] = {
    event.kind: TypeAdapter(event) for event in get_args(Event)
}


def encode(event: Event) -> bytes:
    """The event as JSON in UTF-8, without its kind."""
    return _ADAPTERS[event.kind].dump_json(event, exclude_defaults=True)


def decode(kind: Kind, data: bytes) -> Event:
    """The event that `encode` wrote.

    Raises:
        ValueError: it is not one of this kind.
    """
    event: Event = _ADAPTERS[kind].validate_json(data)
    return event


def decode_deliverable(kind: str, data: bytes) -> Deliverable | None:
    """The event to show that `encode` wrote; None when it can't be read, or is only reported."""
    try:
        event = decode(Kind(kind), data)
    except ValueError:
        return None
    return None if isinstance(event, Roster | Reactions) else event
