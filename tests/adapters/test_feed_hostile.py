"""What hostile and broken feeds can do: be refused, or be read as far as they can be."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from feed_stand_in import Post, atom, rss
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.web.feed import reader, reading
from adapters.web.feed.document import Document, Item
from adapters.web.feed.news import News
from adapters.web.feed.reader import Reader
from adapters.web.feed.reading import MAX_HTML, MAX_ITEMS, MAX_TITLE, NoFeedError, plain, read
from adapters.web.feed.settings import Show
from adapters.web.feed.telling import Teller
from bridge.contract import CatchUp, Refused
from bridge.model import Edited, Message, Place

URL = "https://journal.example/feed"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=60)
few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def bomb(levels: int = 12) -> bytes:
    entities = "".join(
        f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(levels)
    )
    return (
        f'<?xml version="1.0"?><!DOCTYPE rss [{entities}]><rss version="2.0"><channel>'
        f"<title>x</title><item><guid>1</guid><title>&l{levels - 1};</title></item>"
        "</channel></rss>"
    ).encode()


async def test_a_bomb_of_entities_does_not_go_off() -> None:
    began = time.monotonic()
    try:
        document = await Reader().read(bomb(), URL)
    except Refused:
        pass
    else:
        assert len(document.model_dump_json()) < 5_000
    assert time.monotonic() - began < 15


async def test_a_feed_cannot_have_files_of_this_machine_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the password")
    document = (
        f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
        '<rss version="2.0"><channel><item><guid>1</guid><title>a &x; b</title>'
        f"<description>{secret}</description></item></channel></rss>"
    ).encode()
    found = await Reader().read(document, URL)
    assert found.items
    assert "password" not in found.model_dump_json()
    with pytest.raises(Refused):
        await Reader().read(str(secret).encode(), URL)


async def test_a_reader_that_does_not_come_to_an_end_is_ended(tmp_path: Path) -> None:
    program = tmp_path / "forever.py"
    program.write_text("import time\ntime.sleep(600)\n")
    with pytest.raises(Refused, match="too long to read"):
        await Reader(seconds=0.3, program=program).read(b"", URL)


async def test_a_reader_that_dies_is_a_feed_that_cannot_be_read(tmp_path: Path) -> None:
    program = tmp_path / "dies.py"
    program.write_text("raise MemoryError\n")
    with pytest.raises(Refused, match="can't be read"):
        await Reader(program=program).read(b"", URL)


async def test_the_reader_is_given_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AS_TOKEN", "the-token")
    program = tmp_path / "tells.py"
    program.write_text(
        "import json, os\nprint(json.dumps({'title': str(dict(os.environ)), 'items': []}))\n"
    )
    document = await Reader(program=program).read(b"", URL)
    assert "PYTHONPATH" in document.title
    assert "the-token" not in document.title


def test_both_sides_mean_the_same_by_an_exit_status() -> None:
    assert reader.NOT_A_FEED == reading.NOT_A_FEED


async def test_a_feed_of_too_much_is_read_in_part() -> None:
    posts = [Post(str(n), "t" * 2_000, "s" * 500) for n in range(MAX_ITEMS + 50)]
    posts[0].summary = "s" * (2 * MAX_HTML)
    document = await Reader().read(rss(posts), URL)
    assert len(document.items) == MAX_ITEMS
    assert all(len(item.title) <= MAX_TITLE for item in document.items)
    assert len(document.items[0].summary) <= MAX_HTML


def test_deep_nests_do_not_break_it() -> None:
    deep = "<b>" * 5_000 + "x" + "</b>" * 5_000
    assert plain(deep) == "x"
    document = Document.model_validate(read(rss([Post("1", "t", deep)]), URL))
    assert document.items[0].summary_text == "x"


@given(st.lists(st.tuples(TEXT, TEXT, TEXT), max_size=5), st.booleans())
@few
def test_what_a_feed_says_is_what_is_read(posts: list[tuple[str, str, str]], in_atom: bool) -> None:
    made = [Post(f"g{n}", title, body, NOW, NOW, who) for n, (title, body, who) in enumerate(posts)]
    found = Document.model_validate(read(atom(made) if in_atom else rss(made), URL))
    assert len(found.items) == len(made)
    assert len({item.id for item in found.items}) == len(made)
    assert all(item.published == NOW for item in found.items)


@given(st.binary(max_size=300), st.integers(0, 600), st.booleans())
@few
def test_no_damage_to_a_feed_brings_anything_but_items_or_a_refusal(
    noise: bytes, at: int, cut: bool
) -> None:
    whole = rss([Post("1", "Title", "<p>Body & soul</p>", NOW), Post("2", "Two")])
    document = whole[:at] + noise + (b"" if cut else whole[at:])
    try:
        found = read(document, URL)
    except NoFeedError:
        return
    Document.model_validate(found)


@given(st.text(max_size=200))
@few
def test_text_without_marks_never_has_marks(text: str) -> None:
    assert "<script>" not in plain(f"<p>{text}</p><script>alert(1)</script>")
    assert plain("<p>one</p><p>two<br>three</p>") == "one\ntwo\nthree"


ITEMS = st.lists(
    st.builds(
        Item,
        id=st.sampled_from("abcdef"),
        title=st.sampled_from(["x", "y"]),
        published=st.none() | st.integers(0, 9).map(lambda n: NOW - timedelta(days=n)),
        updated=st.none() | st.integers(0, 9).map(lambda n: NOW - timedelta(days=n)),
    ),
    max_size=6,
)
CATCH_UPS = st.builds(
    CatchUp,
    since=st.none() | st.integers(0, 9).map(lambda n: NOW - timedelta(days=n)),
    begun=st.none() | st.integers(0, 9).map(lambda n: NOW - timedelta(days=n)),
    last_id=st.none() | st.sampled_from("abcdef"),
    max_messages=st.integers(0, 4),
    history=st.integers(0, 3),
)


@given(CATCH_UPS, st.lists(ITEMS, min_size=1, max_size=5))
@settings(deadline=None)
def test_no_item_is_told_twice_and_none_is_changed_that_was_not_there(
    catch_up: CatchUp, looks: list[list[Item]]
) -> None:
    teller = Teller(Place("feeds", URL), Show.SUMMARY, files=True, quiet=False)
    news = News(teller, catch_up, NOW - timedelta(minutes=1), lambda: NOW)
    told: list[str] = []
    seen: set[str] = set()
    for items in looks:
        first = not seen
        found = news.of(Document(items=tuple(items)))
        messages = [event for event in found.events if isinstance(event, Message)]
        assert len(messages) <= 6
        if first and not catch_up.wanted and catch_up.since is not None:
            assert all(message.time >= NOW - timedelta(minutes=1) for message in messages)
        told += [message.id for message in messages]
        seen |= {item.id for item in items}
        edits = [event for event in found.events if isinstance(event, Edited)]
        assert all(edit.target in seen for edit in edits)
        assert all(event.time <= NOW for event in found.events)
    assert len(told) == len(set(told))
