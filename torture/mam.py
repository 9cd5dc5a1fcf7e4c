"""A plain reader of a room's archive (XEP-0313), written apart from the bridge's."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from xml.etree import ElementTree as ET

from slixmpp import ClientXMPP
from slixmpp.xmlstream import StanzaBase
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

_MAM: Final = "urn:xmpp:mam:2"
_RSM: Final = "http://jabber.org/protocol/rsm"
_RESULT: Final = f"{{{_MAM}}}result"
_DELAY: Final = "{urn:xmpp:delay}delay"
_MESSAGE: Final = "{jabber:client}message"
_BODY: Final = "{jabber:client}body"
_PAGE: Final = 200
_ANSWER_SECONDS: Final = 20

PAGE_MAX: Final = f"max_archive_query_results = {_PAGE}"
"""For Prosody's configuration, which allows fifty otherwise."""


@dataclass(frozen=True, slots=True)
class Archived:
    """One message of a room: its id there, the nick, the text, and when the room had it, in seconds
    since the epoch (Prosody tells whole seconds).
    """

    id: str
    nick: str
    body: str
    at: float


class ArchiveReader:
    """Reads rooms' archives through the connection of one who may."""

    def __init__(self, client: ClientXMPP) -> None:
        self._client = client
        self._numbers = itertools.count(1)
        self._found: dict[str, list[Archived]] = {}
        matcher = MatchXPath(f"{_MESSAGE}/{_RESULT}")
        client.register_handler(Callback("archive", matcher, self._take))

    async def read(self, room: str) -> list[Archived]:
        """All of it, the oldest first. Raises as `newest` does."""
        found: list[Archived] = []
        async for page in self._pages(room):
            found += page
        return found

    async def newest(self, room: str) -> list[Archived]:
        """The last page of it.

        Raises:
            TimeoutError: no answer came.
            slixmpp.exceptions.IqError: the room refuses.
        """
        page, _ = await self._page(room, "before", "")
        return page

    async def _pages(self, room: str) -> AsyncIterator[list[Archived]]:
        mark: str | None = None
        while True:
            page, fin = await self._page(room, "after", mark)
            yield page
            mark = fin.findtext(f"{{{_RSM}}}set/{{{_RSM}}}last")
            if fin.get("complete") == "true" or mark is None:
                return

    async def _page(
        self, room: str, side: str, mark: str | None
    ) -> tuple[list[Archived], ET.Element]:
        number = f"torture-{next(self._numbers)}"
        query = ET.Element(f"{{{_MAM}}}query", {"queryid": number})
        limits = ET.SubElement(query, f"{{{_RSM}}}set")
        ET.SubElement(limits, f"{{{_RSM}}}max").text = str(_PAGE)
        if mark is not None:
            ET.SubElement(limits, f"{{{_RSM}}}{side}").text = mark
        request: Any = self._client.make_iq_set(query, ito=room)
        found = self._found.setdefault(number, [])
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer = await request.send(timeout=_ANSWER_SECONDS + 1)
        finally:
            del self._found[number]
        fin = answer.xml.find(f"{{{_MAM}}}fin")
        return found, ET.Element("fin") if fin is None else fin

    def _take(self, stanza: StanzaBase) -> None:
        result = stanza.xml.find(_RESULT)
        if result is None:
            return
        found = self._found.get(result.get("queryid", ""))
        forwarded = result.find("{urn:xmpp:forward:0}forwarded")
        if found is None or forwarded is None:
            return
        message, delay = forwarded.find(_MESSAGE), forwarded.find(_DELAY)
        if message is None or delay is None or not message.findtext(_BODY):
            return
        found.append(
            Archived(
                result.get("id", ""),
                message.get("from", "").partition("/")[2],
                message.findtext(_BODY) or "",
                datetime.fromisoformat(delay.get("stamp", "")).timestamp(),
            )
        )
