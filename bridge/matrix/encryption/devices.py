"""Whose devices there are, as far as they are needed: of the people in encrypted rooms.

https://spec.matrix.org/v1.19/client-server-api/#tracking-the-device-list-for-a-user
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy import Connection

from bridge.matrix.client import ActingClient, path_of
from bridge.matrix.encryption.account import OLM
from bridge.matrix.encryption.ledger import Ledger
from bridge.matrix.encryption.signing import is_signed_by
from bridge.matrix.raw import JsonObject, object_at, text_at
from bridge.store import crypto_devices
from bridge.store.crypto_devices import Device, UserRow

log = structlog.get_logger(__name__)

_ASKED_AT_ONCE: Final = 250
_REMOTE_SECONDS: Final = 10


@dataclass(slots=True)
class _User:
    devices: dict[str, Device] = field(default_factory=dict)
    outdated: bool = True
    master_key: str | None = None
    changes: int = 0


class Devices:
    """Everybody's devices, asked for when they are needed and have changed.

    Args:
        bot: asks.
        ledger: keeps them.
    """

    def __init__(self, bot: ActingClient, ledger: Ledger) -> None:
        self._bot = bot
        self._ledger = ledger
        self._users: dict[str, _User] = {}
        self._asking = asyncio.Lock()
        self.version = 0
        """Rises with every change."""

    def load(self, users: Iterable[UserRow], devices: Iterable[Device]) -> None:
        """Take up what was kept."""
        for row in users:
            self._users[row.user_id] = _User({}, row.outdated, row.master_key)
        for device in devices:
            if (user := self._users.get(device.user_id)) is not None:
                user.devices[device.device_id] = device

    def of(self, user_id: str) -> Collection[Device]:
        """The devices of a user, as known."""
        user = self._users.get(user_id)
        return () if user is None else user.devices.values()

    def one(self, user_id: str, device_id: str) -> Device | None:
        """One device, as known."""
        user = self._users.get(user_id)
        return None if user is None else user.devices.get(device_id)

    def by_key(self, user_id: str, curve_key: str) -> Device | None:
        """The device of a user that has this key, as known."""
        return next((each for each in self.of(user_id) if each.curve_key == curve_key), None)

    def changed(self, user_ids: Iterable[str]) -> None:
        """These users' devices have changed, by the homeserver's word."""
        for user_id in user_ids:
            if (user := self._users.get(user_id)) is not None:
                user.changes += 1
                user.outdated = True
                self.version += 1
                self._keep(user_id, user)

    def all_changed(self) -> None:
        """Anybody's devices may have changed."""
        self.changed(list(self._users))

    def left(self, user_ids: Iterable[str]) -> None:
        """The homeserver tells nothing of these users' devices any more."""
        for user_id in user_ids:
            if self._users.pop(user_id, None) is not None:
                self.version += 1
                self._ledger.put(
                    ("user", user_id),
                    lambda connection, gone=user_id: crypto_devices.forget_user(connection, gone),  # type: ignore[misc]
                )

    def up_to_date(self, user_ids: Iterable[str]) -> bool:
        """Whether all devices of these users are known."""
        return all(
            (user := self._users.get(user_id)) is not None and not user.outdated
            for user_id in user_ids
        )

    async def refresh(self, user_ids: Collection[str]) -> None:
        """See to it that the devices of these users are known.

        A homeserver elsewhere that does not answer keeps nobody waiting for long: then what was
        known of its users before is all there is, and it is asked again the next time.

        Raises:
            Denied: the homeserver won't tell.
            Unreachable: it can't now.
        """
        if self.up_to_date(user_ids):
            return
        async with self._asking:
            wanted = [user_id for user_id in user_ids if not self.up_to_date([user_id])]
            for start in range(0, len(wanted), _ASKED_AT_ONCE):
                await self._ask(wanted[start : start + _ASKED_AT_ONCE])

    async def _ask(self, user_ids: Sequence[str]) -> None:
        users = {user_id: self._users.setdefault(user_id, _User()) for user_id in user_ids}
        changes = {user_id: user.changes for user_id, user in users.items()}
        body = {
            "device_keys": {user_id: [] for user_id in user_ids},
            "timeout": _REMOTE_SECONDS * 1000,
        }
        answer = await self._bot.call("POST", path_of("keys", "query"), body)
        away = object_at(answer, "failures")
        for user_id, user in users.items():
            if user_id.partition(":")[2] in away:
                log.info("devices_not_known", user_id=user_id)
                continue
            if user_id in object_at(answer, "device_keys"):
                self._take(user_id, user, answer)
            user.outdated = user.changes != changes[user_id]
            self._keep(user_id, user)

    def _take(self, user_id: str, user: _User, answer: JsonObject) -> None:
        master, self_signing = _identity(user_id, answer)
        if user.master_key not in {None, master}:
            log.warning("identity_changed", user_id=user_id)
        user.master_key = master or user.master_key
        listed = object_at(object_at(answer, "device_keys"), user_id)
        found: dict[str, Device] = {}
        for device_id in listed:
            device = _device(user_id, device_id, object_at(listed, device_id), self_signing)
            before = user.devices.get(device_id)
            if before is not None and (device is None or device.signing_key != before.signing_key):
                # A device's own key never changes: this is another that pretends to be it
                log.warning("device_key_changed", user_id=user_id, device_id=device_id)
                device = before
            if device is not None:
                found[device_id] = device
        if found != user.devices:
            user.devices = found
            self.version += 1

    def _keep(self, user_id: str, user: _User) -> None:
        row = UserRow(user_id, user.outdated, user.master_key)
        devices = list(user.devices.values())

        def write(connection: Connection) -> None:
            crypto_devices.save_user(connection, row)
            crypto_devices.save_devices(connection, user_id, devices)

        self._ledger.put(("user", user_id), write)


def _identity(user_id: str, answer: JsonObject) -> tuple[str | None, str | None]:
    """A user's master key, and the key for devices if the master key has signed it."""
    masters, selves = object_at(answer, "master_keys"), object_at(answer, "self_signing_keys")
    master = _only_key(object_at(masters, user_id), user_id, "master")
    signed = object_at(selves, user_id)
    own = _only_key(signed, user_id, "self_signing")
    if master is None or own is None or not is_signed_by(signed, user_id, master, master):
        return master, None
    return master, own


def _only_key(found: JsonObject, user_id: str, usage: str) -> str | None:
    usages = found.get("usage")
    keys: Mapping[str, object] = object_at(found, "keys")
    if found.get("user_id") != user_id or not isinstance(usages, list) or usage not in usages:
        return None
    values = list(keys.items())
    if len(values) != 1:
        return None
    name, value = values[0]
    return value if isinstance(value, str) and name == f"ed25519:{value}" else None


def _device(
    user_id: str, device_id: str, found: JsonObject, self_signing: str | None
) -> Device | None:
    """A device, if its own signature and all its claims hold."""
    keys = object_at(found, "keys")
    curve_key = text_at(keys, f"curve25519:{device_id}")
    signing_key = text_at(keys, f"ed25519:{device_id}")
    if (found.get("user_id"), found.get("device_id")) != (user_id, device_id):
        return None
    if not curve_key or not is_signed_by(found, user_id, device_id, signing_key):
        return None
    algorithms = found.get("algorithms")
    return Device(
        user_id,
        device_id,
        curve_key,
        signing_key,
        self_signing is not None and is_signed_by(found, user_id, self_signing, self_signing),
        isinstance(algorithms, list) and OLM in algorithms,
    )
