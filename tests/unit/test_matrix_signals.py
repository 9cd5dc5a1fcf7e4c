"""What is passing in rooms: who types, and how far people have read."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from matrix_fakes import ROOM, config

from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.reading.signals import Signals
from bridge.model import MATRIX, Author, Place, Read, Signal, Typing

ANNA = "@anna:hospital.test"
CARL = "@carl:hospital.test"
GHOST = "@_consilium_muc_bob:hospital.test"
BOT = "@consilium:hospital.test"
PLACE = Place(MATRIX, ROOM)


def signals() -> Signals:
    return Signals(GhostIds(config()))


def typing(*users: Any, room: Any = ROOM) -> dict[str, Any]:
    return {"type": "m.typing", "room_id": room, "content": {"user_ids": list(users)}}


def types(user: str, place: Place = PLACE, *, typing: bool = True) -> Typing:
    return Typing(place, Author(MATRIX, user), typing)


def read(found: Signals, raw: dict[str, Any]) -> list[Signal]:
    return list(found.read(raw))


def test_who_is_no_longer_in_the_list_has_stopped_to_type() -> None:
    found = signals()
    assert read(found, typing(ANNA)) == [types(ANNA)]
    assert read(found, typing(ANNA, CARL)) == [types(ANNA), types(CARL)]
    assert read(found, typing(CARL)) == [types(ANNA, typing=False), types(CARL)]
    assert read(found, typing()) == [types(CARL, typing=False)]
    assert read(found, typing()) == []


def test_rooms_are_told_apart() -> None:
    found, other = signals(), Place(MATRIX, "!other:hospital.test")
    read(found, typing(ANNA))
    assert read(found, typing(CARL, room=other.id)) == [types(CARL, other)]
    assert read(found, typing()) == [types(ANNA, typing=False)]


def test_ghosts_and_the_bot_do_not_count() -> None:
    found = signals()
    assert read(found, typing(GHOST, BOT, ANNA, 5, "")) == [types(ANNA)]
    receipts = {"$1": {"m.read": {GHOST: {"ts": 1}, ANNA: {"ts": 1}}}}
    raw = {"type": "m.receipt", "room_id": ROOM, "content": receipts}
    assert read(found, raw) == [Read(PLACE, Author(MATRIX, ANNA), "$1")]


def test_only_public_receipts_are_told() -> None:
    receipts = {
        "$1": {"m.read": {ANNA: {"ts": 1, "thread_id": "main"}}},
        "$2": {"m.read.private": {ANNA: {"ts": 1}}, "m.read": {CARL: {}}},
    }
    raw = {"type": "m.receipt", "room_id": ROOM, "content": receipts}
    assert read(signals(), raw) == [
        Read(PLACE, Author(MATRIX, ANNA), "$1"),
        Read(PLACE, Author(MATRIX, CARL), "$2"),
    ]


def test_memory_holds_a_bounded_number_of_rooms() -> None:
    found = signals()
    for number in range(1_001):
        read(found, typing(ANNA, room=f"!{number}:hospital.test"))
    assert read(found, typing(room="!0:hospital.test")) == []
    assert len(read(found, typing(room="!1:hospital.test"))) == 1


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=8) | st.sampled_from([ANNA, GHOST]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["m.read", ANNA, GHOST, "$1", "user_ids"]), inner)
    ),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["m.typing", "m.receipt"]) | JSON,
            "room_id": st.just(ROOM) | JSON,
        },
        optional={"content": JSON},
    )
)
def test_no_json_makes_it_raise_or_speak_for_a_ghost(raw: dict[str, Any]) -> None:
    for signal in read(signals(), raw):
        assert signal.author.id != GHOST
        assert signal.place.id
