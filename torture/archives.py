"""What each place has: the room's timeline, and each group's archive."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from torture.cast import LISTENER, Side, of_side
from torture.ears import Spot
from torture.mam import Archived
from torture.ward import Ward
from torture.words import Utterance

_PAGE: Final = "1000"


@dataclass(frozen=True, slots=True)
class Shown:
    """An utterance as a place shows it: under which name, its id there, and its time, in seconds
    since the epoch; groups tell whole seconds only.
    """

    utterance: Utterance
    name: str
    id: str
    at: float


async def read(ward: Ward, spot: Spot) -> Sequence[Shown]:
    """Everything the place has, in its order."""
    if spot.side is Side.MATRIX:
        return await _read_room(ward, ward.rooms[spot.portal])
    reader = ward.colleagues[of_side(spot.side)[0].key].archive
    return _shown(spot.side, await reader.read(ward.groups[spot.side][spot.portal]))


async def newest(ward: Ward, spot: Spot) -> Sequence[Shown]:
    """The last hundred or so."""
    if spot.side is Side.MATRIX:
        room = ward.rooms[spot.portal]
        page = await _page(ward, room, {"dir": "b", "limit": "300"})
        return _of_events(page["chunk"][::-1], {})
    reader = ward.colleagues[of_side(spot.side)[0].key].archive
    return _shown(spot.side, await reader.newest(ward.groups[spot.side][spot.portal]))


def _shown(side: Side, found: Sequence[Archived]) -> Sequence[Shown]:
    shown = []
    for each in found:
        if (read := Utterance.read(each.body)) is not None:
            utterance, byline = read
            spoken_for = side is Side.ACCOUNT and each.nick.startswith(LISTENER)
            name = (byline or "") if spoken_for else each.nick
            shown.append(Shown(utterance, name, each.id, each.at))
    return shown


async def _read_room(ward: Ward, room: str) -> Sequence[Shown]:
    events: list[Mapping[str, Any]] = []
    query = {"dir": "f", "limit": _PAGE}
    while True:
        page = await _page(ward, room, query)
        events += page["chunk"]
        if "end" not in page:
            return _of_events(events, {})
        query["from"] = page["end"]


async def _page(ward: Ward, room: str, query: Mapping[str, str]) -> dict[str, Any]:
    host = ward.doctors[of_side(Side.MATRIX)[0].key]
    return await host.request("GET", f"/rooms/{quote(room)}/messages", query=query)


def _of_events(events: Sequence[Mapping[str, Any]], names: dict[str, str]) -> Sequence[Shown]:
    """The messages among them, each under the name its sender had then."""
    shown = []
    for event in events:
        content, sender = event["content"], event["sender"]
        if event["type"] == "m.room.member" and content.get("membership") == "join":
            names[event["state_key"]] = content.get("displayname") or event["state_key"]
        elif event["type"] == "m.room.message":
            read = Utterance.read(str(content.get("body", "")))
            if read is not None:
                at = event["origin_server_ts"] / 1000
                shown.append(Shown(read[0], names.get(sender, sender), event["event_id"], at))
    return shown
