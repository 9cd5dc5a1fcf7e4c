"""Whether the last run ended in order, so that nothing is in doubt; and when this one was alive."""

from sqlalchemy import Connection, delete, insert, select, update

from bridge.clock import now_ms
from bridge.store.tables import meta

_KEY = "running"
_ALIVE = "alive"


def begin(connection: Connection) -> bool:
    """Note that a run begins. True if the last one did not end in order."""
    if connection.scalar(select(meta.c.value).where(meta.c.key == _KEY)) is not None:
        return True
    connection.execute(insert(meta).values(key=_KEY, value="1"))
    return False


def end(connection: Connection) -> None:
    """Note that this run ends in order: every outcome is written down."""
    connection.execute(delete(meta).where(meta.c.key == _KEY))


def alive(connection: Connection) -> None:
    """Note the time, for no other purpose than to see whether the database can be written."""
    now = str(now_ms())
    noted = connection.execute(update(meta).where(meta.c.key == _ALIVE).values(value=now))
    if noted.rowcount == 0:
        connection.execute(insert(meta).values(key=_ALIVE, value=now))
