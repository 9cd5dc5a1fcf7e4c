"""Answers of IMAP servers are read, and whatever else comes is told to be none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mail.imap_reply import Literal, Unreadable, Value, read_reply, read_values
from adapters.mail.imap_wire import quoted

atoms = st.text("ABCDEFabc0123456789.\\$-", min_size=1, max_size=8).map(str.encode)
strings = st.binary(max_size=30)
values = st.recursive(st.none() | strings, lambda inner: st.lists(inner, max_size=5), max_leaves=20)


def written(value: Value, pieces: list[bytes | Literal]) -> None:
    """As a server would write it: with quotes where it can, and else with its length."""
    if value is None:
        pieces[-1] += b"NIL"
    elif isinstance(value, list):
        pieces[-1] += b"("
        for position, each in enumerate(value):
            if position:
                pieces[-1] += b" "
            written(each, pieces)
        pieces[-1] += b")"
    elif b"\r" in value or b"\n" in value or b"\0" in value or len(value) % 2:
        pieces[-1] += b"{%d}\r\n" % len(value)
        pieces += [Literal(value), b""]
    else:
        escaped = value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        pieces[-1] += b'"' + escaped + b'"'


@given(st.lists(values, max_size=5))
def test_whatever_a_server_says_is_read_as_it_was_meant(said: list[Value]) -> None:
    pieces: list[bytes | Literal] = [b""]
    for position, value in enumerate(said):
        if position:
            pieces[-1] += b" "
        written(value, pieces)

    assert read_values(pieces) == said


@given(
    st.lists(st.binary(max_size=60) | st.binary(max_size=20).map(Literal), min_size=1, max_size=4)
)
def test_no_answer_does_more_than_be_unreadable(pieces: list[bytes | Literal]) -> None:
    try:
        read_reply([b"* 1 FETCH (", *pieces])
    except Unreadable:
        return


def test_what_was_asked_of_a_mail_is_found_by_its_name() -> None:
    reply = read_reply(
        [
            b"* 12 FETCH (UID 7 BODY[HEADER.FIELDS (To)]<0> {4}\r\n",
            Literal(b"To: "),
            b" FLAGS ())\r\n",
        ]
    )

    assert (reply.word, reply.number) == ("FETCH", 12)
    assert reply.items() == {"UID": b"7", "BODY[HEADER.FIELDS (TO)]<0>": b"To: ", "FLAGS": []}


def test_an_answer_that_nests_without_end_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        read_reply([b"* 1 FETCH " + b"(" * 100_000])


@given(st.text(max_size=30))
def test_an_argument_can_never_become_a_command(text: str) -> None:
    argument = quoted(text)

    if isinstance(argument, bytes):
        assert b"\r" not in argument
        assert b"\n" not in argument
        assert read_values([argument]) == [text.encode()]
    else:
        assert argument.data == text.encode()
