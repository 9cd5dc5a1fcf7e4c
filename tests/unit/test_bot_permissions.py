"""Ranks: who may do what, and what the configuration may say about it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.bot.permissions import Permissions, Rank, checked_entry
from bridge.config.load import load
from bridge.config.problem import UnusableConfig

HOME = "example.org"
ANNA, ROOT, STRANGER = "@anna:example.org", "@root:example.org", "@max:other.org"
NONE, USER, MODERATOR, ADMIN = Rank

Write = Callable[[str], Path]


@pytest.mark.parametrize(
    ("entries", "user", "rank"),
    [
        # what holds when nothing is said
        ({}, ANNA, USER),
        ({}, STRANGER, NONE),
        ({}, "@anna:EXAMPLE.org", USER),
        ({}, "@anna:sub.example.org", NONE),
        ({}, "nonsense", NONE),
        # an entry for one does not take the others' rank
        ({ROOT: ADMIN}, ROOT, ADMIN),
        ({ROOT: ADMIN}, ANNA, USER),
        ({"other.org": USER}, STRANGER, USER),
        ({"other.org": USER}, ANNA, USER),
        # the most specific holds, be it less or more
        ({"*": ADMIN, HOME: USER, ANNA: NONE}, ANNA, NONE),
        ({"*": NONE, HOME: USER, ANNA: ADMIN}, ANNA, ADMIN),
        ({"*": ADMIN, HOME: USER}, ANNA, USER),
        ({"*": USER}, STRANGER, USER),
        # everyone means the own domain as well
        ({"*": NONE}, ANNA, NONE),
        ({HOME: NONE}, ANNA, NONE),
        # server names know no case, names of users do
        ({"Other.ORG": USER}, STRANGER, USER),
        ({"@max:OTHER.org": USER}, STRANGER, USER),
        ({"@MAX:other.org": ADMIN}, STRANGER, NONE),
        ({"other.org:8448": USER}, "@max:other.org:8448", USER),
        ({"other.org": USER}, "@max:other.org:8448", NONE),
    ],
)
def test_the_most_specific_entry_holds(entries: dict[str, Rank], user: str, rank: Rank) -> None:
    assert Permissions.of(entries, HOME).rank(user) is rank


@pytest.mark.parametrize(
    ("entries", "user", "rank"),
    [
        ({}, ANNA, MODERATOR),
        ({}, STRANGER, MODERATOR),
        ({STRANGER: NONE}, STRANGER, NONE),
        ({"*": NONE}, STRANGER, NONE),
        ({ROOT: ADMIN}, ROOT, ADMIN),
        ({ANNA: MODERATOR}, ANNA, MODERATOR),
    ],
)
def test_who_moderates_a_room_is_a_moderator_there(
    entries: dict[str, Rank], user: str, rank: Rank
) -> None:
    assert Permissions.of(entries, HOME).rank(user, moderates=True) is rank


def test_each_rank_covers_itself_and_those_before_it() -> None:
    ranks = list(Rank)
    for place, rank in enumerate(ranks):
        assert [rank.covers(other) for other in ranks] == [
            other <= place for other in range(len(ranks))
        ]


def test_admins_by_name_are_known() -> None:
    entries = {ROOT: ADMIN, "other.org": ADMIN, ANNA: USER}
    assert Permissions.of(entries, HOME).admins() == (ROOT,)


@given(st.text())
def test_no_user_id_makes_it_fail(user_id: str) -> None:
    permissions = Permissions.of({ROOT: ADMIN}, HOME)
    if user_id != ROOT:
        assert not permissions.rank(user_id, moderates=True).covers(ADMIN)


# --- the configuration --------------------------------------------------------------------------

HEAD = """\
homeserver: {url: "http://localhost:8008", domain: example.org}
appservice: {url: "http://localhost:29300", as_token: as-hunter2, hs_token: hs-hunter2}
"""


@pytest.mark.parametrize(
    "who", ["*", "@a:b.c", "@Old.Name:b.c", "example.org", "localhost", "1.2.3.4:8448", "[::1]"]
)
def test_these_can_be_given_a_rank(who: str) -> None:
    assert checked_entry(who, HOME) == who


def test_a_homeserver_of_one_word_can_be_given_a_rank() -> None:
    assert checked_entry("synapse", "synapse") == "synapse"
    assert checked_entry("@a:synapse", "synapse") == "@a:synapse"


def test_the_file_hands_out_ranks(config_file: Write) -> None:
    text = HEAD + 'permissions: {"@root:example.org": admin, "*": none}\nbot: {prefix: "c!"}\n'
    with pytest.raises(UnusableConfig, match="first of them a sign"):
        load(config_file(text))
    config = load(config_file(text.replace("c!", "!c"))).config
    assert config.permissions == {ROOT: ADMIN, "*": NONE}
    assert config.bot.prefix == "!c"


@pytest.mark.parametrize(
    "who", ["anna", "@anna", "anna@example.org", "#room:example.org", "https://example.org", "**"]
)
def test_an_entry_that_names_nobody_is_refused_with_its_line_and_what_to_write(
    config_file: Write, who: str
) -> None:
    with pytest.raises(UnusableConfig) as caught:
        load(config_file(f'{HEAD}permissions:\n  "*": user\n  "{who}": user\n'))
    (said,) = [line for line in str(caught.value).splitlines() if "names nobody" in line]
    assert ":5:" in said
    assert '"@weber:example.org"' in said


def test_a_rank_that_is_none_is_refused_with_those_there_are(config_file: Write) -> None:
    with pytest.raises(UnusableConfig) as caught:
        load(config_file(f"{HEAD}permissions:\n  example.org: boss\n"))
    assert ":4: permissions.example.org" in str(caught.value)
    assert '"none", "user", "moderator" or "admin"' in str(caught.value)
