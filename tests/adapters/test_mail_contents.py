"""What is in mails, through a real Dovecot: new text, files, hostile and enormous mails."""

import asyncio
import base64
import random
import tracemalloc

import pytest
from mail_lab import Bridge, running, settings
from mail_raw import listed, new_list, parts

from adapters.mail.settings import FullMail
from bridge.contract import Refused
from bridge.model import Attachment, MediaKind, Message
from sandbox.mail_servers import MailServers
from sandbox.mail_user import MailUser

MIXED = 'multipart/mixed; boundary="=_b"'
ALTERNATIVE = 'multipart/alternative; boundary="=_b"'
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40


def base64_of(data: bytes) -> str:
    return base64.encodebytes(data).decode()


async def fetched(bridge: Bridge, attachment: Attachment) -> bytes:
    async with bridge.network.download(attachment) as pieces:
        return b"".join([piece async for piece in pieces])


async def came(bridge: Bridge, mailbox: MailUser, group: str, raw: bytes, words: str) -> Message:
    await mailbox.put(raw)
    return await bridge.inlet.message(words)


async def test_files_come_with_the_message_and_are_fetched_when_wanted(
    mail_bridge: Bridge, mailbox: MailUser
) -> None:
    group = new_list()
    await mail_bridge.enter(group)
    body = parts(
        ("Content-Type: text/plain; charset=utf-8", "See the picture."),
        (
            (
                "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n"
                "Content-Disposition: attachment; filename*=utf-8''r%C3%B6ntgen.png"
            ),
            base64_of(PNG),
        ),
        (
            (
                'Content-Type: application/pdf; name="=?utf-8?q?bef=C3=BCnd?=.pdf"\r\n'
                "Content-Transfer-Encoding: quoted-printable\r\n"
                "Content-Disposition: attachment"
            ),
            "%PDF =3D 1=\r\n2",
        ),
    )

    message = await came(mail_bridge, mailbox, group, listed(group, body, kind=MIXED), "picture")

    picture, letter = message.attachments
    assert (picture.kind, picture.name, picture.mime) == (
        MediaKind.IMAGE,
        "röntgen.png",
        "image/png",
    )
    assert abs((picture.size or 0) - len(PNG)) < 300
    assert await fetched(mail_bridge, picture) == PNG
    assert (letter.kind, letter.name) == (MediaKind.FILE, "befünd.pdf")
    assert await fetched(mail_bridge, letter) == b"%PDF = 12"


async def test_a_mail_that_was_deleted_since_has_no_files_any_more(
    mail_bridge: Bridge, mailbox: MailUser
) -> None:
    group = new_list()
    await mail_bridge.enter(group)
    body = parts(
        ("Content-Type: text/plain", "Soon gone."),
        ("Content-Type: image/png\r\nContent-Transfer-Encoding: base64", base64_of(PNG)),
    )
    message = await came(mail_bridge, mailbox, group, listed(group, body, kind=MIXED), "Soon gone")

    await mailbox.delete_last()

    with pytest.raises(Refused):
        await fetched(mail_bridge, message.attachments[0])


@pytest.mark.parametrize("source", ["", "imap:1/2/../x", "https://example.org", "imap:1/2/text/"])
async def test_nothing_but_files_of_mails_can_be_fetched(mail_bridge: Bridge, source: str) -> None:
    with pytest.raises(Refused):
        await fetched(mail_bridge, Attachment(MediaKind.FILE, source))


async def test_a_formatted_answer_comes_without_what_it_quotes(
    mail_bridge: Bridge, mailbox: MailUser
) -> None:
    group = new_list()
    await mail_bridge.enter(group)
    plain = (
        "Geef *amoxicilline*.\n\nOp ma 1 jun 2026 schreef Bram <b@clinic.test>:\n> Wat nu?\n> ja"
    )
    html = (
        "<div>Geef <b>amoxicilline</b>.</div><div class='gmail_quote'><div class='gmail_attr'>"
        "Op ma 1 jun 2026 schreef Bram:</div><blockquote>Wat nu?</blockquote></div>"
    )
    body = parts(
        ("Content-Type: text/plain; charset=utf-8", plain),
        ("Content-Type: text/html; charset=utf-8", html),
    )

    message = await came(
        mail_bridge,
        mailbox,
        group,
        listed(group, body, "Re: Otitis", kind=ALTERNATIVE, In_Reply_To="<unseen@clinic.test>"),
        "Geef",
    )

    assert message.html is not None
    assert "<b>amoxicilline</b>" in message.html
    assert "Wat nu" not in message.html + message.text
    # What it quotes never came through the list: so all of it is one click away
    (whole,) = message.attachments
    text = (await fetched(mail_bridge, whole)).decode()
    assert whole.name == "full mail.txt"
    assert "Wat nu?" in text
    assert "From: Cora <cora@clinic.test>" in text
    assert "List-" not in text


