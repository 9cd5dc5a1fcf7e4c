"""The adapter and a real Mailman list: mails come as messages, messages go as mails, in threads."""

from email.utils import parseaddr

import structlog
from mail_fixtures import MUNGING, WELCOMING
from mail_lab import BRIDGE, Bridge, copy_of
from mail_raw import listed

from bridge.contract import CatchUp, Feature, Level, Topic
from sandbox.mail_user import MailUser


async def test_a_mail_to_the_list_is_a_message(
    mail_bridge: Bridge, anna: MailUser, mail_list: str
) -> None:
    await mail_bridge.enter(mail_list)
    mail = anna.mail(mail_list, "Potassium", "It is 5.1 now.\n\nAnna")

    await anna.send(mail, mail_list)
    message = await mail_bridge.inlet.message("It is 5.1")

    assert message.place.id == mail_list
    assert message.id == mail["Message-ID"].strip("<>")
    assert message.author.id == "anna@clinic.test"
    assert message.author.name == "Anna Jansen"
    assert message.topic is None
    assert message.reply_to is None
    assert message.text == "Potassium\n\nIt is 5.1 now.\n\nAnna"
    assert message.attachments == ()


async def test_a_message_is_a_mail_from_the_bridge_in_the_doctors_name(
    mail_bridge: Bridge, anna: MailUser, mail_list: str
) -> None:
    await mail_bridge.enter(mail_list)

    sent = await mail_bridge.say(
        mail_list, "Who has seen Mr X?", html="<p>Who has seen <b>Mr X</b>?</p>"
    )
    mail = await anna.mail_with("Who has seen")

    assert mail["From"] == f'"Dr. Ann via Consilium" <{BRIDGE}>'
    assert parseaddr(mail["Reply-To"])[1] == mail_list
    assert mail["Message-ID"] == f"<{sent.id}>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "Who has seen Mr X?" in mail.get_body(("plain",)).get_content()
    assert "<b>Mr X</b>" in mail.get_body(("html",)).get_content()


async def test_a_conversation_stays_one_on_both_sides(
    mail_bridge: Bridge, anna: MailUser, bram: MailUser, mail_list: str
) -> None:
    await mail_bridge.enter(mail_list)
    first = anna.mail(mail_list, "Case of the week", "What is it?")
    await anna.send(first, mail_list)
    root = await mail_bridge.inlet.message("What is it?")

    answered = await mail_bridge.say(
        mail_list, "A tick bite.", reply_to=copy_of(root), topic=Topic(root.id, copy_of(root), "x")
    )
    seen = await bram.mail_with("Case of the week")
    answer = next(m for m in [await _mail_saying(bram, "A tick bite.")])
    again = bram.mail(
        mail_list,
        f"Re: {answer['Subject']}",
        "Yes, look at the skin.\n\nOn Monday 1 June, Dr. Ann wrote:\n> A tick bite.\n> \n> Really",
        In_Reply_To=answer["Message-ID"],
        References=f"{answer['References']} {answer['Message-ID']}",
    )
    await bram.send(again, mail_list)
    reply = await mail_bridge.inlet.message("look at the skin")

    assert answer["In-Reply-To"] == seen["Message-ID"]
    assert str(answer["Subject"]).endswith("Re: Case of the week")
    assert answered.topic == root.id
    assert reply.topic == root.id
    assert reply.reply_to == answered.id
    assert reply.text == "Yes, look at the skin."
    assert reply.attachments == ()


async def test_own_mails_that_come_back_are_no_messages(
    mail_bridge: Bridge, anna: MailUser, mail_list: str
) -> None:
    await mail_bridge.enter(mail_list)

    await mail_bridge.say(mail_list, "From the bridge itself")
    await anna.mail_with("From the bridge itself")
    await anna.send(anna.mail(mail_list, "Later", "later than that"), mail_list)
    await mail_bridge.inlet.message("later than that")

    assert len(mail_bridge.inlet.messages(mail_list)) == 1


async def test_the_writer_is_known_where_a_list_puts_itself_into_from(
    mail_bridge: Bridge, anna: MailUser
) -> None:
    await mail_bridge.enter(MUNGING)

    await anna.send(anna.mail(MUNGING, "Munged", "from whom is it?"), MUNGING)
    message = await mail_bridge.inlet.message("from whom is it?")

    assert message.author.id == "anna@clinic.test"
    assert message.author.name == "Anna Jansen"


async def test_machines_are_not_relayed(
    mail_bridge: Bridge, anna: MailUser, mail_list: str
) -> None:
    await mail_bridge.enter(mail_list)

    away = anna.mail(mail_list, "Out of office", "I am away", Auto_Submitted="auto-replied")
    await anna.send(away, mail_list)
    await anna.mail_with("Out of office")
    await anna.send(anna.mail(mail_list, "Back", "I am back"), mail_list)
    await mail_bridge.inlet.message("I am back")

    assert len(mail_bridge.inlet.messages(mail_list)) == 1


async def test_what_the_list_software_says_to_the_bridge_itself_is_not_relayed(
    mail_bridge: Bridge, mailbox: MailUser
) -> None:
    welcome = await mailbox.mail_with("Welcome to")
    with structlog.testing.capture_logs() as lines:
        await mail_bridge.enter(WELCOMING, CatchUp(history=10))
        await mailbox.put(welcome.as_bytes())
        await mailbox.put(listed(WELCOMING, "afterwards", ""))
        await mail_bridge.inlet.message("afterwards")

    assert WELCOMING.partition("@")[0] in welcome["From"]
    assert [message.text for message in mail_bridge.inlet.messages(WELCOMING)] == ["afterwards"]
    assert [line["group"] for line in lines if line["event"] == "mail_not_relayed"] == [WELCOMING]


async def test_what_is_declared_is_what_lists_can_do(mail_bridge: Bridge, mail_list: str) -> None:
    able = mail_bridge.network.capabilities(mail_list)

    assert able.own_names
    assert able.knows_own_copies
    assert able.showing(Feature.EDIT) is Level.OTHERWISE
    assert able.showing(Feature.DELETE) is Level.REFUSED
    assert able.showing(Feature.REACTION) is Level.REFUSED
    assert able.showing(Feature.MEMBERSHIP) is Level.REFUSED
    assert able.showing(Feature.TOPIC) is Level.FULL
    assert able.showing(Feature.REPLY) is Level.FULL


async def _mail_saying(user: MailUser, words: str):
    while True:
        for mail in await user.mails():
            if words in mail.get_body(("plain",)).get_content():
                return mail
