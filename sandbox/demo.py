"""The demo: a homeserver, two hospitals' XMPP services, the bridge between them, and a consult."""

import asyncio
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.appservice import AppService
from sandbox.bridge import Bridge, BridgeConfig, component_network
from sandbox.consult import (
    ALICE,
    BRAM,
    CHIARA,
    CONSULT,
    DMITRI,
    HOSPITAL_NAMES,
    People,
)
from sandbox.hospital import HOSPITAL_A, HOSPITAL_B, HOSPITALS
from sandbox.matrix_user import MatrixError
from sandbox.people import PASSWORD, Colleagues, Doctors
from sandbox.process import ProcessError
from sandbox.prosody import Prosody
from sandbox.synapse import Synapse
from sandbox.transcript import Transcript

_HOME = Path(__file__).resolve().parent.parent / ".demo"
_ALIAS = "consult"


@dataclass(frozen=True)
class _Servers:
    synapse: Synapse
    prosody: Prosody
    app_service: AppService


def main(*, once: bool) -> int:
    """Run the demo until Ctrl-C, or just once through the consult; the exit status."""
    try:
        return asyncio.run(_demo(once=once))
    except KeyboardInterrupt:
        return 0
    except (ProcessError, MatrixError, TimeoutError) as error:
        print(f"The demo failed: {error}", file=sys.stderr)
        print(f"The logs of all parts are in {_HOME}", file=sys.stderr)
        return 1


async def _demo(*, once: bool) -> int:
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(_servers())
        people = await _gather_people(stack, servers)
        with _step("Starting the bridge"):
            await stack.enter_async_context(_bridge(servers))
            await _everyone_is_there(people)
        transcript = await stack.enter_async_context(Transcript.of(people))
        for line in CONSULT:
            await people.say(line)
        await transcript.caught_up(len(CONSULT))
        faults = await people.faults()
        for fault in faults:
            print(f"FAULT  {fault}", file=sys.stderr)
        if faults:
            return 1
        print(f"\nAll {len(CONSULT)} messages arrived at all three places, once each.")
        if not once:
            _invite(servers, people)
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
        with _step("Starting Synapse (the homeserver) and Prosody (two hospitals' XMPP services)"):
            await asyncio.gather(
                stack.enter_async_context(synapse), stack.enter_async_context(prosody)
            )
        yield _Servers(synapse, prosody, app_service)


async def _gather_people(stack: AsyncExitStack, servers: _Servers) -> People:
    doctors = await stack.enter_async_context(Doctors(servers.synapse))
    colleagues = await stack.enter_async_context(Colleagues(servers.prosody))
    with _step("Making two doctors on Matrix and two colleagues on XMPP"):
        alice = await doctors.new(ALICE, "alice")
        bram = await doctors.new(BRAM, "bram")
        chiara = await colleagues.new(HOSPITAL_A, "chiara")
        dmitri = await colleagues.new(HOSPITAL_B, "dmitri")
        bot = f"@{servers.app_service.bot}:{servers.synapse.server_name}"
        room = await alice.create_room("Consult", alias=_ALIAS, invite=[bot, bram.user_id])
        await bram.join(room)
        cardiology, cath_lab = HOSPITAL_A.room("cardiology"), HOSPITAL_B.room("cath-lab")
        await chiara.create_room(cardiology, CHIARA)
        await dmitri.create_room(cath_lab, DMITRI)
    return People(
        doctors={ALICE: alice, BRAM: bram},
        colleagues={CHIARA: chiara, DMITRI: dmitri},
        room=room,
        groups={CHIARA: cardiology, DMITRI: cath_lab},
    )


def _bridge(servers: _Servers) -> Bridge:
    networks = {
        "hospital-a": (HOSPITAL_A, HOSPITAL_A.room("cardiology")),
        "hospital-b": (HOSPITAL_B, HOSPITAL_B.room("cath-lab")),
    }
    config = BridgeConfig(
        servers.app_service,
        servers.synapse.url,
        servers.synapse.server_name,
        networks={
            id_: component_network(servers.prosody, hospital, HOSPITAL_NAMES[hospital])
            for id_, (hospital, _) in networks.items()
        },
        portals={
            f"#{_ALIAS}:{servers.synapse.server_name}": [
                (id_, group, "both") for id_, (_, group) in networks.items()
            ]
        },
    )
    return Bridge(_HOME / "bridge", config)


async def _everyone_is_there(people: People) -> None:
    """Wait until each sees all the others: from then on nothing that is said can be missed."""
    looking = people.doctors[ALICE]
    remote = {f"{CHIARA} (Hospital A)", f"{DMITRI} (Hospital B)"}
    async with asyncio.timeout(60):
        while not remote <= {
            name for name in (await looking.members(people.room)).values() if name
        }:
            await looking.timeline.wait_for(lambda _: True, after=len(looking.timeline), timeout=60)
    for name, other in ((CHIARA, f"{DMITRI} (Hospital B)"), (DMITRI, f"{CHIARA} (Hospital A)")):
        for expected in (ALICE, BRAM, other):
            await people.colleagues[name].wait_for_occupant(
                people.groups[name], expected, timeout=60
            )


def _invite(servers: _Servers, people: People) -> None:
    print(
        f"""
Join them: open Element, choose "Edit" beside the homeserver, and enter

    homeserver   {servers.synapse.login_url}
    user         {people.doctors[ALICE].localpart}   (or {people.doctors[BRAM].localpart})
    password     {PASSWORD}

The room is "Consult". XMPP clients find the hospitals at {servers.prosody.address}, port \
{servers.prosody.client_port}, without TLS:

    chiara@{HOSPITAL_A.domain}   room {people.groups[CHIARA]}
    dmitri@{HOSPITAL_B.domain}   room {people.groups[DMITRI]}   (same password)

Whatever is said now appears here too. Ctrl-C stops everything.
"""
    )


async def _until_interrupted() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


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