async def test_a_mail_in_several_pieces_is_whole(mail_bridge: Bridge, mailbox: MailUser) -> None:
    group = new_list()
    await mail_bridge.enter(group)
    body = parts(
        ("Content-Type: text/plain", "Above a < b."),
        ("Content-Type: text/html", "<p>Within the <b>middle</b>.</p>"),
        ("Content-Type: text/plain", "Below."),
        ("Content-Type: text/plain", f"{'_' * 40}\nWard mailing list\nTo unsubscribe, write"),
    )

    message = await came(mail_bridge, mailbox, group, listed(group, body, "", kind=MIXED), "Below")

    assert message.text == "Above a < b.\n\nWithin the middle.\n\nBelow."
    assert message.html == "<p>Above a &lt; b.</p><p>Within the <b>middle</b>.</p><p>Below.</p>"


async def test_the_full_mail_is_attached_as_the_admin_chose(
    mail_servers: MailServers, mailbox: MailUser
) -> None:
    quoting = "Yes.\n\nOn 1 June Bram wrote:\n> May I?\n> Really\n> ?"
    found = {}
    for choice in FullMail:
        group = new_list()
        async with running(settings(mail_servers, full_mail=choice)) as bridge:
            await bridge.enter(group)
            first = listed(group, "May I?", Message_ID=f"<first-{choice}@clinic.test>")
            await came(bridge, mailbox, group, first, "May I")
            answer = listed(
                group, quoting, "Re: A case", In_Reply_To=f"<first-{choice}@clinic.test>"
            )
            message = await came(bridge, mailbox, group, answer, "Yes.")
            assert message.text == "Yes."
            found[choice] = len(message.attachments)

    assert found == {FullMail.NEVER: 0, FullMail.NEW: 0, FullMail.ALWAYS: 1}


async def test_a_forwarded_mail_is_not_cut(mail_bridge: Bridge, mailbox: MailUser) -> None:
    group = new_list()
    await mail_bridge.enter(group)
    text = "FYI\n\n---------- Forwarded message ---------\nFrom: Lab\nSubject: Result\n\nPositive."

    message = await came(
        mail_bridge,
        mailbox,
        group,
        listed(group, text, "Fwd: Result", References="<x@lab.test>"),
        "FYI",
    )

    assert "Positive." in message.text


async def test_a_mail_within_a_mail_is_a_file(mail_bridge: Bridge, mailbox: MailUser) -> None:
    group = new_list()
    await mail_bridge.enter(group)
    inner = "Subject: Result/of the lab\r\nFrom: lab@clinic.test\r\n\r\nPositive.\r\n"
    for _ in range(5):
        inner = f"Subject: Result/of the lab\r\nContent-Type: message/rfc822\r\n\r\n{inner}"
    body = parts(
        ("Content-Type: text/plain", "See what the lab says."),
        ("Content-Type: message/rfc822", inner),
    )

    message = await came(mail_bridge, mailbox, group, listed(group, body, kind=MIXED), "See what")

    (letter,) = message.attachments
    assert letter.name == "of the lab.eml"
    assert b"Positive." in await fetched(mail_bridge, letter)


@pytest.mark.parametrize(
    ("kind", "several", "name"),
    [
        (
            'multipart/encrypted; protocol="application/pgp-encrypted"; boundary="=_b"',
            [
                ("Content-Type: application/pgp-encrypted", "Version: 1"),
                ("Content-Type: application/octet-stream", "-----BEGIN PGP MESSAGE-----"),
            ],
            "OpenPGP",
        ),
        (
            MIXED,
            [
                (
                    (
                        "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n"
                        "Content-Transfer-Encoding: base64"
                    ),
                    "AAAA",
                )
            ],
            "S/MIME",
        ),
        (MIXED, [("Content-Type: text/plain", "-----BEGIN PGP MESSAGE-----\n\nx")], "OpenPGP"),
    ],
    ids=["pgp", "smime", "inline"],
)
async def test_of_an_encrypted_mail_it_is_told_that_it_is(
    mail_bridge: Bridge, mailbox: MailUser, kind: str, several: list, name: str
) -> None:
    group = new_list()
    await mail_bridge.enter(group)

    message = await came(
        mail_bridge, mailbox, group, listed(group, parts(*several), kind=kind), "encrypted"
    )

    assert name in message.text
    assert len(message.attachments) == 1


