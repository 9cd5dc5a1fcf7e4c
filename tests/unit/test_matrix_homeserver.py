"""What is wrong with a homeserver that is not as it should be; the real one is in e2e."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from matrix_fakes import FORBIDDEN, Reply, ScriptedHomeserver, acting_bot, config, refusal

from bridge.errors import HomeserverError
from bridge.matrix import homeserver as homeserver_module
from bridge.matrix.homeserver import Homeserver

BOT = "@consilium:hospital.test"
WHOAMI = Reply(200, {"user_id": BOT})


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedHomeserver]:
    async with ScriptedHomeserver().running() as running:
        yield running


@pytest.fixture
async def homeserver(scripted: ScriptedHomeserver) -> AsyncIterator[Homeserver]:
    configured = config(scripted.url)
    async with acting_bot(configured) as bot:
        yield Homeserver(configured, bot)


def recognised(scripted: ScriptedHomeserver) -> None:
    """It knows the bot, and refuses to let it act as a ghost that does not exist."""
    missing = "Application service has not registered this user"
    scripted.answer("GET", "/whoami", WHOAMI, refusal(403, "M_FORBIDDEN", missing))


async def test_all_is_well_when_the_whole_way_round_is(
    scripted: ScriptedHomeserver, homeserver: Homeserver
) -> None:
    recognised(scripted)
    scripted.answer("POST", "/ping", Reply(200, {"duration_ms": 12}))
    finding = await homeserver.diagnose()
    assert finding.ok
    assert finding.sentence == f"{scripted.url} knows the bridge, and reaches it in 12 ms."
    assert scripted.asked[-1].path == "/_matrix/client/v1/appservice/consilium/ping"


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (Reply(404, "<html>Not Found</html>"), "is not a Matrix homeserver (status 404)"),
        (Reply(200, "<html>Welcome</html>"), "is not a Matrix homeserver (status 200)"),
        (Reply(200, {"versions": "1"}), "is not a Matrix homeserver (status 200)"),
        (Reply(502, "<html>Bad Gateway</html>"), "has a fault (status 502)"),
    ],
)
async def test_an_answer_that_is_no_homeservers_is_told(
    scripted: ScriptedHomeserver, homeserver: Homeserver, reply: Reply, sentence: str
) -> None:
    scripted.answer("GET", "/versions", reply)
    finding = await homeserver.diagnose()
    assert not finding.ok
    assert sentence in finding.sentence
    assert finding.advice


async def test_a_homeserver_that_checks_the_token_everywhere_counts_as_up(
    scripted: ScriptedHomeserver, homeserver: Homeserver
) -> None:
    """Synapse answers so to /versions."""
    scripted.always("GET", "/", refusal(401, "M_UNKNOWN_TOKEN"))
    async with asyncio.timeout(5):
        await homeserver.wait_until_up()
    assert "does not know the bridge's as_token" in (await homeserver.diagnose()).sentence


@pytest.mark.parametrize(
    ("reply", "sentence", "advice"),
    [
        (refusal(401, "M_UNKNOWN_TOKEN"), "does not know the bridge's as_token", "registration"),
        (refusal(401, "M_MISSING_TOKEN"), "does not know the bridge's as_token", "registration"),
        (
            Reply(200, {"user_id": "@other:hospital.test"}),
            f"belongs to @other:hospital.test, not to the bot {BOT}",
            "registration",
        ),
        (
            Reply(200, {"user_id": "@consilium:clinic.test"}),
            "calls itself clinic.test, the configuration hospital.test",
            "Write domain: clinic.test under homeserver.",
        ),
        (Reply(200, {}), "belongs to ", "registration"),
        (Reply(500, ""), "has a fault", "registration"),
    ],
)
async def test_a_token_that_is_not_the_bots_is_told(
    scripted: ScriptedHomeserver, homeserver: Homeserver, reply: Reply, sentence: str, advice: str
) -> None:
    scripted.answer("GET", "/whoami", reply)
    finding = await homeserver.diagnose()
    assert sentence in finding.sentence
    assert advice in finding.advice


@pytest.mark.parametrize(
    "reply",
    [
        refusal(403, "M_FORBIDDEN", "Application service cannot masquerade as this user (@x)."),
        refusal(403, "M_EXCLUSIVE", "Not yours"),
        refusal(400, "M_FORBIDDEN", "User is not in namespace."),
    ],
)
async def test_ghosts_of_another_namespace_are_told(
    scripted: ScriptedHomeserver, homeserver: Homeserver, reply: Reply
) -> None:
    scripted.answer("GET", "/whoami", WHOAMI, reply)
    finding = await homeserver.diagnose()
    assert "names that begin with _consilium_ are not the bridge's" in finding.sentence


# https://spec.matrix.org/v1.19/application-service-api/#post_matrixclientv1appserviceappserviceidping
@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (
            Reply(502, {"errcode": "M_BAD_STATUS", "status": 403, "body": "{}"}),
            "with another hs_token than the bridge's",
        ),
        (Reply(502, {"errcode": "M_BAD_STATUS", "status": 401}), "with another hs_token"),
        (
            Reply(502, {"errcode": "M_BAD_STATUS", "status": 404}),
            "it is not this bridge that answers (status 404)",
        ),
        (
            Reply(502, {"errcode": "M_CONNECTION_FAILED", "error": "refused"}),
            "can't reach the bridge at the url of its registration (refused)",
        ),
        (Reply(504, {"errcode": "M_CONNECTION_TIMEOUT"}), "can't reach the bridge"),
        (refusal(400, "M_URL_NOT_SET"), "has no url"),
        (FORBIDDEN, "under another id than consilium"),
        (refusal(404, "M_UNRECOGNIZED"), "too old"),
        (Reply(502, "<html></html>"), "failed to call the bridge (status 502)"),
    ],
)
async def test_every_way_in_which_a_ping_fails_has_its_sentence(
    scripted: ScriptedHomeserver, homeserver: Homeserver, reply: Reply, sentence: str
) -> None:
    recognised(scripted)
    scripted.answer("POST", "/ping", reply)
    finding = await homeserver.diagnose()
    assert sentence in finding.sentence
    assert finding.advice


async def test_a_ping_that_arrives_while_synapse_repeats_by_itself_is_well(
    scripted: ScriptedHomeserver, homeserver: Homeserver
) -> None:
    recognised(scripted)
    error = "AlreadyCalled: Tried to cancel an already-called event."
    scripted.answer("POST", "/ping", Reply(502, {"errcode": "M_CONNECTION_FAILED", "error": error}))
    assert (await homeserver.diagnose()).ok


async def test_it_waits_for_a_homeserver_that_is_not_up_yet(
    scripted: ScriptedHomeserver, homeserver: Homeserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(homeserver_module, "_FIRST_DELAY", 0.001)
    scripted.answer("GET", "/versions", *[Reply(502, "")] * 3, Reply(404, ""))
    async with asyncio.timeout(5):
        await homeserver.wait_until_up()
    assert len(scripted.asked) == 5


@pytest.mark.parametrize(
    ("profile", "asked"),
    [
        (Reply(200, {"displayname": "Consilium"}), 2),
        (Reply(200, {"displayname": "consilium"}), 3),
        (refusal(404, "M_NOT_FOUND"), 3),
    ],
)
async def test_the_bot_is_made_and_named_once(
    scripted: ScriptedHomeserver, homeserver: Homeserver, profile: Reply, asked: int
) -> None:
    scripted.answer("GET", "/profile/", profile)
    await homeserver.ensure_bot()
    assert len(scripted.asked) == asked


async def test_a_bot_whose_name_is_taken_is_told(
    scripted: ScriptedHomeserver, homeserver: Homeserver
) -> None:
    scripted.answer("POST", "/register", refusal(400, "M_EXCLUSIVE", "reserved"))
    with pytest.raises(HomeserverError, match=rf"make its bot {BOT}: reserved"):
        await homeserver.ensure_bot()
