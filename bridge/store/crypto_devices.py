"""The devices of others, the devices of ghosts, and which rooms are encrypted."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from bridge.store.crypto_tables import crypto_devices, crypto_ghosts, crypto_rooms, crypto_users


@dataclass(frozen=True, slots=True)
class Device:
    """A device, by its own signature; `cross_signed` if its user has signed it, too.

    `olm` if it can be sent keys.
    """

    user_id: str
    device_id: str
    curve_key: str
    signing_key: str
    cross_signed: bool
    olm: bool


@dataclass(frozen=True, slots=True)
class UserRow:
    """Somebody whose devices are followed."""

    user_id: str
    outdated: bool
    master_key: str | None


@dataclass(frozen=True, slots=True)
class RoomRow:
    """An encrypted room: after how long and how many messages a session is changed, and the
    notice in it about messages that could not be read.
    """

    room_id: str
    rotation_ms: int
    rotation_messages: int
    notice_id: str | None = None
    notice_revision: int = 0


_device = crypto_devices.c
_room = crypto_rooms.c


def load_devices(connection: Connection) -> list[Device]:
    """All devices."""
    query = select(
        _device.user_id,
        _device.device_id,
        _device.curve_key,
        _device.signing_key,
        _device.cross_signed,
        _device.olm,
    )
    return [Device(*row) for row in connection.execute(query)]


def load_users(connection: Connection) -> list[UserRow]:
    """All users whose devices are followed."""
    users = crypto_users.c
    query = select(users.user_id, users.outdated, users.master_key)
    return [UserRow(*row) for row in connection.execute(query)]


def save_user(connection: Connection, row: UserRow) -> None:
    """Keep what is known of a user."""
    connection.execute(delete(crypto_users).where(crypto_users.c.user_id == row.user_id))
    connection.execute(
        insert(crypto_users).values(
            user_id=row.user_id, outdated=row.outdated, master_key=row.master_key
        )
    )


def save_devices(connection: Connection, user_id: str, devices: Iterable[Device]) -> None:
    """Keep the devices of a user, instead of those there were."""
    connection.execute(delete(crypto_devices).where(_device.user_id == user_id))
    values = [
        {
            "user_id": each.user_id,
            "device_id": each.device_id,
            "curve_key": each.curve_key,
            "signing_key": each.signing_key,
            "cross_signed": each.cross_signed,
            "olm": each.olm,
        }
        for each in devices
    ]
    if values:
        connection.execute(insert(crypto_devices), values)


def forget_user(connection: Connection, user_id: str) -> None:
    """Follow a user no longer."""
    connection.execute(delete(crypto_devices).where(_device.user_id == user_id))
    connection.execute(delete(crypto_users).where(crypto_users.c.user_id == user_id))


def ghost_device(connection: Connection, user_id: str) -> str | None:
    """The id of a ghost's device, None if it has none that is known."""
    ghosts = crypto_ghosts.c
    found: str | None = connection.scalar(select(ghosts.device_id).where(ghosts.user_id == user_id))
    return found


def save_ghost_device(connection: Connection, user_id: str, device_id: str) -> None:
    """Keep the id of a ghost's device."""
    connection.execute(delete(crypto_ghosts).where(crypto_ghosts.c.user_id == user_id))
    connection.execute(insert(crypto_ghosts).values(user_id=user_id, device_id=device_id))


def load_rooms(connection: Connection) -> list[RoomRow]:
    """All rooms that are known to be encrypted."""
    query = select(
        _room.room_id,
        _room.rotation_ms,
        _room.rotation_messages,
        _room.notice_id,
        _room.notice_revision,
    )
    return [RoomRow(*row) for row in connection.execute(query)]


def save_room(connection: Connection, row: RoomRow) -> None:
    """Keep that a room is encrypted."""
    changed = connection.execute(
        update(crypto_rooms)
        .where(_room.room_id == row.room_id)
        .values(
            rotation_ms=row.rotation_ms,
            rotation_messages=row.rotation_messages,
            notice_id=row.notice_id,
            notice_revision=row.notice_revision,
        )
    )
    if not changed.rowcount:
        connection.execute(
            insert(crypto_rooms).values(
                room_id=row.room_id,
                rotation_ms=row.rotation_ms,
                rotation_messages=row.rotation_messages,
                notice_id=row.notice_id,
                notice_revision=row.notice_revision,
            )
        )
