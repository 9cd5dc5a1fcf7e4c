"""Gives the sessions of own speakers to those who may read: the devices of the room's people.

https://spec.matrix.org/v1.19/client-server-api/#mroom_key
"""

import asyncio
from collections.abc import Iterable
from dataclasses import asdict
from enum import StrEnum
from typing import Final

import orjson
import structlog

from bridge.matrix.client import ActingClient
from bridge.matrix.encryption.account import MEGOLM, Account
from bridge.matrix.encryption.claims import Claims
from bridge.matrix.encryption.devices import Devices
from bridge.matrix.encryption.ledger import Ledger, Write
from bridge.matrix.encryption.outbound import DeviceId, OwnSession, OwnSessions
from bridge.matrix.encryption.pairwise import Pairwise
from bridge.matrix.encryption.personas import Personas
from bridge.matrix.encryption.rooms import EncryptedRooms, Room
from bridge.matrix.encryption.to_device import send_to_devices
from bridge.matrix.encryption.vault import Vault
from bridge.matrix.raw import JsonObject, text_at
from bridge.store import crypto_sessions
from bridge.store.crypto_devices import Device

log = structlog.get_logger(__name__)


class Withheld(StrEnum):
    """Why a device is not given a key, https://spec.matrix.org/v1.19/client-server-api/#mroom_keywithheld."""

    UNVERIFIED = "m.unverified"
    NO_OLM = "m.no_olm"


_REASONS: Final = {
    Withheld.UNVERIFIED: "The bridge sends keys to verified devices only.",
    Withheld.NO_OLM: "The bridge could not establish a secure channel with this device.",
}


class Recipients:
    """Who may read, and who may not: by the devices of the people in a room.

    Args:
        devices: everybody's devices.
        signed_only: whether only devices count that their users have cross-signed.
    """

    def __init__(self, devices: Devices, *, signed_only: bool) -> None:
        self._devices = devices
        self._signed_only = signed_only

    def among(self, user_ids: Iterable[str]) -> tuple[list[Device], list[Device]]:
        """The devices that may read, and those that are kept from it."""
        can: list[Device] = []
        may_not: list[Device] = []
        for user_id in user_ids:
            for device in self._devices.of(user_id):
                if device.olm:
                    (can if self.may(device) else may_not).append(device)
        return can, may_not

    def may(self, device: Device) -> bool:
        """Whether a device of somebody in the room may read."""
        return device.cross_signed or not self._signed_only


class Sharing:
    """Has the session ready with which somebody speaks in a room."""

    def __init__(  # noqa: PLR0913, PLR0917 - sharing is where all of these meet
        self,
        bot: ActingClient,
        account: Account,
        personas: Personas,
        rooms: EncryptedRooms,
        devices: Devices,
        recipients: Recipients,
        claims: Claims,
        pairwise: Pairwise,
        vault: Vault,
        ledger: Ledger,
    ) -> None:
        self._bot = bot
        self._account = account
        self._personas = personas
        self._rooms = rooms
        self._devices = devices
        self._recipients = recipients
        self._claims = claims
        self._pairwise = pairwise
        self._vault = vault
        self._ledger = ledger
        self._sessions = OwnSessions()
        self._turns: dict[tuple[str, str], asyncio.Lock] = {}

    async def ready(self, room: Room, sender: str) -> OwnSession:
        """The session of a speaker in a room, when all who may read have it.

        Nothing may be awaited between this and its use.

        Raises:
            Denied: the homeserver won't have it.
            Unreachable: not now.
            StoreError: the database failed.
        """
        session = self._sessions.get(room, sender)
        if session is not None and session.settled == (room.version, self._devices.version):
            return session
        key = (room.id, sender)
        async with self._turns.setdefault(key, asyncio.Lock()):
            while True:
                now = (room.version, self._devices.version)
                session = self._sessions.get(room, sender)
                if session is not None and session.settled == now:
                    return session
                await self._settle(room, sender)

    async def _settle(self, room: Room, sender: str) -> None:
        members = await self._rooms.members(room)
        await self._devices.refresh(members)
        keys = await self._personas.ready(sender)
        now = (room.version, self._devices.version)
        can, may_not = self._recipients.among(members)
        present = {_id(each): each.curve_key for each in can}
        session = self._sessions.get(room, sender)
        if session is not None and session.lost(room, present):
            self._sessions.drop(session)
            session = None
        session = session or self._sessions.begin(room, sender)
        missing = [each for each in can if _id(each) not in session.shared]
        await self._claims.begin(missing)
        reached = [each for each in missing if self._pairwise.knows(each.curve_key)]
        client = self._bot.acting_as(sender)
        if reached:
            await self._share(client, session, keys, reached)
        await self._withhold(client, session, Withheld.UNVERIFIED, may_not)
        deaf = [each for each in missing if _id(each) not in session.shared]
        await self._withhold(client, session, Withheld.NO_OLM, deaf)
        session.settled = now

    async def _share(
        self, client: ActingClient, session: OwnSession, keys: JsonObject, devices: list[Device]
    ) -> None:
        content = {
            "algorithm": MEGOLM,
            "room_id": session.room_id,
            "session_id": session.id,
            "session_key": session.ratchet.session_key.to_base64(),
        }
        sealed = {
            _id(each): self._pairwise.encrypt(each, keys, "m.room_key", content) for each in devices
        }
        given = {_id(each): each.curve_key for each in devices}
        self._keep(session, given)
        await self._ledger.commit()
        await send_to_devices(client, "m.room.encrypted", sealed)
        session.given(given)
        log.debug(
            "room_key_shared", room=session.room_id, sender=session.sender, devices=len(devices)
        )

    async def _withhold(
        self,
        client: ActingClient,
        session: OwnSession,
        code: Withheld,
        devices: Iterable[Device],
    ) -> None:
        """Tell devices, once, that they don't get a key, so that they can say so."""
        fresh = [each for each in devices if _id(each) not in session.withheld]
        if not fresh:
            return
        content = {
            "algorithm": MEGOLM,
            "room_id": session.room_id,
            "session_id": session.id,
            "sender_key": self._account.curve_key,
            "code": code.value,
            "reason": _REASONS[code],
        }
        await send_to_devices(client, "m.room_key.withheld", {_id(each): content for each in fresh})
        session.withheld.update(_id(each) for each in fresh)

    def _keep(self, session: OwnSession, given: dict[DeviceId, str]) -> None:
        """Write down who is about to be given it: by that, later requests are answered."""
        index, key = session.ratchet.message_index, session.ratchet.session_key.to_base64()
        shares = [
            *(asdict(each) for each in session.shares),
            {"index": index, "key": key, "devices": list(given)},
        ]

        def prepare() -> Write:
            sealed = self._vault.seal(orjson.dumps(shares))
            return lambda connection: crypto_sessions.save_own(
                connection,
                session_id=session.id,
                room_id=session.room_id,
                sender=session.sender,
                shares=sealed,
                created_at=session.created_at,
            )

        self._ledger.note(("own", session.id), prepare)


def _id(device: Device) -> DeviceId:
    return device.user_id, device.device_id


def device_id_of(keys: JsonObject) -> str:
    """The device that signed device keys are those of."""
    return text_at(keys, "device_id")
