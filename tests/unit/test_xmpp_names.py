"""Names and ids become nicks and addresses that every server takes and nobody can confuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slixmpp import JID

from adapters.xmpp import nick
from adapters.xmpp.identity import LISTENER, colleague_id, doctor_jid
from bridge.model import Author

DOMAIN = "consilium.example.org"
networks = st.from_regex(r"[a-z][a-z0-9-]{0,5}", fullmatch=True)
anything = st.text(st.characters(), max_size=120)


def takes(text: str) -> bool:
    """Whether an independent resourceprep leaves the nick as it is."""
    return JID(f"room@muc.example.org/{text}").resource == text


@given(anything)
def test_every_name_makes_a_nick_that_a_strict_server_takes(name: str) -> None:
    made = nick.strict(nick.prepare(name))
    assert made
    assert takes(made)
    assert takes(nick.numbered(made, 2))


@given(anything)
def test_a_nick_is_already_prepared(name: str) -> None:
    made = nick.prepare(name)
    assert nick.prepare(made) == made
    assert 0 < len(made) <= nick.LONGEST


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("Dr Ann", "Dr Ann"),
        ("  Dr \n Ann\t", "Dr Ann"),
        ("", "Guest"),
        ("\x00\u200b\u202e", "Guest"),
        ("Dr שלום", "שלום"),
        ("Ann \U0001fa7a", "Ann \U0001fa7a"),
        ("\uff21nn", "Ann"),
        ("<Ann> & 'Bob'", "<Ann> & 'Bob'"),
    ],
)
def test_the_nick_stays_as_near_to_the_name_as_can_be(name: str, made: str) -> None:
    assert nick.prepare(name) == made


def test_where_emoji_are_not_taken_they_go() -> None:
    assert nick.strict("Ann \U0001fa7a") == "Ann"


def test_numbers_keep_a_long_nick_within_bounds() -> None:
    made = nick.numbered("x" * nick.LONGEST, 12)
    assert made.endswith(" (12)")
    assert len(made) == nick.LONGEST


@given(networks, anything)
def test_every_author_has_an_address_that_every_server_takes(network: str, id_: str) -> None:
    made = doctor_jid(Author(network, id_), DOMAIN)
    assert JID(made).full == made
    assert JID(made).node != LISTENER
    assert len(JID(made).node) <= 200


@given(networks, anything, networks, anything)
def test_no_two_authors_share_an_address(n1: str, id1: str, n2: str, id2: str) -> None:
    same = doctor_jid(Author(n1, id1), DOMAIN) == doctor_jid(Author(n2, id2), DOMAIN)
    assert same is ((n1, id1) == (n2, id2))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ANN", "ann"),
        ("a@b", "a\\40b"),
        ("a\\40b", "a\\5c40b"),
        ("ß", "ss"),
        ("x" * 300, "x" * 301),
    ],
)
def test_ids_that_servers_could_confuse_are_kept_apart(one: str, other: str) -> None:
    assert doctor_jid(Author("matrix", one), DOMAIN) != doctor_jid(Author("matrix", other), DOMAIN)


def test_long_and_broken_ids_are_kept_apart() -> None:
    ids = ["x" * 300, "x" * 301, "\ud800", "\ud801", "?"]
    assert len({doctor_jid(Author("matrix", each), DOMAIN) for each in ids}) == len(ids)


def test_an_address_can_be_read() -> None:
    made = doctor_jid(Author("matrix", "@ann:hospital.example"), DOMAIN)
    assert made == rf"matrix+\40ann\3ahospital.example@{DOMAIN}/consilium"


def test_a_colleague_is_known_by_the_best_there_is() -> None:
    assert colleague_id("Cora", "occupant", "cora@x.org/home") == "occupant"
    assert colleague_id("Cora", None, "cora@x.org/home") == "cora@x.org"
    assert colleague_id("Cora", None, None) == "nick:Cora"
