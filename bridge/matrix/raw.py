"""Raw JSON as it comes from a homeserver: nothing about its shape may be taken for granted."""

from typing import Any

JsonObject = dict[str, Any]


def object_at(holder: JsonObject, key: str) -> JsonObject:
    """The object under `key`, or an empty one when there is none."""
    found = holder.get(key)
    return found if isinstance(found, dict) else {}


def text_at(holder: JsonObject, key: str) -> str:
    """The text under `key`, or an empty one when there is none."""
    found = holder.get(key)
    return found if isinstance(found, str) else ""
