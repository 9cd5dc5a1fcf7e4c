"""The adapter and its mailbox on a real Dovecot: nothing is lost, whatever breaks."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from mail_lab import QUICK, Bridge, running, settings
from mail_raw import listed, new_list

from bridge.contract import CatchUp
from bridge.model import Message
from sandbox.mail_servers import MailServers
from sandbox.mail_user import MailUser


def texts(bridge: Bridge, group: str) -> list[str]:
    return [message.text for message in bridge.inlet.messages(group)]


async def next_second() -> None:
    """IMAP tells whole seconds, and what came in the same one can't be told apart."""
    begun = int(time.time())
    while int(time.time()) <= begun:  # noqa: ASYNC110 - a clock signals no event
        await asyncio.sleep(0.05)


async def test_mails_come_in_their_order_and_each_to_its_list(
    mail_bridge: Bridge, mailbox: MailUser
) -> None:
    one, two = new_list(), new_list()
    await mail_bridge.enter(one)
    await mail_bridge.enter(two)

    for number in range(6):
        await mailbox.put(listed((one, two)[number % 2], f"mail {number}", ""))
    await mail_bridge.inlet.message("mail 5")

    assert texts(mail_bridge, one) == ["mail 0", "mail 2", "mail 4"]
    assert texts(mail_bridge, two) == ["mail 1", "mail 3", "mail 5"]


async def test_mails_of_a_list_that_nobody_has_linked_are_told_of_once(
    mail_bridge: Bridge, mailbox: MailUser
) -> None:
    group, stranger = new_list(), new_list()
    await mail_bridge.enter(group)

    with structlog.testing.capture_logs() as lines:
        await mailbox.put(listed(stranger, "not for us"))
        await mailbox.put(listed(stranger, "not for us either"))
        await mailbox.put(listed(group, "for us", ""))
        await mail_bridge.inlet.message("for us")

    told = [line["list"] for line in lines if line["event"] == "list_not_linked"]
    assert told.count(stranger.replace("@", ".")) == 1
    assert "not for us" not in str(lines)


async def test_a_mail_is_marked_as_read_only_once_it_is_on_disk(
    mail_bridge: Bridge, mailbox: MailUser
) -> None:
    group = new_list()
    await mail_bridge.enter(group)
    mail_bridge.inlet.open.clear()

    await mailbox.put(listed(group, "precious", ""))
    await mailbox.put(listed(group, "later", ""))
    # A second connection sees what the first has done to the mails
    unread = (await mailbox.flags())[-2:]
    mail_bridge.inlet.open.set()
    await mail_bridge.inlet.message("later")

    assert not any(r"\Seen" in flags for flags in unread)
    async with asyncio.timeout(10):
        while not all(r"\Seen" in flags for flags in (await mailbox.flags())[-2:]):
            pass


async def test_what_was_said_while_the_bridge_was_down_comes_first(
    mail_servers: MailServers, mailbox: MailUser
) -> None:
    group = new_list()
    await mailbox.put(listed(group, "while down 1", ""))
    await mailbox.put(listed(group, "while down 2", ""))
    since = datetime.now(UTC) - timedelta(minutes=1)

    async with running(settings(mail_servers)) as bridge:
        await bridge.network.open(group, (), CatchUp(since=since))
        await bridge.inlet.roster(group)
        await mailbox.put(listed(group, "afterwards", ""))
        await bridge.inlet.message("afterwards")

        assert texts(bridge, group) == ["while down 1", "while down 2", "afterwards"]
        kinds = [type(event).__name__ for event in bridge.inlet.events]
        assert kinds == ["Message", "Message", "Roster", "Message"]


async def test_what_was_said_before_the_list_was_linked_is_not_wanted(
    mail_servers: MailServers, mailbox: MailUser
) -> None:
    group = new_list()
    await mailbox.put(listed(group, "before", ""))
    await next_second()

    async with running(settings(mail_servers)) as bridge:
        await bridge.enter(group)
        await mailbox.put(listed(group, "after", ""))
        await bridge.inlet.message("after")

        assert texts(bridge, group) == ["after"]


async def test_history_is_handed_over_as_old_where_it_is_asked_for(
    mail_servers: MailServers, mailbox: MailUser
) -> None:
    group = new_list()
    for number in range(4):
        await mailbox.put(listed(group, f"old {number}", ""))
    await next_second()

    async with running(settings(mail_servers)) as bridge:
        await bridge.enter(group, CatchUp(history=2))

        found = bridge.inlet.messages(group)
        assert [message.text for message in found] == ["old 2", "old 3"]
        assert all(message.old for message in found)


async def test_of_too_many_missed_mails_the_newest_come_and_the_rest_is_told_of(
    mail_servers: MailServers, mailbox: MailUser
) -> None:
    group = new_list()
    for number in range(5):
        await mailbox.put(listed(group, f"missed {number}", ""))
    since = datetime.now(UTC) - timedelta(minutes=1)

    async with running(settings(mail_servers)) as bridge:
        await bridge.enter(group, CatchUp(since=since, max_messages=2))

        assert texts(bridge, group) == ["missed 3", "missed 4"]
        assert [(gap.group, gap.count) for gap in bridge.inlet.gaps] == [(group, 3)]


