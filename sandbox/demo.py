"""The demo: a homeserver, two hospitals' XMPP services, a mailing list, a feed, the bridge between
them, and a consult.
"""

import asyncio
import fcntl
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.appservice import AppService
from sandbox.bridge import Bridge, BridgeConfig, component_networks
from sandbox.consult import CONSULT, faults, hold
from sandbox.guests import Guests, guests
from sandbox.hospital import HOSPITAL_A, HOSPITAL_B, HOSPITALS
from sandbox.matrix_user import MatrixError
from sandbox.meeting import Meeting
from sandbox.people import PASSWORD, Colleagues, Doctors
from sandbox.ports import LOOPBACK
from sandbox.process import ProcessError
from sandbox.prosody import Prosody
from sandbox.staff import ALICE, BRAM, CHIARA, DMITRI, Staff
from sandbox.synapse import Synapse
from sandbox.transcript import Transcript

_HOME = Path(__file__).resolve().parent.parent / ".demo"
_LOCK = _HOME.parent / ".cache" / "demo.lock"
_ALIAS = "consult"
_LOCALPARTS = {ALICE: "alice", BRAM: "bram", CHIARA: "chiara", DMITRI: "dmitri"}


@dataclass(frozen=True)
class _Servers:
    synapse: Synapse
    prosody: Prosody
    app_service: AppService
    guests: Guests


def main(*, once: bool) -> int:
    """Run the demo until Ctrl-C, or just once through the consult; the exit status."""
    try:
        with _alone():
            return asyncio.run(_demo(once=once))
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except (ProcessError, MatrixError, TimeoutError) as error:
        print(f"The demo failed: {error}", file=sys.stderr)
        print(f"The logs of all parts are in {_HOME}", file=sys.stderr)
        return 1


@contextmanager
def _alone() -> Iterator[None]:
    """Keep a second demo from clearing away the files of one that is up."""
    _LOCK.parent.mkdir(exist_ok=True)
    with _LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ProcessError("it is up already in this checkout: end that one first") from error
        yield


async def _demo(*, once: bool) -> int:
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(_servers())
        meeting = await _gather(stack, servers)
        with _step("Starting the bridge"):
            await stack.enter_async_context(_bridge(servers, meeting))
            await meeting.everyone_is_there(timeout=60)
        others = servers.guests
        transcript = await stack.enter_async_context(Transcript.of(meeting, others.mailing_list))
        await hold(meeting)
        await others.join_in(meeting)
        said = len(CONSULT) + len(others.words)
        await transcript.caught_up(said)
        found = faults(meeting, others.words) + others.faults(meeting)
        for fault in found:
            print(f"FAULT  {fault}", file=sys.stderr)
        if found:
            return 1
        kinds = "XMPP, a feed" if others.mailing_list is None else "XMPP, mail, a feed"
        print(f"\nAll {said} messages arrived everywhere, once each: Matrix, {kinds}.")
        if not once:
            _invite(servers, meeting)
            await _until_interrupted()
            print("\nStopping …")
    return 0


@asynccontextmanager
async def _servers() -> AsyncIterator[_Servers]:
    shutil.rmtree(_HOME, ignore_errors=True)
    _HOME.mkdir(mode=0o700)
    app_service = AppService(id="consilium", bot="consilium", ghosts="_consilium_")
    synapse = Synapse(
        _HOME / "synapse", server_name="localhost", app_services=[app_service.registration]
    )
    prosody = Prosody.of(HOSPITALS, _HOME / "prosody")
    async with AsyncExitStack() as stack:
        with _step("Starting Synapse, Prosody (two hospitals' XMPP), a mailing list and a feed"):
            _, _, invited = await asyncio.gather(
                stack.enter_async_context(synapse),
                stack.enter_async_context(prosody),
                stack.enter_async_context(guests()),
            )
        yield _Servers(synapse, prosody, app_service, invited)


async def _gather(stack: AsyncExitStack, servers: _Servers) -> Meeting:
    doctors = await stack.enter_async_context(Doctors(servers.synapse))
    colleagues = await stack.enter_async_context(Colleagues(servers.prosody))
    with _step("Making two doctors on Matrix and two colleagues on XMPP"):
        staff = await Staff.hire(doctors, colleagues, _LOCALPARTS)
        groups = {
            HOSPITAL_A: HOSPITAL_A.room("cardiology"),
            HOSPITAL_B: HOSPITAL_B.room("cath-lab"),
        }
        return await staff.meet(servers.app_service, groups, alias=_ALIAS)


def _bridge(servers: _Servers, meeting: Meeting) -> Bridge:
    config = BridgeConfig(
        servers.app_service,
        servers.synapse.url,
        servers.synapse.server_name,
        networks={**component_networks(servers.prosody), **servers.guests.networks()},
        portals={
            f"#{_ALIAS}:{servers.synapse.server_name}": [
                *meeting.links(),
                *servers.guests.links(),
            ]
        },
    )
    return Bridge(_HOME / "bridge", config)


def _invite(servers: _Servers, meeting: Meeting) -> None:
    print(
        f"""
Join them: open Element, choose "Edit" beside the homeserver, and enter

    homeserver   {servers.synapse.login_url}
    user         {meeting.doctors[ALICE].localpart}   (or {meeting.doctors[BRAM].localpart})
    password     {PASSWORD}

The room is "Consult". XMPP clients find the hospitals at {servers.prosody.address}, port \
{servers.prosody.client_port}, without TLS:

    chiara@{HOSPITAL_A.domain}   room {meeting.colleagues[CHIARA].group}
    dmitri@{HOSPITAL_B.domain}   room {meeting.colleagues[DMITRI].group}   (same password)
{_invite_by_mail(servers.guests)}
Whatever is said now appears here too. Ctrl-C stops everything.
"""
    )


def _invite_by_mail(guests: Guests) -> str:
    if guests.mailing_list is None:
        return ""
    user = guests.mailing_list.user()
    return f"""
Mail programs find the mailing list {guests.mailing_list.address} in this mailbox, without TLS:

    {user.address}   IMAP {LOOPBACK}:{user.imap_port}   SMTP {LOOPBACK}:{user.smtp_port}   \
(same password)
"""


async def _until_interrupted() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        await stop.wait()
    finally:
        # A second Ctrl-C does not wait until everything has stopped
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@contextmanager
def _step(what: str) -> Iterator[None]:
    print(f"{what} …", end=" ", flush=True)
    begun = time.monotonic()
    try:
        yield
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - begun:.1f} s", flush=True)
