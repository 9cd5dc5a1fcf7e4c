"""What a room says about itself (XEP-0030, XEP-0045 section 6.4)."""

from dataclasses import dataclass
from typing import Self
from xml.etree.ElementTree import Element

from adapters.xmpp.wire import Wire
from adapters.xmpp.xml import DISCO_INFO, MAM, OCCUPANT_ID, SID


@dataclass(frozen=True, slots=True)
class Features:
    """The ones that matter here."""

    stanza_ids: bool = False
    occupant_ids: bool = False
    archive: bool = False
    password: bool = False
    members_only: bool = False
    moderated: bool = False

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
        return cls(
            stanza_ids=SID in announced,
            occupant_ids=OCCUPANT_ID in announced,
            archive=MAM in announced,
            password="muc_passwordprotected" in announced,
            members_only="muc_membersonly" in announced,
            moderated="muc_moderated" in announced,
        )
