"""A mail thread is one topic, even where lists and mail programs lose the traces."""

import base64
from datetime import UTC, datetime, timedelta

from mail_lab import BRIDGE, Bridge, running, settings
from mail_raw import listed, new_list

from bridge.contract import CatchUp, Copy, Topic
from bridge.model import Author, Message
from sandbox.mail_servers import MailServers
from sandbox.mail_user import MailUser

KEY = "abcdefghijklmnopqrstuvwxyz"
CONVERSATION = bytes(range(22))


async def came(bridge: Bridge, mailbox: MailUser, raw: bytes, words: str) -> Message:
    await mailbox.put(raw)
    return await bridge.inlet.message(words)


async def test_references_name_the_beginning_and_the_mail_that_is_answered(
    mail_bridge: Bridge, mailbox: MailUser
) -> None:
    group = new_list()
    await mail_bridge.enter(group)

    first = await came(mail_bridge, mailbox, listed(group, "One.", Message_ID="<1@x.test>"), "One.")
    second = await came(
        mail_bridge,
        mailbox,
        listed(
            group, "Two.", "Re: A case", Message_ID="<2@x.test>", In_Reply_To="<1@x.test>",
            References="<1@x.test>",
        ),
        "Two.",
    )  # fmt: skip
    third = await came(
        mail_bridge,
        mailbox,
        listed(
            group, "Three.", "Something else", In_Reply_To="<2@x.test>",
            References="<1@x.test>\r\n <2@x.test>",
        ),
        "Three.",
    )  # fmt: skip

    assert (first.topic, first.reply_to) == (None, None)
    assert (second.topic, second.reply_to) == ("1@x.test", "1@x.test")
    assert second.text == "Two."
    assert (third.topic, third.reply_to) == ("1@x.test", "2@x.test")
    assert third.text == "Something else\n\nThree."


async def test_a_program_that_names_only_the_mail_it_answers_is_understood(
    mail_bridge: Bridge, mailbox: MailUser
) -> None:
    group = new_list()
    await mail_bridge.enter(group)

    await came(mail_bridge, mailbox, listed(group, "One.", Message_ID=f"<1@{group}>"), "One.")
    await came(
        mail_bridge,
        mailbox,
        listed(group, "Two.", Message_ID=f"<2@{group}>", In_Reply_To=f"<1@{group}>"),
        "Two.",
    )
    third = await came(
        mail_bridge,
        mailbox,
        listed(group, "Three.", In_Reply_To=f"<2@{group}> of Monday"),
        "Three.",
    )

    assert third.topic == f"1@{group}"
    assert third.reply_to == f"2@{group}"


async def test_what_was_said_before_a_restart_is_found_in_the_mailbox(
    mail_servers: MailServers, mailbox: MailUser
) -> None:
    group = new_list()
    ids = [f"restart-{number}@x.test" for number in range(3)]
    async with running(settings(mail_servers)) as bridge:
        await bridge.enter(group)
        await came(bridge, mailbox, listed(group, "One.", Message_ID=f"<{ids[0]}>"), "One.")
        second = listed(group, "Two.", Message_ID=f"<{ids[1]}>", In_Reply_To=f"<{ids[0]}>")
        await came(bridge, mailbox, second, "Two.")

    async with running(settings(mail_servers)) as bridge:
        await bridge.enter(group)
        third = listed(group, "Three.", Message_ID=f"<{ids[2]}>", In_Reply_To=f"<{ids[1]}>")
        message = await came(bridge, mailbox, third, "Three.")

    assert message.topic == ids[0]
    assert message.reply_to == ids[1]


async def test_an_answer_to_an_own_mail_whose_id_the_list_rewrote_finds_it(
    mail_servers: MailServers, mailbox: MailUser
) -> None:
    group = new_list()
    own = listed(
        group,
        "From the bridge.",
        sender=f'"Dr. Ann via Consilium" <{BRIDGE}>',
        Message_ID="<rewritten-4711@elsewhere.test>",
        X_Consilium=BRIDGE,
        X_Consilium_Key=KEY,
    )
    answer = listed(group, "Answered.", "Re: A case", In_Reply_To="<rewritten-4711@elsewhere.test>")
    again = listed(group, "Once more.", "Re: A case", References="<rewritten-4711@elsewhere.test>")
    async with running(settings(mail_servers)) as bridge:
        await bridge.enter(group)
        await mailbox.put(own)
        first = await came(bridge, mailbox, answer, "Answered.")

    async with running(settings(mail_servers)) as bridge:
        await bridge.enter(group)
        second = await came(bridge, mailbox, again, "Once more.")

    assert first.reply_to == f"{KEY}@hospital.test"
    assert first.topic == f"{KEY}@hospital.test"
    assert second.topic == f"{KEY}@hospital.test"


async def test_what_quotes_an_own_mail_that_never_came_back_quotes_nothing_new(
    mail_bridge: Bridge, mailbox: MailUser
) -> None:
    group = new_list()
    await mail_bridge.enter(group)
    own = f"<{KEY[::-1]}@hospital.test>"
    quoting = "Yes.\n\nOn 1 June Dr. Ann wrote:\n> Is it\n> a tick\n> bite?"

    message = await came(
        mail_bridge, mailbox, listed(group, quoting, "Re: A case", In_Reply_To=own), "Yes."
    )

    assert message.reply_to == own.strip("<>")
    assert message.text.endswith("Yes.")
    assert message.attachments == ()


