"""What goes out is a sound mail, whatever a doctor is called or writes."""

import email
from datetime import UTC, datetime
from email.policy import default
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mail.composing import ancestors, compose, subject_of
from adapters.mail.settings import MailSettings
from bridge.contract import Copy, Outgoing, Refused, Topic
from bridge.model import Author, Deleted, Message, Place

KEY = "abcdefghijklmnopqrstuvwxyz"
SETTINGS = MailSettings.model_validate(
    {
        "address": "Consilium@Hospital.test",
        "password": "secret-of-the-mailbox",
        "imap_host": "imap.hospital.test",
        "smtp_host": "smtp.hospital.test",
    }
)
FIELDS = {
    "from", "to", "reply-to", "subject", "date", "auto-submitted", "x-auto-response-suppress",
    "message-id", "x-consilium", "x-consilium-key", "mime-version", "content-type",
    "content-transfer-encoding",
}  # fmt: skip


def saying(text: str, name: str = "Dr. Ann", **more: object) -> Outgoing:
    author = Author("matrix", "@ann:hospital.test", name)
    event = Message(Place("matrix", "!r:x"), "$e", author, datetime.now(UTC), text)
    return Outgoing(Place("lists", "ward@lists.test"), KEY, event, **more)


def copy(message_id: str, text: str = "") -> Copy:
    return Copy(message_id, Author("lists", "a@b.test"), datetime.now(UTC), text)


async def read(outgoing: Outgoing, known: str = "") -> email.message.EmailMessage:
    data = await compose(outgoing, SETTINGS, subject_of(outgoing, known))
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert data.isascii()
    assert all(len(line) <= 998 for line in data.split(b"\r\n"))
    return email.message_from_bytes(data, policy=default)


evil = st.sampled_from(
    ["\r\nBcc: x@y.test", "\n", "\r", "\0", '"', "\\", "<a@b>", ",", "é", "=?", "\u2028", "\ud800"]
)
hostile = st.text(max_size=60) | st.lists(evil, max_size=8).map("".join)


@given(hostile, hostile, hostile)
async def test_nothing_that_is_written_gets_into_the_header(
    name: str, text: str, title: str
) -> None:
    mail = await read(saying(text, name, topic=Topic(None, None, title)))

    assert {field.lower() for field in mail} <= FIELDS
    assert [address.addr_spec for address in mail["From"].addresses] == ["Consilium@Hospital.test"]
    assert mail["From"].addresses[0].display_name.endswith(" via Consilium")
    assert [address.addr_spec for address in mail["To"].addresses] == ["ward@lists.test"]
    assert not mail.defects


words = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=100)


@given(st.lists(words, max_size=5).map("\n".join))
async def test_what_a_doctor_writes_arrives_as_it_was_written(text: str) -> None:
    mail = await read(saying(text))

    arrived = mail.get_content().replace("\r\n", "\n")
    assert arrived.rstrip("\n") == text.rstrip("\n")


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("Who knows?", "Who knows?"),
        ("\n\n  First line  \nsecond", "First line"),
        ("", "(no subject)"),
        ("word " * 40, "word " * 13 + "word …"),
    ],
)
def test_a_new_conversation_is_called_by_its_first_words(text: str, subject: str) -> None:
    assert subject_of(saying(text), "") == subject


def test_within_a_conversation_its_subject_stays() -> None:
    within = saying("Yes", topic=Topic("1@x.test", copy("1@x.test"), "Re: What is it?"))

    assert subject_of(within, "Known on the list") == "Re: Known on the list"
    assert subject_of(within, "") == "Re: What is it?"


def test_a_conversation_that_began_elsewhere_is_no_answer_to_the_list() -> None:
    elsewhere = saying("I say", topic=Topic(None, None, "Re: What is it?"))

    assert subject_of(elsewhere, "") == "What is it?"


async def test_long_ids_are_not_broken_apart() -> None:
    long = f"<{'A' * 120}@{'b' * 60}.prod.outlook.test>"
    root, answered = copy(long[1:-1]), copy("2@x.test")

    mail = await read(saying("Yes", topic=Topic(root.id, root), reply_to=answered))

    assert mail["References"].split() == [long, "<2@x.test>"]
    assert mail["In-Reply-To"] == "<2@x.test>"


def test_names_that_were_made_up_here_are_not_sent() -> None:
    made_up = copy("0123@missing.invalid")

    assert ancestors(saying("Yes", topic=Topic(made_up.id, made_up), reply_to=made_up)) == []


async def test_own_mails_say_that_they_are() -> None:
    mail = await read(saying("Yes"))

    assert mail["Message-ID"] == f"<{KEY}@hospital.test>"
    assert mail["X-Consilium"] == "consilium@hospital.test"
    assert mail["X-Consilium-Key"] == KEY
    assert mail["Auto-Submitted"] == "auto-generated"


async def test_what_lists_have_not_is_refused_with_its_reason() -> None:
    author = Author("matrix", "@ann:hospital.test", "Dr. Ann")
    event = Deleted(Place("matrix", "!r:x"), author, datetime.now(UTC), "$e")

    with pytest.raises(Refused, match="can't be taken back"):
        await compose(Outgoing(Place("lists", "ward@lists.test"), KEY, event), SETTINGS, "x")


def test_the_adapter_imports_nothing_of_the_bridge_but_its_port() -> None:
    folder = Path(__file__).parents[2] / "adapters" / "mail"
    lines = [line for file in folder.glob("*.py") for line in file.read_text().splitlines()]
    imported = {line.split()[1] for line in lines if line.startswith("from bridge")}

    assert imported == {"bridge.contract", "bridge.model"}
