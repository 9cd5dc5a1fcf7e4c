"""Whatever is in a mail is read, bounded and harmless: no input breaks the reader."""

import base64
import quopri
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.mail.addresses import author_of
from adapters.mail.belonging import list_id, list_of
from adapters.mail.charsets import decode
from adapters.mail.declining import own_key, why_not
from adapters.mail.header import Header
from adapters.mail.imap_reply import Value
from adapters.mail.invitation import in_words
from adapters.mail.message_ids import all_of, can_be_sent, former_ids, id_of
from adapters.mail.plan import plan_of
from adapters.mail.structure import MAX_DEPTH, MAX_PARTS, Broken, Part, read_structure
from adapters.mail.subjects import answers, bare, forwards, untagged
from adapters.mail.transfer import decoder, undo

GROUP = "ward@lists.test"
OWN = "consilium@hospital.test"

names = st.sampled_from(
    ["From", "To", "Cc", "Subject", "Date", "Message-ID", "References", "In-Reply-To", "List-Id",
     "List-Post", "Reply-To", "Content-Type", "Auto-Submitted", "Precedence", "Return-Path",
     "Thread-Index", "X-Consilium", "Sender", "X-Original-From", "X-BeenThere"]
)  # fmt: skip
snippets = st.sampled_from(
    ["<", ">", "@", "a@b.test", '"', "\\", "(", ")", "=?utf-8?q?=C3?=", "=?x?b?%%?=", "\r\n ", "\t",
     ",", ";", ":", "<1@x>", "\x00", "é", "Mon, 1 Jun 2026 10:00:00 +0200", "=?", "?="]
)  # fmt: skip
field_bodies = st.lists(snippets | st.text(max_size=8), max_size=12).map("".join)
headers = st.lists(st.tuples(names, field_bodies), max_size=12).map(
    lambda fields: "".join(f"{name}: {body}\r\n" for name, body in fields).encode(
        "utf-8", "surrogatepass"
    )
)


@given(headers | st.binary(max_size=300))
@example(b"From: =?utf-8?b?AAAA?=\r\nDate: Mon, 1 Jan 0001 00:00:00 +9999\r\n")
@example(b"Date: Thu, 01 Jan 9999999999 00:00:00\r\nFrom: a@b,,,,<<@>\r\n")
def test_no_header_breaks_the_reader(raw: bytes) -> None:
    header = Header(raw)

    author = author_of(header, "lists", GROUP)
    name = id_of(header)
    assert author.id
    assert not set(author.name) & set("\x00\r\n\x1b")
    assert name
    assert len(name) <= 250
    for each in (name, *all_of(header.first("References")), *former_ids(header)):
        if can_be_sent(each):
            assert not set(each) & set(string.whitespace + "<>")
    assert list_of(header, {GROUP}, loosely=True) in {GROUP, None}
    assert isinstance(list_id(header), str)
    why_not(header, GROUP, OWN)
    own_key(header, OWN)
    assert header.date is None or header.date.tzinfo is not None


@given(st.text(max_size=100))
def test_no_subject_breaks_the_reader(subject: str) -> None:
    assert bare(f"Re: {subject}") == bare(subject) or not bare(subject)
    answers(subject)
    forwards(subject)
    untagged(subject, GROUP)


@given(st.binary(max_size=200), st.text(max_size=20) | st.sampled_from(["utf-7", "hex", "idna"]))
def test_no_charset_breaks_the_reader(data: bytes, charset: str) -> None:
    assert isinstance(decode(data, charset), str)


@given(st.text(max_size=100), st.sampled_from(["utf-8", "utf-16", "UTF8", '"utf-8"']))
def test_what_is_declared_rightly_is_read_rightly(text: str, charset: str) -> None:
    data = text.encode(charset.strip('"'), "replace")

    assert decode(data, charset) == data.decode(charset.strip('"'))


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        (b"caf\xe9", "iso-8859-1", "café"),
        (b"\x80uro", "iso-8859-1", "€uro"),
        ("café".encode(), "us-ascii", "café"),
        (b"caf\xe9", "utf-8", "café"),
        (b"caf\xe9", "klingon", "café"),
        (b"\x82\xa0", "x-sjis", "あ"),
    ],
)
def test_a_charset_is_what_people_mean_by_it(data: bytes, charset: str, text: str) -> None:
    assert decode(data, charset) == text


# --- transfer encodings


@given(st.binary(max_size=400), st.integers(1, 50))
def test_a_file_in_pieces_is_the_same_file(data: bytes, size: int) -> None:
    for encoding, coded in (
        ("base64", base64.encodebytes(data)),
        ("quoted-printable", quopri.encodestring(data)),
        ("8bit", data),
    ):
        tool = decoder(encoding)
        pieces = [tool.feed(coded[at : at + size]) for at in range(0, len(coded), size)]
        found = b"".join([*pieces, tool.end()])
        assert found == undo(coded, encoding)
        if encoding != "quoted-printable":  # which, in Python, has its own mind about line ends
            assert found == data


@given(st.binary(max_size=300), st.sampled_from(["base64", "quoted-printable", "x-uuencode", ""]))
def test_no_encoding_breaks_the_reader(data: bytes, encoding: str) -> None:
    assert isinstance(undo(data, encoding), bytes)


# --- structures

leaves = st.none() | st.binary(max_size=12) | st.sampled_from(
    [b"text", b"plain", b"multipart", b"message", b"rfc822", b"mixed", b"charset", b"attachment",
     b"filename*0*", b"filename*1", b"utf-8''%ff", b"7", b"html", b"alternative"]
)  # fmt: skip
structures = st.recursive(leaves, lambda inner: st.lists(inner, max_size=9), max_leaves=60)


def count(part: Part) -> tuple[int, int]:
    below = [count(each) for each in part.parts]
    return 1 + sum(each[0] for each in below), 1 + max((each[1] for each in below), default=0)


@given(structures)
def test_no_structure_breaks_the_reader(value: Value) -> None:
    try:
        part = read_structure(value)
    except Broken:
        return
    plan = plan_of(part)
    said = [part for body in plan.bodies for part in (body.text, body.html) if part]
    for each in (*said, *plan.files):
        assert set(each.section) <= set("0123456789.")
        assert not set(each.name) & set('/\\\x00\r\n"')


def test_parts_beyond_the_limits_are_left_out() -> None:
    text: list[Value] = [b"text", b"plain", None, None, None, b"7bit", b"10", b"1"]
    wide: list[Value] = [*([text] * 5_000), b"mixed"]
    deep: list[Value] = text
    for _ in range(150):
        deep = [deep, b"mixed"]

    assert count(read_structure(wide))[0] <= MAX_PARTS + 1
    assert count(read_structure(deep))[1] <= MAX_DEPTH + 1


@given(st.text(max_size=200) | st.text("BEGIN:VT;=\r\n \\,DSU", max_size=200))
def test_no_invitation_breaks_the_reader(text: str) -> None:
    assert isinstance(in_words(f"BEGIN:VEVENT\n{text}"), str)
