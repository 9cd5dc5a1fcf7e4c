"""What becomes of a mail that is handed in: accepted, refused, put off, or in doubt."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from mail_fixtures import LISTS
from mail_lab import BRIDGE, QUICK, Bridge, outgoing, running, settings
from mail_raw import listed, new_list

from bridge.contract import LocalFile, Refused, Unreachable
from bridge.model import MediaKind
from sandbox.mail_servers import MailServers
from sandbox.mail_user import MailUser
from sandbox.ports import free_port

KEY = "zyxwvutsrqponmlkjihgfedcba"


async def test_a_list_that_asks_to_come_back_is_tried_again_later(mail_bridge: Bridge) -> None:
    group = f"grey@{LISTS}"
    await mail_bridge.enter(group)

    with pytest.raises(Unreachable) as caught:
        await mail_bridge.say(group, "Hello")

    assert caught.value.retry_after == 300
    assert not caught.value.doubtful
    assert "Greylisted" in caught.value.sentence


async def test_a_list_that_lets_nobody_post_refuses_for_good(mail_bridge: Bridge) -> None:
    group = f"closed@{LISTS}"
    await mail_bridge.enter(group)

    with pytest.raises(Refused, match="You may not post here") as caught:
        await mail_bridge.say(group, "Hello")

    assert caught.value.advice


async def test_a_mail_that_is_too_large_is_refused_and_it_is_told_why(mail_bridge: Bridge) -> None:
    group = f"small@{LISTS}"
    await mail_bridge.enter(group)

    with pytest.raises(Refused, match="larger than the list"):
        await mail_bridge.say(group, "Hello")


async def test_a_file_goes_with_the_mail(
    mail_bridge: Bridge, anna: MailUser, mail_list: str, tmp_path: Path
) -> None:
    await mail_bridge.enter(mail_list)
    path = tmp_path / "blob"
    path.write_bytes(bytes(range(256)) * 100)
    file = LocalFile(path, 'rö "n".png', "image/png", 25_600, MediaKind.IMAGE)

    await mail_bridge.say(mail_list, "A picture of it", file=file)
    mail = await anna.mail_with("A picture of it")

    # Mailman adds a part of its own
    attached = next(part for part in mail.iter_attachments() if part.get_filename())
    assert attached.get_content_type() == "image/png"
    assert attached.get_filename() == 'rö "n".png'
    assert attached.get_content() == path.read_bytes()


async def test_a_file_that_is_too_large_is_refused(
    mail_servers: MailServers, tmp_path: Path
) -> None:
    group = new_list()
    path = tmp_path / "blob"
    path.write_bytes(b"x" * 2_000_000)
    file = LocalFile(path, "large", "text/plain", 2_000_000, MediaKind.FILE)
    async with running(settings(mail_servers, max_file=1_000_000)) as bridge:
        await bridge.enter(group)
        with pytest.raises(Refused, match="larger than the 1 MB"):
            await bridge.say(group, "", file=file)


async def test_no_more_mails_go_out_in_a_minute_than_the_admin_allows(
    mail_servers: MailServers, mail_list: str
) -> None:
    async with running(settings(mail_servers, per_minute=1)) as bridge:
        await bridge.enter(mail_list)
        await bridge.say(mail_list, "The first")
        with pytest.raises(Unreachable) as caught:
            await bridge.say(mail_list, "The second")

    assert 50 < (caught.value.retry_after or 0) <= 60


async def test_nothing_is_sent_to_a_list_that_the_bridge_takes_no_part_in(
    mail_bridge: Bridge,
) -> None:
    with pytest.raises(Unreachable, match="takes no part"):
        await mail_bridge.say(new_list(), "Hello")


# --- in doubt


class _Moody:
    """An SMTP server that takes a mail and says nothing, or hangs up."""

    def __init__(self, *, silent: bool) -> None:
        self.silent = silent
        self.taken: list[bytes] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        self.taken.append(content)
        if self.silent:
            await asyncio.sleep(30)
        assert server.transport is not None
        server.transport.close()
        return "250 ok"


@asynccontextmanager
async def moody(*, silent: bool) -> AsyncIterator[tuple[int, _Moody]]:
    handler = _Moody(silent=silent)
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield controller.port, handler
    finally:
        controller.stop()


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "hangs up"])
async def test_a_server_that_does_not_say_whether_it_took_a_mail_leaves_it_in_doubt(
    mail_servers: MailServers, silent: bool
) -> None:
    group = new_list()
    async with moody(silent=silent) as (port, server):
        chosen = settings(mail_servers, smtp_port=port, smtp_tls="off", smtp_login=False)
        async with running(chosen, replace(QUICK, answer=1.0)) as bridge:
            await bridge.enter(group)
            with pytest.raises(Unreachable) as caught:
                await bridge.say(group, "Did it arrive?")

    assert caught.value.doubtful
    assert len(server.taken) == 1


async def test_a_mail_in_doubt_that_came_back_from_its_list_is_found(
    mail_bridge: Bridge, mailbox: MailUser
) -> None:
    group = new_list()
    await mail_bridge.enter(group)
    doubtful = outgoing(group, "Did it arrive?", KEY)
    assert await mail_bridge.network.find(doubtful) is None

    await mailbox.put(
        listed(
            group,
            "Did it arrive?",
            sender=BRIDGE,
            Message_ID="<another@elsewhere.test>",
            X_Consilium=BRIDGE,
            X_Consilium_Key=KEY,
        )
    )
    sent = await mail_bridge.network.find(doubtful)

    assert sent is not None
    assert sent.id == f"{KEY}@hospital.test"


async def test_where_a_list_sends_own_mails_back_a_mail_in_doubt_is_waited_for(
    mail_servers: MailServers, mailbox: MailUser
) -> None:
    group = new_list()
    async with running(settings(mail_servers), replace(QUICK, echo=0.5)) as bridge:
        await bridge.enter(group)
        await mailbox.put(listed(group, "Own.", sender=BRIDGE, X_Consilium=BRIDGE))
        await mailbox.put(listed(group, "Another's."))
        await bridge.inlet.message("Another's.")
        doubtful = outgoing(group, "Did it arrive?", "z" * 26)

        with pytest.raises(Unreachable) as caught:
            await bridge.network.find(doubtful)
        await asyncio.sleep(0.6)
        found = await bridge.network.find(doubtful)

    assert caught.value.retry_after
    assert found is None
