"""Where people say that they are: as a name and a link to a map.

https://spec.matrix.org/v1.19/client-server-api/#mlocation and MSC3488.
"""

import re
from typing import Final

from bridge.matrix.raw import JsonObject, object_at, text_at

_GEO_URI: Final = re.compile(
    r"geo:(?P<lat>[+-]?\d{1,3}(?:\.\d{1,16})?),(?P<lon>[+-]?\d{1,3}(?:\.\d{1,16})?)(?:[,;].*)?",
    re.IGNORECASE | re.DOTALL,
)
_LOCATIONS: Final = ("m.location", "org.matrix.msc3488.location")
_MAP: Final = "https://www.openstreetmap.org/?mlat={lat}&mlon={lon}#map=17/{lat}/{lon}"


def location_text(content: JsonObject) -> str:
    """The text that stands for a location; empty if it tells nothing."""
    more = next((object_at(content, key) for key in _LOCATIONS if key in content), {})
    uri = text_at(more, "uri") or text_at(content, "geo_uri")
    body = text_at(content, "body")
    if "geo:" in body:
        body = ""  # what clients put there says the same, and less readably
    name = text_at(more, "description").strip() or body.strip()
    if not (name or uri):
        return ""
    return f"📍 {name or 'Location'}\n{_link(uri)}".rstrip()


def _link(uri: str) -> str:
    """The address of a map, for a geo URI (RFC 5870); what is none stays as it is."""
    found = _GEO_URI.fullmatch(uri.strip())
    if found is None or abs(float(found["lat"])) > 90 or abs(float(found["lon"])) > 180:
        return uri.strip()
    return _MAP.format(lat=found["lat"], lon=found["lon"])
