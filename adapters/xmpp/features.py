"""What a room says about itself (XEP-0030, XEP-0045 section 6.4)."""

from dataclasses import dataclass
from typing import Final, Self
from xml.etree.ElementTree import Element

from adapters.xmpp.wire import Wire
from adapters.xmpp.xml import (
    DATA_FORM,
    DISCO_INFO,
    MAM,
    MODERATE,
    MODERATE_0,
    OCCUPANT_ID,
    SID,
    VCARD,
)

_HASHES: Final = frozenset(
    {
        "muc#roominfo_avatarhash",
        "{http://modules.prosody.im/mod_vcard_muc}avatar#sha1",
    }
)


@dataclass(frozen=True, slots=True)
class Features:
    """The ones that matter here."""

    stanza_ids: bool = False
    occupant_ids: bool = False
    archive: bool = False
    password: bool = False
    members_only: bool = False
    moderated: bool = False
    moderation: str | None = None
    """The namespace of XEP-0425 in which moderators ask for deletions; None where they can't."""
    pictures: bool = False
    """Whether the room can have a picture (XEP-0486)."""
    title: str | None = None
    """Its name, empty where it has none; None where it does not tell."""
    photo: str | None = None
    """The hash of its picture, empty where it has none; None where it does not tell."""

    @classmethod
    async def of(cls, wire: Wire, room: str) -> Self:
        """Ask the room.

        Raises:
            StanzaError: it does not exist, or does not tell.
            Unreachable: no answer came.
        """
        answer = await wire.ask("get", room, f"<query xmlns='{DISCO_INFO}'/>")
        return cls.read(answer)

    @classmethod
    def read(cls, answer: Element) -> Self:
        """Read the answer."""
        query = answer.find(f"{{{DISCO_INFO}}}query")
        found = () if query is None else query.iterfind(f"{{{DISCO_INFO}}}feature")
        announced = {feature.get("var") for feature in found}
        identity = None if query is None else query.find(f"{{{DISCO_INFO}}}identity")
        return cls(
            stanza_ids=SID in announced,
            occupant_ids=OCCUPANT_ID in announced,
            archive=MAM in announced,
            password="muc_passwordprotected" in announced,
            members_only="muc_membersonly" in announced,
            moderated="muc_moderated" in announced,
            moderation=next((each for each in (MODERATE, MODERATE_0) if each in announced), None),
            pictures=VCARD in announced,
            title=None if identity is None else identity.get("name", ""),
            photo=None if query is None else _photo(query),
        )


def _photo(query: Element) -> str | None:
    """The hash in the room's description of itself (XEP-0486, section 4; or mod_vcard_muc's)."""
    for field in query.iterfind(f"{{{DATA_FORM}}}x/{{{DATA_FORM}}}field"):
        if field.get("var") in _HASHES:
            return (field.findtext(f"{{{DATA_FORM}}}value") or "").strip().lower()
    return None
