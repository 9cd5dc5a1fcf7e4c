"""`check` tries every part once, side by side, and turns whatever happens into findings."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from bridge import check as check_module
from bridge.check import Probe, Probes, check
from bridge.config.load import LoadedConfig, load
from bridge.contract import Finding
from bridge.errors import HomeserverError, StoreError
from bridge.probes.database import database
from bridge.store.database import open_database
from bridge.store.migrate import upgrade

Load = Callable[[str], LoadedConfig]

HEAD = """\
homeserver: {url: "http://localhost:1", domain: example.org}
appservice: {url: "http://localhost:29300", as_token: as-hunter2, hs_token: hs-hunter2}
"""


def well(subject: str) -> Probe:
    async def probe(_loaded: LoadedConfig) -> Sequence[Finding]:
        return [Finding(True, subject, "All is well.")]

    return probe


@pytest.fixture
def loaded(config_file: Callable[[str], Path]) -> Load:
    def load_text(networks: str) -> LoadedConfig:
        return load(config_file(HEAD + networks))

    return load_text


DATABASE, HOMESERVER = well("database"), well("homeserver")


async def findings(
    loaded: LoadedConfig, database: Probe = DATABASE, homeserver: Probe = HOMESERVER
) -> tuple[bool, list[Finding]]:
    told: list[Finding] = []
    ok = await check(loaded, Probes(database=database, homeserver=homeserver), told.append)
    return ok, told


async def test_all_is_well_only_if_every_part_is(loaded: Load) -> None:
    ok, told = await findings(
        loaded(
            "networks: {aviary: {type: parrot, key: a}}\n"
            'portals: [{room: "!a", links: [{network: aviary, group: Seeds}]}]\n'
        )
    )

    assert ok
    assert [finding.subject for finding in told] == ["config", "database", "homeserver", "aviary"]
    assert told[0].sentence.endswith("config.yaml is well: 1 network, 1 portal.")
    assert told[3].sentence == "It repeats seeds."


async def test_a_network_that_is_ill_does_not_hide_the_others(loaded: Load) -> None:
    ok, told = await findings(
        loaded("networks:\n  a: {type: parrot, key: a, mood: ill}\n  b: {type: parrot, key: a}\n")
    )

    assert not ok
    assert [(finding.subject, finding.ok) for finding in told[3:]] == [("a", False), ("b", True)]
    assert told[3].advice == "Call a vet."


async def test_a_crash_inside_an_adapter_is_a_finding(loaded: Load) -> None:
    ok, told = await findings(loaded("networks: {a: {type: parrot, key: a, mood: crash}}"))

    assert not ok
    assert told[-1] == Finding(
        False, "a", "The check itself failed (RuntimeError).", "See more with: consilium -v check"
    )


async def test_a_network_that_never_answers_is_a_finding(
    loaded: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_module, "PART_SECONDS", 0.05)

    ok, told = await findings(loaded("networks: {a: {type: parrot, key: a, mood: hang}}"))

    assert not ok
    assert told[-1].sentence.startswith("No answer within ")


async def test_an_error_of_a_shared_part_is_told_with_its_advice(loaded: Load) -> None:
    async def refused(_loaded: LoadedConfig) -> Sequence[Finding]:
        msg = "Nothing answers at http://localhost:1."
        raise HomeserverError(msg, "Start Synapse.")

    ok, told = await findings(loaded(""), homeserver=refused)

    assert not ok
    assert told[-1] == Finding(
        False, "homeserver", "Nothing answers at http://localhost:1.", "Start Synapse."
    )


async def test_every_error_of_a_part_is_told(loaded: Load) -> None:
    async def refused(_loaded: LoadedConfig) -> Sequence[Finding]:
        msg = ""
        raise ExceptionGroup(msg, [HomeserverError("One."), HomeserverError("Two.")])

    _, told = await findings(loaded(""), homeserver=refused)

    assert [finding.sentence for finding in told[-2:]] == ["One.", "Two."]


async def test_all_parts_are_tried_at_the_same_time(loaded: Load) -> None:
    together = asyncio.Barrier(2)

    async def probe(_loaded: LoadedConfig) -> Sequence[Finding]:
        async with asyncio.timeout(5), together:
            return [Finding(True, "part", "Met the other.")]

    ok, _ = await findings(loaded(""), database=probe, homeserver=probe)

    assert ok


async def test_a_check_that_is_stopped_stops_its_parts(loaded: Load) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def probe(_loaded: LoadedConfig) -> Sequence[Finding]:
        begun.set()
        try:
            return await asyncio.Future()
        finally:
            ended.set()

    checking = asyncio.create_task(findings(loaded(""), homeserver=probe))
    await begun.wait()
    checking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await checking
    assert ended.is_set()


async def test_stand_ins_for_secrets_are_a_problem(loaded: Load) -> None:
    ok, told = await findings(loaded("networks: {a: {type: parrot, key: CHANGE-ME}}"))

    assert not ok
    assert "networks.a.key: the secret is still the example's." in told[0].sentence


# --- the database -------------------------------------------------------------------------------


async def test_a_database_that_is_not_there_yet_is_well_and_is_not_made(loaded: Load) -> None:
    (finding,) = await database(found := loaded(""))

    assert finding.ok
    assert finding.sentence.endswith("consilium.db will be made at the first start.")
    assert not (found.path.parent / "consilium.db").exists()


async def test_a_database_whose_folder_is_missing_is_a_problem(loaded: Load) -> None:
    with pytest.raises(StoreError, match="its folder is missing"):
        await database(loaded('database: {url: "sqlite:///nowhere/c.db"}'))


@pytest.fixture
async def migrated(loaded: Load) -> LoadedConfig:
    found = loaded("")
    async with open_database(found.config.database.url) as database:
        await database.run(upgrade)
    return found


async def test_a_migrated_database_is_up_to_date(migrated: LoadedConfig) -> None:
    (finding,) = await database(migrated)

    assert finding.ok
    assert finding.sentence.endswith("its tables are up to date.")


async def test_an_empty_database_file_is_well(loaded: Load) -> None:
    found = loaded("")
    (found.path.parent / "consilium.db").touch()

    (finding,) = await database(found)

    assert "is empty; its tables are made at the first start." in finding.sentence


async def test_a_database_of_a_newer_version_is_a_problem(migrated: LoadedConfig) -> None:
    engine = create_engine(migrated.config.database.url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'from-the-future'"))
    engine.dispose()

    with pytest.raises(StoreError, match="newer version"):
        await database(migrated)


async def test_a_file_that_is_no_database_is_a_problem(loaded: Load) -> None:
    found = loaded("")
    (found.path.parent / "consilium.db").write_text("this is no database" * 100)

    with pytest.raises(StoreError, match="not a database"):
        await database(found)
