"""Where a trial takes place: the servers, the people in their rooms, and the bridge."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sandbox.appservice import AppService
from sandbox.bridge import account_network, component_networks
from sandbox.hospital import HOSPITAL_A, HOSPITAL_B, HOSPITALS
from sandbox.matrix_user import MatrixUser
from sandbox.people import PASSWORD
from sandbox.ports import LOOPBACK, free_port
from sandbox.postgres import Postgres
from sandbox.prosody import Prosody
from sandbox.synapse import Synapse
from sandbox.xmpp_user import XmppUser
from torture import mam
from torture.cast import LISTENER, Person, Side, of_side
from torture.colleague import Colleague
from torture.disk import mounted
from torture.doctor import Doctor
from torture.ears import Ears
from torture.setting import Setting
from torture.subject import PipedBridge, Subject, TellingConfig

_MODERATOR: Final = 50
_ENTRY_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.1
_DEAD: Final = "dead"
_DISK: Final = "disk"
_DATABASE: Final = "consilium.db"


@dataclass(frozen=True)
class Ward:
    """Everything that runs. `doctors` and `colleagues` by their keys in the cast; `rooms` and
    `groups` by the number of the portal.
    """

    directory: Path
    synapse: Synapse
    prosody: Prosody
    postgres: Postgres | None
    subject: Subject
    doctors: Mapping[str, Doctor]
    colleagues: Mapping[str, Colleague]
    rooms: Mapping[int, str]
    groups: Mapping[Side, Mapping[int, str]]
    ears: Ears
    bot: str

    @property
    def database(self) -> Path:
        """The bridge's SQLite file."""
        return self.subject.bridge.log_file.with_name(_DISK) / _DATABASE

    async def everyone_is_there(self) -> None:
        """Return once the bridge is in every place: from then on nothing said can be missed."""
        for side, groups in self.groups.items():
            watcher = self.colleagues[of_side(side)[0].key].user
            for group in groups.values():
                await watcher.wait_for_occupant(group, LISTENER, timeout=_ENTRY_SECONDS)
        async with asyncio.timeout(_ENTRY_SECONDS):
            for room in self.rooms.values():
                while self.bot not in await self._members(room):  # noqa: ASYNC110 - no event
                    await asyncio.sleep(_POLL_SECONDS)

    async def _members(self, room: str) -> Collection[str]:
        host = self.doctors[of_side(Side.MATRIX)[0].key]
        answer = await host.request("GET", f"/rooms/{quote(room)}/joined_members")
        joined: dict[str, Any] = answer["joined"]
        return joined.keys()


@asynccontextmanager
async def opened(directory: Path, setting: Setting) -> AsyncIterator[Ward]:
    """Start everything, and end it."""
    service = AppService(id="consilium", bot="consilium", ghosts="_consilium_")
    synapse = Synapse(directory / "synapse", app_services=[service.registration])
    prosody = Prosody.of(HOSPITALS, directory / "prosody", more_config=mam.PAGE_MAX)
    postgres = Postgres(directory / "postgres") if setting.postgresql else None
    async with AsyncExitStack() as stack:
        servers = [server for server in (synapse, prosody, postgres) if server is not None]
        await asyncio.gather(*(stack.enter_async_context(server) for server in servers))
        ears = Ears()
        numbers = range(1, setting.portals + 1)
        doctors, rooms = await _doctors(stack, synapse, service, numbers, ears)
        groups = {
            side: {number: side.hospital.room(f"case-{number}") for number in numbers}
            for side in Side
            if side.hospital is not None
        }
        colleagues = await _colleagues(stack, prosody, groups, ears)
        config = TellingConfig(
            service,
            synapse.url,
            synapse.server_name,
            await _networks(prosody, dead=setting.dead_network),
            {rooms[number]: _links(number, groups, setting) for number in numbers},
            postgres.url() if postgres else f"sqlite:///{_DISK}/{_DATABASE}",
        )
        disk = await stack.enter_async_context(mounted(directory / "bridge" / _DISK))
        subject = Subject(PipedBridge(directory / "bridge", config), disk)
        await stack.enter_async_context(subject)
        ward = Ward(
            directory, synapse, prosody, postgres, subject, doctors, colleagues, rooms, groups,
            ears, _bot(service, synapse),
        )  # fmt: skip
        await ward.everyone_is_there()
        yield ward


def _bot(service: AppService, synapse: Synapse) -> str:
    return f"@{service.bot}:{synapse.server_name}"


async def _doctors(
    stack: AsyncExitStack, synapse: Synapse, service: AppService, numbers: range, ears: Ears
) -> tuple[Mapping[str, Doctor], Mapping[int, str]]:
    users: dict[str, MatrixUser] = {}
    for person in of_side(Side.MATRIX):
        account = await synapse.register(person.key, PASSWORD, person.name)
        users[person.key] = MatrixUser(synapse.url, account.user_id, account.access_token)
        stack.push_async_callback(users[person.key].close)
    host, *others = users.values()
    bot = _bot(service, synapse)

    async def make(number: int) -> str:
        invited = [bot, *(each.user_id for each in others)]
        room = await host.create_room(f"Case {number}", invite=invited)
        await host.set_power(room, bot, _MODERATOR)
        for each in others:
            await each.join(room)
        return room

    rooms = dict(zip(numbers, await asyncio.gather(*map(make, numbers)), strict=True))
    return {key: Doctor(user, rooms, ears) for key, user in users.items()}, rooms


async def _colleagues(
    stack: AsyncExitStack, prosody: Prosody, groups: Mapping[Side, Mapping[int, str]], ears: Ears
) -> Mapping[str, Colleague]:
    colleagues: dict[str, Colleague] = {}

    async def join(person: Person) -> None:
        jid = f"{person.key}@{_hospital_domain(person.side)}"
        await prosody.add_user(jid, PASSWORD)
        user = XmppUser(jid, PASSWORD, prosody.client_port)
        stack.push_async_callback(user.close)
        one = Colleague(user, person.name, person.side, groups[person.side], ears)
        await (one.come_in() if person is not of_side(person.side)[0] else one.make_rooms())
        colleagues[person.key] = one

    for side in groups:
        for person in of_side(side):
            await join(person)
    return colleagues


def _hospital_domain(side: Side) -> str:
    hospital = side.hospital
    if hospital is None:
        raise ValueError("doctors have no account at a hospital's server")
    return hospital.domain


async def _networks(prosody: Prosody, *, dead: bool) -> dict[str, dict[str, Any]]:
    """A component at the one hospital, an account at the other; one more where nobody listens."""
    account = f"bridge@{HOSPITAL_B.domain}"
    await prosody.add_user(account, PASSWORD)
    networks = component_networks(prosody, [HOSPITAL_A]) | {
        HOSPITAL_B.network: account_network(prosody, account, PASSWORD, HOSPITAL_B.name, LISTENER)
    }
    if dead:
        networks[_DEAD] = {
            "type": "xmpp",
            "name": "Dead",
            "mode": "component",
            "jid": "consilium.dead.test",
            "secret": PASSWORD,
            "host": LOOPBACK,
            "port": free_port(),
        }
    return networks


def _links(
    number: int, groups: Mapping[Side, Mapping[int, str]], setting: Setting
) -> list[tuple[str, str, str]]:
    links = [
        (side.hospital.network, of_portal[number], "both")
        for side, of_portal in groups.items()
        if side.hospital is not None
    ]
    if setting.dead_network:
        links.append((_DEAD, f"case-{number}@muc.dead.test", "both"))
    return links
