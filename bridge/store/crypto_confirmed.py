"""Which links of encrypted rooms an admin has confirmed."""

from collections.abc import Iterable

from sqlalchemy import Connection, delete, insert, select

from bridge.clock import now_ms
from bridge.model import Place
from bridge.store.crypto_tables import crypto_confirmed

_column = crypto_confirmed.c


def has(connection: Connection, room_id: str, place: Place) -> bool:
    """Whether what is said in an encrypted room may go to a place."""
    found = connection.scalar(
        select(_column.confirmed_at).where(
            _column.room_id == room_id,
            _column.network == place.network,
            _column.ident == place.id,
        )
    )
    return found is not None


def confirm(connection: Connection, room_id: str, places: Iterable[Place], by: str) -> None:
    """From now on it may."""
    for place in places:
        connection.execute(
            delete(crypto_confirmed).where(
                _column.room_id == room_id,
                _column.network == place.network,
                _column.ident == place.id,
            )
        )
        connection.execute(
            insert(crypto_confirmed).values(
                room_id=room_id,
                network=place.network,
                ident=place.id,
                confirmed_by=by,
                confirmed_at=now_ms(),
            )
        )
