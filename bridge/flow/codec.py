"""Canonical events to bytes and back, as the inbox keeps them beside their kind.

Fields may be added to an event with a default: rows written by an older version still load.
"""

from typing import Any

from pydantic import TypeAdapter

from bridge.model import Event, Joined, Kind, Left, Message, Renamed, Roster, SubjectChanged

_ADAPTERS: dict[Kind, TypeAdapter[Any]] = {
    event.kind: TypeAdapter(event)
    for event in (Message, Joined, Left, Renamed, SubjectChanged, Roster)
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