async def test_an_invitation_is_told_in_words(mail_bridge: Bridge, mailbox: MailUser) -> None:
    group = new_list()
    await mail_bridge.enter(group)
    event = (
        "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nSUMMARY:Tumour board\\, room 3\r\n"
        "DTSTART;TZID=Europe/Amsterdam:20260601T130000\r\n"
        "DTEND;TZID=Europe/Amsterdam:20260601T140000\r\nLOCATION:Ward 5\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    body = parts(
        ("Content-Type: text/plain", "Please come."),
        ("Content-Type: text/calendar; method=REQUEST", event),
    )

    message = await came(
        mail_bridge, mailbox, group, listed(group, body, kind=ALTERNATIVE), "Please come"
    )

    assert (
        "Invitation: Tumour board, room 3, 2026-06-01 13:00 (Europe/Amsterdam) to "
        "2026-06-01 14:00 (Europe/Amsterdam), Ward 5"
    ) in message.text


async def test_a_mail_of_twenty_megabytes_is_never_held_in_memory(
    mail_bridge: Bridge, mailbox: MailUser
) -> None:
    group = new_list()
    await mail_bridge.enter(group)
    data = random.Random(1).randbytes(15_000_000)
    body = parts(
        ("Content-Type: text/plain", "The scan is large."),
        (
            (
                "Content-Type: application/dicom\r\nContent-Transfer-Encoding: base64\r\n"
                "Content-Disposition: attachment; filename=scan.dcm"
            ),
            base64_of(data),
        ),
    )
    raw = listed(group, body, kind=MIXED)
    assert len(raw) > 20_000_000
    await mailbox.put(raw)
    del raw, body

    tracemalloc.start()
    message = await mail_bridge.inlet.message("The scan is large")
    size = 0
    async with mail_bridge.network.download(message.attachments[0]) as pieces:
        async for piece in pieces:
            assert piece == data[size : size + len(piece)]
            size += len(piece)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size == len(data)
    assert most < 6_000_000


async def test_a_text_without_end_is_cut_and_says_so(
    mail_bridge: Bridge, mailbox: MailUser
) -> None:
    group = new_list()
    await mail_bridge.enter(group)

    message = await came(
        mail_bridge, mailbox, group, listed(group, "Long story. " * 100_000), "Long story"
    )

    assert len(message.text) < 400_000
    assert "There is more of it" in message.text
    (whole,) = message.attachments
    assert len(await fetched(mail_bridge, whole)) > 1_190_000


def nested(depth: int) -> tuple[str, str]:
    """Parts in parts in parts."""
    body = "Content-Type: text/plain\r\n\r\ndeep\r\n"
    for level in range(depth):
        inner = f'Content-Type: multipart/mixed; boundary="b{level}"\r\n\r\n'
        body = f"{inner}--b{level}\r\n{body}\r\n--b{level}--\r\n"
    head, _, rest = body.partition("\r\n\r\n")
    return head.removeprefix("Content-Type: "), rest


