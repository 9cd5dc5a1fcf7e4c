"""Where somebody is (XEP-0080): told as words."""

from xml.etree.ElementTree import Element

from adapters.xmpp.xml import GEOLOC


def words(geoloc: Element) -> str:
    """The place as one line; empty where nothing is told."""
    latitude, longitude, about = (
        (geoloc.findtext(f"{{{GEOLOC}}}{part}") or "").strip()
        for part in ("lat", "lon", "description")
    )
    where = f"geo:{latitude},{longitude}" if latitude and longitude else ""
    label = about or (geoloc.findtext(f"{{{GEOLOC}}}text") or "").strip()
    told = " ".join(" ".join(filter(None, (label, where))).split())
    return f"\N{ROUND PUSHPIN} {told}" if told else ""
