"""User ids of ghosts: valid, one for each author, and readable."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matrix_fakes import config

from bridge.errors import ConfigError
from bridge.matrix.ghost_ids import GhostIds

IDS = GhostIds(config())
NETWORKS = st.from_regex(r"[a-z][a-z0-9-]{0,30}", fullmatch=True)
ANYTHING = st.text(st.characters(), max_size=300)
# https://spec.matrix.org/v1.19/appendices/#user-identifiers
GRAMMAR = re.compile(r"@[a-z0-9._=/+-]+:hospital\.test")


def _unescaped(user_id: str) -> str:
    """What the specification's escaping says, read backwards."""
    escaped = user_id.partition(":")[0].removeprefix("@_consilium_").partition("_")[2]

    def byte(match: re.Match[str]) -> bytes:
        found = match.group()
        if found.startswith("="):
            return bytes.fromhex(found[1:])
        return (found[1].upper() if found[1] != "_" else "_").encode()

    parts = re.findall(r"=[0-9a-f]{2}|_.|.", escaped)
    encoded = b"".join(
        byte(re.match(".*", part)) if part[0] in "=_" else part.encode() for part in parts
    )
    return encoded.decode("utf-8", "surrogatepass")


@given(NETWORKS, ANYTHING)
def test_every_id_is_valid_and_recognised(network: str, author: str) -> None:
    user_id = IDS.of(network, author)
    assert GRAMMAR.fullmatch(user_id)
    assert len(user_id.encode()) <= 255
    assert IDS.owns(user_id)
    assert re.fullmatch(config().ghost_pattern, user_id)


@given(st.tuples(NETWORKS, ANYTHING), st.tuples(NETWORKS, ANYTHING))
def test_two_authors_never_share_a_ghost(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (IDS.of(*one) == IDS.of(*other)) == (one == other)


@given(NETWORKS, st.text(st.characters(), max_size=12))
def test_a_short_id_can_be_read_back(network: str, author: str) -> None:
    assert _unescaped(IDS.of(network, author)) == author
    assert IDS.author(IDS.of(network, author)) == (network, author)


@given(st.text(st.characters(), max_size=20))
def test_no_other_id_names_an_author(rest: str) -> None:
    user_id = f"@_consilium_{rest}:hospital.test"
    found = IDS.author(user_id)
    assert found is None or IDS.of(*found) == user_id
    assert IDS.author(f"@{rest}:hospital.test") is None or rest.startswith("_consilium_")


def test_an_id_that_was_hashed_does_not_tell_its_author() -> None:
    assert IDS.author(IDS.of("muc", "x" * 1000)) is None


@pytest.mark.parametrize(
    ("author", "user_id"),
    [
        ("anna", "@_consilium_muc_anna:hospital.test"),
        ("Anna_B", "@_consilium_muc__anna___b:hospital.test"),
        ("a@b.org/Zoë", "@_consilium_muc_a=40b.org/_zo=c3=ab:hospital.test"),
        ("=40", "@_consilium_muc_=3d40:hospital.test"),
    ],
)
def test_ids_are_escaped_as_the_specification_recommends(author: str, user_id: str) -> None:
    assert IDS.of("muc", author) == user_id


def test_a_long_id_is_hashed_and_still_its_own() -> None:
    long, longer = IDS.of("muc", "x" * 1000), IDS.of("muc", "x" * 1001)
    assert long != longer
    assert long.startswith("@_consilium_muc_=-")
    assert len(long) < 80


@pytest.mark.parametrize(
    "user_id",
    ["@anna:hospital.test", "@_consilium_muc_a:other.test", "@x_consilium_a:hospital.test", ""],
)
def test_others_are_not_own(user_id: str) -> None:
    assert not IDS.owns(user_id)


def test_the_bot_is_own() -> None:
    assert IDS.owns("@consilium:hospital.test")


def test_a_prefix_with_which_no_id_would_fit_is_refused() -> None:
    wide = config().model_copy(
        update={
            "homeserver": config().homeserver.model_copy(update={"domain": "a" * 200 + ".test"})
        }
    )
    with pytest.raises(ConfigError, match="shorter ghost_prefix"):
        GhostIds(wide)
