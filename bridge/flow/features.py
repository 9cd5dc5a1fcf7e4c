"""Which feature a place needs to show an event."""

from typing import Final

from bridge.contract import Capabilities, Feature, Level
from bridge.model import Kind

_NEEDED: Final = {
    Kind.EDITED: Feature.EDIT,
    Kind.DELETED: Feature.DELETE,
    Kind.REACTED: Feature.REACTION,
    Kind.JOINED: Feature.MEMBERSHIP,
    Kind.LEFT: Feature.MEMBERSHIP,
    Kind.RENAMED: Feature.MEMBERSHIP,
    Kind.SUBJECT: Feature.SUBJECT,
    Kind.TITLE: Feature.TITLE,
    Kind.PICTURE: Feature.PICTURE,
}
_TOLD: Final = frozenset({Kind.EDITED, Kind.DELETED})
"""Their authors believe that it happened everywhere: so they are told where it did not."""


def level(capabilities: Capabilities, kind: Kind) -> Level:
    """How well events of this kind are shown at a place."""
    feature = _NEEDED.get(kind)
    return Level.FULL if feature is None else capabilities.showing(feature)


def is_due(capabilities: Capabilities, kind: Kind) -> bool:
    """Whether an event of this kind makes a delivery: to be shown, or to be told as refused."""
    return kind in _TOLD or level(capabilities, kind) is not Level.REFUSED
