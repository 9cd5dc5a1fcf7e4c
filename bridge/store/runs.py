"""Whether the last run ended in order, so that nothing is in doubt."""

from sqlalchemy import Connection, delete, insert, select

from bridge.store.tables import meta

_KEY = "running"


def begin(connection: Connection) -> bool:
    """Note that a run begins. True if the last one did not end in order."""
    if connection.scalar(select(meta.c.value).where(meta.c.key == _KEY)) is not None:
        return True
    connection.execute(insert(meta).values(key=_KEY, value="1"))
    return False


def end(connection: Connection) -> None:
    """Note that this run ends in order: every outcome is written down."""
    connection.execute(delete(meta).where(meta.c.key == _KEY))
