"""Single values of encryption, by name."""

from sqlalchemy import Connection, delete, insert, select

from bridge.store.crypto_tables import crypto_values


def load(connection: Connection) -> dict[str, bytes]:
    """All of them."""
    rows = connection.execute(select(crypto_values.c.key, crypto_values.c.value))
    return {key: bytes(value) for key, value in rows}


def save(connection: Connection, key: str, value: bytes) -> None:
    """Keep a value, instead of what there was."""
    connection.execute(delete(crypto_values).where(crypto_values.c.key == key))
    connection.execute(insert(crypto_values).values(key=key, value=value))


def save_new(connection: Connection, values: dict[str, bytes]) -> None:
    """Keep values that are not there yet; the rest is left as it is."""
    there = set(connection.scalars(select(crypto_values.c.key)))
    for key, value in values.items():
        if key not in there:
            connection.execute(insert(crypto_values).values(key=key, value=value))
