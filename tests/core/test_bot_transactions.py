"""Commands in a transaction: told to the bot once the rest is on disk, and carried nowhere."""

from typing import Any

import pytest
from core_stage import DOCTOR, ROOM, WARD_A, Core, ScriptedOutlet, until
from matrix_fakes import config

from bridge.bot.parse import Grammar
from bridge.bot.ports import Told
from bridge.errors import StoreError
from bridge.matrix.convert import Converter
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.hearing import Hearing
from bridge.transactions import Transactions

GRAMMAR = Grammar({"help": 1, "status": 0}, "!", ("Consilium",))


def event(number: int, body: str) -> dict[str, Any]:
    return {
        "type": "m.room.message",
        "event_id": f"$event{number}",
        "room_id": ROOM.id,
        "sender": DOCTOR.id,
        "origin_server_ts": 1767323045678,
        "content": {"msgtype": "m.text", "body": body},
    }


@pytest.fixture
def told() -> list[Told]:
    return []


@pytest.fixture
def transactions(core: Core, told: list[Told]) -> Transactions:
    hearing = Hearing(GRAMMAR, "@consilium:hospital.test", lambda room: room == ROOM.id)
    converter = Converter(GhostIds(config()), hearing)
    return Transactions(converter, core.intake, lambda _: None, told.append)


async def test_commands_are_told_and_the_rest_is_carried(
    transactions: Transactions, told: list[Told], hospital_a: ScriptedOutlet
) -> None:
    events = [event(1, "before"), event(2, "!status"), event(3, "!statsu"), event(4, "after")]
    await transactions.accept("1", events, [])
    await until(lambda: len(hospital_a.texts(WARD_A)) == 2)
    assert hospital_a.texts(WARD_A) == ["before", "after"]
    assert [each.event_id for each in told] == ["$event2", "$event3"]


async def test_nothing_is_told_of_a_transaction_that_will_be_repeated(
    transactions: Transactions, told: list[Told], core: Core
) -> None:
    await core.crash()
    with pytest.raises(StoreError):
        await transactions.accept("1", [event(1, "before"), event(2, "!status")], [])
    assert told == []
