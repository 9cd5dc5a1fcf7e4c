"""The tables of encryption. Whatever a thief of the database must not read is sealed with a key
that is kept outside of it: see `bridge.matrix.encryption.vault`.

`crypto_values` holds what there is one of: the device, the account, where the feed has come to.
`outdated` marks users whose devices have to be asked for again. A row of `crypto_own_sessions`
tells to which devices an own Megolm session was given. `crypto_waiting` holds events that came
before their keys, and, for a moment, what came after them in their rooms.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
)

from bridge.store.tables import metadata as all_tables

metadata = all_tables
"""All tables there are: these are the last ones."""

crypto_values = Table(
    "crypto_values",
    metadata,
    Column("key", String(50), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

crypto_olm_sessions = Table(
    "crypto_olm_sessions",
    metadata,
    Column("session_id", String(64), primary_key=True),
    Column("curve_key", String(64), nullable=False, index=True),
    Column("pickle", Text, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

crypto_group_sessions = Table(
    "crypto_group_sessions",
    metadata,
    Column("room_id", String(255), primary_key=True),
    Column("session_id", String(64), primary_key=True),
    Column("sender", String(255), nullable=False),
    Column("curve_key", String(64), nullable=False),
    Column("signing_key", String(64), nullable=False),
    Column("pickle", Text, nullable=False),
    Column("forwarded", Boolean, nullable=False),
    Column("first_index", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

crypto_own_sessions = Table(
    "crypto_own_sessions",
    metadata,
    Column("session_id", String(64), primary_key=True),
    Column("room_id", String(255), nullable=False),
    Column("sender", String(255), nullable=False),
    Column("shares", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)

crypto_users = Table(
    "crypto_users",
    metadata,
    Column("user_id", String(255), primary_key=True),
    Column("outdated", Boolean, nullable=False),
    Column("master_key", String(64)),
    sqlite_with_rowid=False,
)

crypto_devices = Table(
    "crypto_devices",
    metadata,
    Column("user_id", String(255), primary_key=True),
    Column("device_id", String(255), primary_key=True),
    Column("curve_key", String(64), nullable=False),
    Column("signing_key", String(64), nullable=False),
    Column("cross_signed", Boolean, nullable=False),
    Column("olm", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

crypto_ghosts = Table(
    "crypto_ghosts",
    metadata,
    Column("user_id", String(255), primary_key=True),
    Column("device_id", String(64), nullable=False),
    sqlite_with_rowid=False,
)

crypto_rooms = Table(
    "crypto_rooms",
    metadata,
    Column("room_id", String(255), primary_key=True),
    Column("rotation_ms", BigInteger, nullable=False),
    Column("rotation_messages", Integer, nullable=False),
    Column("notice_id", Text),
    Column("notice_revision", Integer, nullable=False),
    sqlite_with_rowid=False,
)

crypto_waiting = Table(
    "crypto_waiting",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("room_id", String(255), nullable=False),
    Column("event_id", Text, nullable=False, unique=True),
    Column("session_id", String(64)),
    Column("payload", LargeBinary, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("reason", Text),
    Column("since", BigInteger, nullable=False),
    Index("ix_crypto_waiting_session", "room_id", "session_id"),
)

crypto_confirmed = Table(
    "crypto_confirmed",
    metadata,
    Column("room_id", String(255), primary_key=True),
    Column("network", String(40), primary_key=True),
    Column("ident", Text, primary_key=True),
    Column("confirmed_by", String(255), nullable=False),
    Column("confirmed_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
