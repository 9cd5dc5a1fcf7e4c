"""Real mail servers, started once, and colleagues with mail programs."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mail_lab import BRIDGE, LISTS, PASSWORD, Bridge, running, settings, user

from sandbox.mail_servers import MailServers
from sandbox.mail_user import MailUser

WARDS = [f"ward{number}@{LISTS}" for number in range(1, 13)]
MUNGING = f"munging@{LISTS}"
WELCOMING = f"welcoming@{LISTS}"
"""It writes to whoever is subscribed."""
MEMBERS = (BRIDGE, "anna@clinic.test", "bram@clinic.test")


@pytest.fixture(scope="session")
async def mail_servers(reachable: Path) -> AsyncIterator[MailServers]:
    if os.geteuid() != 0:
        pytest.skip("Dovecot and Postfix, as they are used here, run as root only")
    servers = MailServers(
        reachable / "mail",
        mailboxes={
            BRIDGE: PASSWORD,
            "alone@hospital.test": "alone",
            "anna@clinic.test": "anna",
            "bram@clinic.test": "bram",
        },
        lists={**dict.fromkeys(WARDS, MEMBERS), MUNGING: MEMBERS, WELCOMING: MEMBERS},
        list_settings={
            MUNGING: {
                "dmarc_mitigate_action": "munge_from",
                "dmarc_mitigate_unconditionally": True,
                "reply_goes_to_list": "point_to_list",
            },
            WELCOMING: {"send_welcome_message": True},
        },
        answers={
            f"grey@{LISTS}": "450 4.2.0 Greylisted, come back later",
            f"closed@{LISTS}": "550 5.7.1 You may not post here",
            f"small@{LISTS}": "552 5.3.4 Message too big",
        },
    )
    async with servers:
        yield servers


@pytest.fixture
async def mail_bridge(mail_servers: MailServers) -> AsyncIterator[Bridge]:
    async with running(settings(mail_servers)) as found:
        await found.inlet.up()
        yield found


@pytest.fixture
def anna(mail_servers: MailServers) -> MailUser:
    return user(mail_servers, "anna@clinic.test", "Anna Jansen")


@pytest.fixture
def bram(mail_servers: MailServers) -> MailUser:
    return user(mail_servers, "bram@clinic.test", "Bram")


@pytest.fixture
def mailbox(mail_servers: MailServers) -> MailUser:
    """The bridge's own, to put mails into."""
    return user(mail_servers, BRIDGE)


_wards = iter(WARDS)


@pytest.fixture
def mail_list() -> str:
    """A list of Mailman's that nobody has used."""
    return next(_wards)