async def test_a_server_that_went_away_loses_nothing_and_doubles_nothing(
    mail_servers: MailServers, mailbox: MailUser, mail_bridge: Bridge
) -> None:
    group = new_list()
    await mail_bridge.enter(group)
    await mailbox.put(listed(group, "before the fault", ""))
    await mail_bridge.inlet.message("before the fault")
    after = len(mail_bridge.inlet.healths)

    await mail_servers.dovecot.kill()
    fallen = await mail_bridge.inlet.down(after=after)
    await mail_servers.dovecot.start()
    await mailbox.put(listed(group, "after the fault", ""))
    await mail_bridge.inlet.up(group, after=after)
    await mail_bridge.inlet.message("after the fault")

    assert "mailbox of Hospital lists" in fallen.reason
    assert texts(mail_bridge, group) == ["before the fault", "after the fault"]


async def test_a_wrong_password_is_told_as_lasting(mail_servers: MailServers) -> None:
    async with running(settings(mail_servers, password="wrong")) as bridge:
        fallen = await bridge.inlet.down()

    assert fallen.lasting
    assert "password" in fallen.reason


async def test_a_server_that_nobody_vouches_for_is_not_trusted(mail_servers: MailServers) -> None:
    async with running(settings(mail_servers, ca=None)) as bridge:
        fallen = await bridge.inlet.down()

    assert "certificate" in fallen.reason


@pytest.mark.parametrize("tls", ["starttls", "off"])
async def test_mails_come_and_go_by(
    mail_servers: MailServers, mailbox: MailUser, anna: MailUser, mail_list: str, tls: str
) -> None:
    chosen = settings(
        mail_servers,
        imap_tls=tls,
        smtp_tls=tls,
        imap_port=mail_servers.dovecot.plain_port,
        smtp_port=mail_servers.postfix.plain_port,
    )
    group = new_list()
    async with running(chosen) as bridge:
        await bridge.enter(group)
        await bridge.enter(mail_list)
        await mailbox.put(listed(group, f"by {tls}", ""))
        await bridge.inlet.message(f"by {tls}")
        await bridge.say(mail_list, f"Sent with {tls}")
    assert await anna.mail_with(f"Sent with {tls}")


async def test_an_idle_that_is_renewed_still_hears(
    mail_servers: MailServers, mailbox: MailUser
) -> None:
    group = new_list()
    timing = replace(QUICK, idle=0.2)
    async with running(settings(mail_servers), timing) as bridge:
        await bridge.enter(group)
        for number in range(3):
            await mailbox.put(listed(group, f"mail {number}", ""))
            await bridge.inlet.message(f"mail {number}")

        assert texts(bridge, group) == ["mail 0", "mail 1", "mail 2"]


async def test_a_list_that_is_closed_is_listened_to_no_more(
    mail_bridge: Bridge, mailbox: MailUser
) -> None:
    group, other = new_list(), new_list()
    await mail_bridge.enter(group)
    await mail_bridge.enter(other)

    await mail_bridge.network.close(group)
    await mailbox.put(listed(group, "nobody listens", ""))
    await mailbox.put(listed(other, "somebody listens", ""))
    await mail_bridge.inlet.message("somebody listens")

    assert texts(mail_bridge, group) == []


async def test_check_finds_everything_in_order(
    mail_servers: MailServers, mailbox: MailUser, mail_bridge: Bridge
) -> None:
    group = new_list()
    await mailbox.put(listed(group))

    findings = await mail_bridge.network.check([group, new_list()])

    assert all(finding.ok for finding in findings)
    sentences = " ".join(finding.sentence for finding in findings)
    assert "Mail of this list is in the mailbox" in sentences
    assert "No mail of this list" in sentences


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"password": "wrong"}, "password"),
        ({"folder": "Nowhere"}, "folder Nowhere"),
        ({"imap_port": 1}, "can't be used"),
        ({"smtp_port": 1}, "not reachable for sending"),
        ({"ca": None}, "certificate"),
    ],
    ids=["password", "folder", "imap", "smtp", "certificate"],
)
async def test_check_tells_what_is_wrong(
    mail_servers: MailServers, wrong: dict[str, object], told: str
) -> None:
    async with running(settings(mail_servers, **wrong)) as bridge:
        findings = await bridge.network.check([])

    bad = [finding for finding in findings if not finding.ok]
    assert any(told in finding.sentence for finding in bad)
    assert all(finding.advice for finding in bad)


async def test_a_mail_has_the_time_at_which_it_was_written(
    mail_bridge: Bridge, mailbox: MailUser
) -> None:
    group = new_list()
    await mail_bridge.enter(group)

    await mailbox.put(listed(group, "yesterday", "", Date="Mon, 01 Jun 2026 10:00:00 +0200"))
    await mailbox.put(listed(group, "tomorrow", "", Date="Mon, 01 Jun 2099 10:00:00 +0200"))
    late: Message = await mail_bridge.inlet.message("yesterday")
    early: Message = await mail_bridge.inlet.message("tomorrow")

    assert late.time == datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
    assert early.time <= datetime.now(UTC) + timedelta(seconds=5)


async def test_a_folder_may_have_any_name(mail_servers: MailServers, mailbox: MailUser) -> None:
    group = new_list()
    await mailbox.make_folder("&ANw-berweisungen &- mehr")  # as IMAP writes it
    async with running(settings(mail_servers, folder="Überweisungen & mehr")) as bridge:
        await bridge.enter(group)
        await mailbox.put(listed(group, "filed", ""), "&ANw-berweisungen &- mehr")

        assert (await bridge.inlet.message("filed")).place.id == group