BOMBS = {
    "many parts": (MIXED, parts(*[("Content-Type: text/plain", f"p{n}") for n in range(3_000)])),
    "deep parts": nested(150),
    "no boundary": ("multipart/mixed", "--x\r\n\r\nhi"),
    "unfinished": (MIXED, "--=_b\r\nContent-Type: text/plain\r\n\r\nnever ends"),
    "unknown charset": ("text/plain; charset=klingon-8", b"\xff\xfe\x00caf\xe9"),
    "lying charset": ("text/plain; charset=utf-8", b"caf\xe9 \xf0\x28\x8c\x28"),
    "codec, no charset": ("text/plain; charset=idna", b"xn--" * 1000),
    "long parameters": (f"text/plain; charset=utf-8; x={'a' * 50_000}", "hi"),
    "parentheses": ('text/plain; name="(((\\"{12}"', "hi"),
    "binary": ("text/plain", bytes(range(256)) * 20),
    "empty": ("text/plain", ""),
    "html of one tag": ("text/html", "<div>" * 20_000),
    "html of quotes": ("text/html", "<blockquote>x" * 3_000),
    "lines like headers": ("text/plain", "From: a\n" * 1_400),
    "long lines": ("text/plain", "On " + "a wrote: " * 20_000),
    "bad winmail": ("application/ms-tnef; name=winmail.dat", b"\x78\x9f\x3e\x22"),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_a_hostile_mail_holds_up_no_other(
    mail_bridge: Bridge, mailbox: MailUser, name: str
) -> None:
    group = new_list()
    await mail_bridge.enter(group)
    kind, body = BOMBS[name]

    await mailbox.put(listed(group, body, f"bomb {name}", kind=kind))
    await mailbox.put(listed(group, "still here", ""))
    async with asyncio.timeout(20):
        await mail_bridge.inlet.message("still here")

    first, _ = mail_bridge.inlet.messages(group)
    assert f"bomb {name}" in first.text
    assert len(first.attachments) <= 30


@pytest.mark.parametrize(
    "header",
    [
        {"Subject": "bomb " + "=?utf-8?b?" + "QUJD" * 20_000 + "?="},
        {"Subject": "bomb =?klingon?q?=FF=FE?= =?utf-8?b?%%%?="},
        {"Subject": "bomb", "To": ", ".join(f"a{n}@x.test" for n in range(3_000))},
        {"Subject": "bomb", "References": " ".join(f"<{n}@x.test>" for n in range(2_000))},
        {"Subject": "bomb", "Message-ID": f"<{'x' * 5_000}@x.test>"},
        {"Subject": "bomb", "Message-ID": ""},
        {"Subject": "bomb", "Message-ID": "no brackets or anything"},
        {"Subject": "bomb", "Date": "yesterday, I think"},
        {"Subject": "bomb", "Date": "Mon, 99 Foo 99999 99:99:99 +9999"},
        {"Subject": "bomb", "From": ""},
        {"Subject": "bomb", "From": '"((((" <@@@>, \\'},
        {"Subject": "bomb", "From": "=?utf-8?q?=00=07=1B[2J?= <esc@x.test>"},
        {"Subject": "bomb", "X-Much": "y" * 200_000},
        {"Subject": "bomb", "Thread-Index": "AdZ" + "A" * 10_000, "In-Reply-To": "<>"},
    ],
    ids=range(14),
)
async def test_a_hostile_header_holds_up_no_other(
    mail_bridge: Bridge, mailbox: MailUser, header: dict[str, str]
) -> None:
    group = new_list()
    await mail_bridge.enter(group)

    await mailbox.put(
        listed(group, "", **{k.replace("-", "_"): v for k, v in _named(header).items()})
    )
    await mailbox.put(listed(group, "still here", ""))
    async with asyncio.timeout(20):
        await mail_bridge.inlet.message("still here")

    first, _ = mail_bridge.inlet.messages(group)
    assert "bomb" in first.text
    assert first.author.id
    assert first.id
    assert "\x1b" not in first.author.name


def _named(header: dict[str, str]) -> dict[str, str]:
    names = {"Subject": "subject", "From": "sender"}
    return {names.get(name, name): value for name, value in header.items()}


PIECES = [
    b"--=_b\r\n", b"--=_b--\r\n", b"Content-Type: text/html\r\n\r\n", b"\r\n\r\n",
    b"Content-Type: message/rfc822\r\n\r\n", b"Content-Transfer-Encoding: base64\r\n\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n", b"=3D=\r\n=ZZ", b"QUJD====QQ",
    b"Content-Type: text/plain; charset=utf-16\r\n\r\n", b"\xff\xfe\xfd", b"<div><blockquote>",
    b'Content-Type: multipart/mixed; boundary="=_c"\r\n\r\n--=_c\r\n', b"> quoted\r\n", b"words ",
    b"Content-Disposition: attachment; filename*0*=utf-8''%c3; filename*1=x\r\n\r\n", b"\x00",
    b"Content-Type: text/calendar\r\n\r\nBEGIN:VEVENT\r\nSUMMARY:\r\n", b"-- \r\n",
    b"Content-Type: multipart/signed\r\n\r\n", b"On 1 June x wrote:\r\n", b"{12}\r\n", b'"\\(',
    b'Content-Type: application/pkcs7-mime; name="a/b"\r\n\r\n', b"\xc3(", b"=?utf-8?q?=?=",
]  # fmt: skip
KINDS = [
    MIXED, ALTERNATIVE, 'multipart/related; boundary="=_b"', 'multipart/signed; boundary="=_b"',
    "text/plain; charset=x", "text/html; charset=utf-7", "message/rfc822", "multipart/mixed",
    'multipart/alternative; boundary="=_b"; boundary="=_c"', ";;;", "text", "",
]  # fmt: skip


async def test_of_mails_broken_in_any_way_none_is_lost(
    mail_bridge: Bridge, mailbox: MailUser
) -> None:
    group = new_list()
    await mail_bridge.enter(group)
    chance = random.Random(20260601)
    mails = {}
    for number in range(150):
        body = b"".join(chance.choices(PIECES, k=chance.randrange(12)))
        name = f"broken-{number}@x.test"
        mails[name] = listed(
            group,
            body,
            f"Case {number}",
            kind=chance.choice(KINDS),
            Message_ID=f"<{name}>",
            Content_Transfer_Encoding=chance.choice(["8bit", "base64", "quoted-printable", "?"]),
            In_Reply_To=chance.choice(["", f"<broken-{number - 1}@x.test>"]),
        )

    await mailbox.put_all(list(mails.values()))
    await mailbox.put(listed(group, "still here", ""))
    await mail_bridge.inlet.message("still here", timeout=60)

    *found, _ = mail_bridge.inlet.messages(group)
    assert [message.id for message in found] == list(mails)
    assert all(message.text or message.html or message.attachments for message in found)
    assert not any(message.notice for message in found)
