"""Discourse's Markdown, both ways, whatever anyone writes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.discourse.api import Api
from adapters.discourse.emoji import is_like, named, shown
from adapters.discourse.errors import Declined, expect_well
from adapters.discourse.post import Post
from adapters.discourse.reading import read
from adapters.discourse.site import Site
from adapters.discourse.writing import (
    _counted,
    body,
    called,
    file_line,
    key_in,
    marked,
    title,
    uploads_in,
)
from bridge.contract import Unreachable
from bridge.model import Mention

SITE = Site("consilium")
KEYS = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=26, max_size=26)
PIECES = st.lists(
    st.sampled_from(
        [
            '[quote="ann, post:1, topic:2"]', "[quote]", "[/quote]", "```", "~~~", "`", "\n",
            "\n\n", "text", " ", "@ann", ":heart:", "![a|1x2](upload://a.png)", "[details]",
            "[/details]", "<!--", "-->", "[poll type=regular]", "[date=2026-01-01]", "> ", "[", "]",
        ]
    )
    | st.text(max_size=8),
    max_size=20,
).map("".join)  # fmt: skip


@given(PIECES, st.none() | st.just("t2/1"))
@settings(deadline=None, max_examples=300)
def test_whatever_is_written_can_be_read(raw: str, answers: str | None) -> None:
    reading = read(raw, '<a class="mention" href="/u/ann">@ann</a>', "forum", answers)
    assert reading.quoted in {None, "t2/1"}
    assert all(mention.span in reading.text for mention in reading.mentions)
    assert all(each.source.startswith("upload://") for each in reading.attachments)
    assert "\n\n\n" not in reading.text


@given(st.text("ab \n", max_size=30))
def test_text_without_signs_stays_as_it_is(text: str) -> None:
    assert read(text, "", "forum").text.split() == text.split()


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("one\n[quote]\ntwo\n[/quote]\nthree", "one\n> two\n\nthree"),
        ('[quote="ann"]\nhello\n[/quote]', "> **ann:**\n> hello"),
        ("[quote]a[quote]b[/quote][/quote]", "> a\n> > b"),
        ("```\n[quote] :heart: @ann\n```", "```\n[quote] :heart: @ann\n```"),
        ("`:heart:` :heart: 12:30:45", "`:heart:` ❤️ 12:30:45"),
        ("a <!-- hidden\nlines --> b", "a  b"),
        ('[details="More"]\ninside\n[/details]', "**More**\n\ninside"),
        ("on [date=2026-03-01 time=12:00:00 timezone=UTC]", "on 2026-03-01 12:00:00"),
        ("[spoiler]secret[/spoiler]", "secret"),
    ],
)
def test_signs_of_discourse(raw: str, text: str) -> None:
    reading = read(raw, "", "forum")
    assert [line.rstrip("> ") for line in reading.text.split("\n") if line.strip("> ")] == [
        line.rstrip() for line in text.split("\n") if line.strip()
    ]


def test_a_quote_of_another_post_than_is_answered_stays() -> None:
    raw = '[quote="ann, post:1, topic:2"]\nhello\n[/quote]\nno'
    assert read(raw, "", "forum", "t2/9").quoted is None
    assert "hello" in read(raw, "", "forum", "t2/9").text
    assert read(raw, "", "forum", "t2/1").text == "no"
    assert read(raw, "", "forum").quoted == "t2/1"
    only = '[quote="ann, post:1, topic:2"]\nhello\n[/quote]'
    assert "hello" in read(only, "", "forum").text


@given(st.text(max_size=80), KEYS)
def test_a_post_is_known_by_its_last_marker(text: str, key: str) -> None:
    assert key_in(marked(text, key)) == key
    assert key_in(marked(marked(text, "a" * 26), key)) == key
    # No text can bring a marker of its own along
    assert key_in(body(marked(text, key), (), "forum", SITE)) is None


@given(st.text(max_size=300), st.text(min_size=1, max_size=30))
def test_bodies_and_titles_are_as_long_as_the_forum_wants(text: str, name: str) -> None:
    made = title(text, f"Dr {name.strip()} X", SITE)
    assert 15 <= len(made) <= 255
    assert "\n" not in made
    assert _counted(body(text, (), "forum", SITE)) >= 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@all", "@\u200ball"),
        ("mail ann@hospital.org", "mail ann@hospital.org"),
        ("https://m.example/@ann", "https://m.example/@ann"),
        ("`@all` and ```\n@all\n```", "`@all` and ```\n@all\n```"),
        ("~~~\n@all\n~~~\n@all", "~~~\n@all\n~~~\n@\u200ball"),
        ("Cora L\\_i, hello", "@cora, hello"),
        ("@Cora L_i, hello", "@cora, hello"),
        ("Cora L_is not called", "Cora L_is not called"),
        ("a @ b", "a @ b"),
    ],
)
def test_only_those_are_called_who_are_meant(text: str, expected: str) -> None:
    assert called(text, (Mention("forum", "cora", "Cora L_i"),), "forum") == expected
    assert "@cora" not in called(text, (Mention("xmpp", "cora", "Cora L_i"),), "forum")


@given(st.text(max_size=40))
def test_no_text_calls_a_group(text: str) -> None:
    made = called(f"{text} @all", (), "forum")
    assert "@\u200ball" in made or "`" in text or "~" in text


def test_files_in_posts() -> None:
    image = file_line("a](b.png", "upload://x.png", "image", 1, 2)
    assert image == "![ab.png|1x2](upload://x.png)"
    other = file_line("", "upload://x", "file", None, None)
    assert other == "[file|attachment](upload://x)"
    assert uploads_in(f"text\n\n{image}\n\n{other} (1 MB)\nmore") == [image, f"{other} (1 MB)"]


def test_emoji() -> None:
    assert shown("+1") == "👍"
    assert shown("of_our_own") == ":of_our_own:"
    assert is_like("❤")
    assert is_like("👍🏿")
    assert not is_like("🎉")
    assert named("😢", ("tada", "cry")) == "cry"
    assert named("🚀", ("tada", "cry")) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**12) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
FIELDS = st.sampled_from(sorted(Post.model_fields))


@given(st.dictionaries(FIELDS, JSON))
def test_whatever_a_forum_tells_is_a_post_or_nothing(told: dict[str, object]) -> None:
    base = {"id": 1, "topic_id": 2, "created_at": "2026-01-01T00:00:00.000Z"}
    post = Post.read({**base, **told})
    assert post is None or isinstance(post.is_public, bool)
    assert Post.read(None) is None
    assert Post.read([]) is None


@given(st.integers(300, 599), st.binary(max_size=40), JSON)
def test_whatever_a_forum_answers_is_a_refusal_or_a_wait(
    status: int, body_: bytes, extras: object
) -> None:
    for each in (body_, Api.__name__.encode()):
        with pytest.raises((Declined, Unreachable)):
            expect_well("Forum", status, {}, each, changing=True)
    with pytest.raises((Declined, Unreachable)) as caught:
        expect_well("Forum", 429, {"Retry-After": "9"}, b'{"extras": {}}', changing=False)
    assert isinstance(caught.value, Unreachable)
    assert caught.value.retry_after == 9
