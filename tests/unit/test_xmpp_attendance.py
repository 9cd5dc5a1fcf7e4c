"""Whoever is seen in a room is told from the bridge's own, in whatever order a room shows them."""

from xml.etree import ElementTree as ET

import pytest

from adapters.xmpp.attendance import Attendance
from adapters.xmpp.crew import Crew
from adapters.xmpp.people import People
from adapters.xmpp.timing import DEFAULT
from bridge.model import Deliverable, Event, Joined, Left, Place, Renamed, Roster
from sandbox.journal import Journal

ROOM = "ward@muc.example.org"
LISTENER = "consilium@c.example.org/consilium"
MUC_USER = "http://jabber.org/protocol/muc#user"


class Scene:
    """A room as the listener sees it."""

    def __init__(self) -> None:
        self.events: Journal[Event] = Journal("the events")
        self.crew = Crew(ROOM, "c.example.org", LISTENER, DEFAULT, lambda *_: None)
        people = People(Place("hospital", ROOM))
        self.attendance = Attendance(ROOM, self.crew, people, self.events.add, 0.0)
        self.see("Consilium", codes=("110",))
        self.attendance.tell()

    def see(
        self, nick: str, *, type_: str = "", item: str = "", codes: tuple[str, ...] = ()
    ) -> None:
        kind = f" type='{type_}'" if type_ else ""
        status = "".join(f"<status code='{code}'/>" for code in codes)
        stanza = (
            f"<presence xmlns='jabber:client'{kind}><x xmlns='{MUC_USER}'>"
            f"<item {item}/>{status}</x></presence>"
        )
        self.attendance.presence(ET.fromstring(stanza), nick, LISTENER)

    def refuse(self) -> None:
        stanza = "<presence xmlns='jabber:client' type='error'><error/></presence>"
        self.attendance.presence(ET.fromstring(stanza), "", LISTENER)

    @property
    def changes(self) -> list[Deliverable]:
        return [each for each in self.events if not isinstance(each, Roster)]

    @property
    def told(self) -> list[tuple[type, str]]:
        return [(type(each), each.author.name) for each in self.changes]


@pytest.fixture
async def scene() -> Scene:
    return Scene()


async def test_one_seen_under_a_nick_just_asked_for_is_a_doctor_if_the_nick_is_got(
    scene: Scene,
) -> None:
    scene.crew.listener.claim = "Dr Ann"
    scene.see("Dr Ann")
    scene.see("Dr Ann", codes=("110",))
    assert scene.told == []


async def test_one_seen_under_a_nick_just_asked_for_is_a_colleague_if_it_is_refused(
    scene: Scene,
) -> None:
    scene.crew.listener.claim = "Dr Ann"
    scene.see("Dr Ann")
    assert scene.told == []
    scene.refuse()
    assert scene.told == [(Joined, "Dr Ann")]


async def test_one_who_turns_out_to_be_the_bridges_own_goes_again(scene: Scene) -> None:
    scene.see("Dr Ann")
    scene.see("Dr Ann", codes=("110",))
    await scene.events.wait_for(lambda each: isinstance(each, Left))
    assert scene.told == [(Joined, "Dr Ann"), (Left, "Dr Ann")]


async def test_one_at_an_address_of_the_bridge_is_no_colleague(scene: Scene) -> None:
    scene.see("Dr Old", item="jid='matrix+old@c.example.org/consilium'")
    assert scene.told == []


async def test_two_devices_are_one_person(scene: Scene) -> None:
    scene.see("Cora", item="jid='cora@example.org/phone'")
    scene.see("Cora (home)", item="jid='cora@example.org/home'")
    scene.see("Cora", type_="unavailable", item="jid='cora@example.org/phone'", codes=("307",))
    assert scene.told == [(Joined, "Cora")]
    scene.see("Cora (home)", type_="unavailable", codes=("301",))
    assert scene.told[1:] == [(Left, "Cora (home)")]


async def test_a_rename_keeps_who_it_is_and_is_told_once(scene: Scene) -> None:
    scene.see("Cora")
    scene.see("Cora", type_="unavailable", item="nick='Dr Cora'", codes=("303",))
    scene.see("Dr Cora")
    scene.see("Dr Cora")
    assert scene.told == [(Joined, "Cora"), (Renamed, "Dr Cora")]
    assert len({each.author.id for each in scene.changes}) == 1


async def test_nobody_leaves_when_the_whole_room_goes(scene: Scene) -> None:
    scene.see("Cora")
    scene.see("Cora", type_="unavailable", codes=("332", "307"))
    assert scene.told == [(Joined, "Cora")]
    scene.attendance.hush()
    scene.see("Cora", type_="unavailable", codes=("307",))
    assert scene.told == [(Joined, "Cora")]


async def test_the_leave_of_one_never_seen_is_not_told(scene: Scene) -> None:
    scene.see("Nobody", type_="unavailable", codes=("307",))
    scene.see("Nobody", type_="unavailable", item="nick='X'", codes=("303",))
    assert scene.told == []