async def test_an_id_that_a_list_rewrote_is_known_by_its_former_name_too(
    mail_bridge: Bridge, mailbox: MailUser
) -> None:
    group = new_list()
    await mail_bridge.enter(group)
    renamed = listed(
        group, "One.", Message_ID="<new@elsewhere.test>", X_Original_Message_ID="<old@x.test>"
    )

    first = await came(mail_bridge, mailbox, renamed, "One.")
    second = await came(
        mail_bridge, mailbox, listed(group, "Two.", In_Reply_To="<old@x.test>"), "Two."
    )

    assert first.id == "new@elsewhere.test"
    assert first.aliases == ("old@x.test",)
    assert second.reply_to == "new@elsewhere.test"
    assert second.topic == "new@elsewhere.test"


async def test_outlook_that_writes_no_references_is_understood_by_its_own_index(
    mail_servers: MailServers, mailbox: MailUser
) -> None:
    group = new_list()
    index = base64.b64encode(CONVERSATION).decode()
    later = base64.b64encode(CONVERSATION + b"12345").decode()
    async with running(settings(mail_servers)) as bridge:
        await bridge.enter(group)
        first = await came(bridge, mailbox, listed(group, "One.", Thread_Index=index), "One.")
        two = listed(group, "Two.", "Antw: Iets", Thread_Index=later)
        second = await came(bridge, mailbox, two, "Two.")

    async with running(settings(mail_servers)) as bridge:
        await bridge.enter(group)
        three = listed(group, "Three.", "Quite another", Thread_Index=later)
        third = await came(bridge, mailbox, three, "Three.")

    assert first.topic is None
    assert second.topic == first.id
    assert third.topic == first.id


async def test_the_subject_joins_only_what_says_that_it_is_an_answer(
    mail_bridge: Bridge, mailbox: MailUser
) -> None:
    group = new_list()
    await mail_bridge.enter(group)

    first = await came(mail_bridge, mailbox, listed(group, "One.", "Rounds today"), "One.")
    same = await came(mail_bridge, mailbox, listed(group, "Two.", "Rounds today"), "Two.")
    answer = await came(
        mail_bridge, mailbox, listed(group, "Three.", "AW: [ward] Re: Rounds today"), "Three."
    )

    assert same.topic is None
    assert answer.topic in {first.id, same.id}


async def test_the_subject_is_found_in_the_mailbox_after_a_restart(
    mail_servers: MailServers, mailbox: MailUser
) -> None:
    group, other = new_list(), new_list()
    async with running(settings(mail_servers)) as bridge:
        await bridge.enter(group)
        await bridge.enter(other)
        await came(bridge, mailbox, listed(other, "Elsewhere.", "A rare rash"), "Elsewhere.")
        first = await came(bridge, mailbox, listed(group, "One.", "A rare rash"), "One.")

    async with running(settings(mail_servers)) as bridge:
        await bridge.enter(group)
        answer = await came(bridge, mailbox, listed(group, "Two.", "Re: A rare rash"), "Two.")

    assert answer.topic == first.id


async def test_two_mails_that_bear_the_same_id_are_two_messages(
    mail_bridge: Bridge, mailbox: MailUser
) -> None:
    group = new_list()
    await mail_bridge.enter(group)

    one = await came(mail_bridge, mailbox, listed(group, "Alpha.", Message_ID="<same@x>"), "Alpha")
    two = await came(
        mail_bridge, mailbox, listed(group, "Beta.", "Other", Message_ID="<same@x>"), "Beta"
    )

    assert one.id == "same@x"
    assert two.id != one.id


async def test_a_mail_without_an_id_has_the_same_name_whenever_it_is_read(
    mail_servers: MailServers, mailbox: MailUser
) -> None:
    group = new_list()
    await mailbox.put(listed(group, "Nameless.", Message_ID=""))
    catch_up = CatchUp(since=datetime.now(UTC) - timedelta(minutes=1))
    names = []
    for _ in range(2):
        async with running(settings(mail_servers)) as bridge:
            await bridge.enter(group, catch_up)
            names.append((await bridge.inlet.message("Nameless")).id)

    assert names[0] == names[1]


async def test_an_answer_goes_out_under_the_subject_that_the_thread_has_on_the_list(
    mail_servers: MailServers, anna: MailUser, mail_list: str
) -> None:
    async with running(settings(mail_servers)) as bridge:
        await bridge.enter(mail_list)
        await anna.send(anna.mail(mail_list, "Ünusual finding", "See below."), mail_list)
        root = await bridge.inlet.message("See below")

    # After a restart, too, when only the mailbox remembers it
    async with running(settings(mail_servers)) as bridge:
        await bridge.enter(mail_list)
        copy = Copy(root.id, Author("lists", "anna@clinic.test"), root.time, root.text)
        await bridge.say(mail_list, "Seen it.", topic=Topic(root.id, copy, "Title of the core"))
        mail = await anna.mail_with("Re: Ünusual finding")

    assert "Seen it." in mail.get_body(("plain",)).get_content()
    assert mail["References"] == f"<{root.id}>"
