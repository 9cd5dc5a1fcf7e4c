"""`check` says in plain sentences what is wrong with a forum; and how its settings are written."""

import asyncio
import re
from pathlib import Path

import pytest
from discourse_lab import settings, site
from discourse_stand_in import SECRET, Forum, ProblemError
from recording_inlet import RecordingInlet
from test_feed_docs import default, documented, keys

from adapters.discourse import DiscourseAdapter
from adapters.discourse.network import DiscourseNetwork
from adapters.discourse.settings import DiscourseSettings
from bridge.contract import Finding
from sandbox.ports import LOOPBACK, free_port

__all__ = ["site"]

PAGE = Path(__file__).parents[2] / "docs" / "networks" / "discourse.md"


async def check(forum: Forum, *groups: str, **more: object) -> list[Finding]:
    network = DiscourseNetwork("forum", "Forum", settings(forum, **more), RecordingInlet())
    async with asyncio.timeout(21):
        return list(await network.check(groups))


async def test_all_is_well(site: Forum) -> None:
    site.category(7, "Arrhythmia", "arrhythmia", parent=5)
    hooks = {"webhook_secret": SECRET, "webhook_port": free_port()}
    findings = await check(site, "5", "cardiology/arrhythmia", **hooks)
    assert [each.ok for each in findings] == [True] * 4
    assert "Known as consilium" in findings[0].sentence
    assert "Webhooks can be posted to" in findings[1].sentence
    assert findings[3].sentence == '"Arrhythmia" can be read and written to.'


async def test_a_wrong_key(site: Forum) -> None:
    (finding,) = await check(site, "5", api_key="wrong")
    assert not finding.ok
    assert "does not know the key" in finding.sentence
    assert "Admin, API" in finding.advice


async def test_a_forum_that_is_away(site: Forum) -> None:
    (finding,) = await check(site, "5", url=f"http://{LOOPBACK}:{free_port()}")
    assert not finding.ok
    assert "connection refused" in finding.sentence


async def test_a_forum_that_is_in_trouble(site: Forum) -> None:
    site.problems.append((lambda _: True, ProblemError(502)))
    (finding,) = await check(site, "5")
    assert not finding.ok
    assert "502" in finding.sentence


async def test_categories_that_are_missing_or_closed(site: Forum) -> None:
    site.category(6, "Announcements", "announcements", permission=None)
    site.category(8, "Far down", "far-down", listed=False)
    _, typo, missing, closed, unlisted = await check(site, "cardiolgy", "99", "6", "8")
    assert not typo.ok
    assert 'Did you mean "cardiology"?' in typo.advice
    assert not missing.ok
    assert closed.ok
    assert "can begin no topic" in closed.sentence
    assert unlisted.ok


async def test_a_port_that_is_taken(site: Forum) -> None:
    server = await asyncio.start_server(lambda *_: None, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    _, finding = await check(site, webhook_secret=SECRET, webhook_port=port)
    assert finding.ok
    assert "Somebody listens" in finding.sentence
    server.close()
    await server.wait_closed()


# --- names and settings ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("5", "5"),
        (" 005 ", "5"),
        ("Cardiology", "cardiology"),
        ("/Medicine/Cardiology/", "medicine/cardiology"),
        ("https://forum.example/c/medicine/cardiology/5", "5"),
        ("https://forum.example/c/medicine/cardiology/5/l/latest?x=1", "5"),
        ("/c/cardiology", "cardiology"),
        ("c/kardiologie-%C3%A4", "kardiologie-ä"),
    ],
)
def test_one_category_has_one_name(written: str, normal: str) -> None:
    assert DiscourseAdapter.normalise(written) == normal
    assert DiscourseAdapter.normalise(normal) == normal


@pytest.mark.parametrize("written", ["", "a b", "a/b/c/d", "0", "..", "a?b"])
def test_what_is_no_category(written: str) -> None:
    with pytest.raises(ValueError, match="is no category"):
        DiscourseAdapter.normalise(written)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"url": "http://forum.example"}, "write https://"),
        ({"url": "forum.example"}, "pattern"),
        ({"webhook_secret": "short"}, "can be guessed"),
        ({"webhook_port": 5}, "only when there is a webhook_secret"),
        ({"seconds": 1}, "greater"),
        ({"chat_topics": {"5": "x"}}, "integer"),
    ],
)
def test_settings_that_cannot_work(more: dict[str, object], sentence: str) -> None:
    base = {"url": "https://forum.example", "username": "consilium", "api_key": "k"}
    with pytest.raises(ValueError, match=sentence):
        DiscourseSettings.model_validate({**base, **more})


def test_the_page_has_every_key_with_its_default_and_no_other() -> None:
    expected = {key: default(field) for key, field in keys(DiscourseSettings).items()}
    expected["networks.<id>.chat_topics"] = "none"
    assert documented(PAGE) == expected


def test_the_page_says_that_the_tests_use_a_stand_in() -> None:
    assert re.search(r"stand-in", PAGE.read_text())
