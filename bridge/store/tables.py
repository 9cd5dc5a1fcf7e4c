"""The tables. Times are whole milliseconds since the Unix epoch; ids of `inbox` and `deliveries`
are given out by the bridge itself, rising, so that they also tell the order.

A portal's `room_name` is what the configuration calls its room (an id or an alias); its
`place_id` is empty until that alias was first resolved. `heard_from` of a portal and of a link is
since when that place is listened to, `heard_until` until when everything said there is known; both
are empty while it was never listened to.

A row of `inbox` that changes another has that one's id in `target_id`; so has a reply that of the
message it answers. A reaction that was taken back has that of the reaction. `topic_id` is the id of
the message that began the topic. What was deleted keeps its row, but not its words.

`copies.part` counts the pieces of a long text from 0; `ALIAS` marks a further name of a copy.
`ADDED` and `GONE` tell what an edit did beside changing pieces.
"""

from enum import IntEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


ALIAS = -1
"""Stands in `copies.part` for a further name, under which a place may speak of a copy."""

ADDED = 10_000
"""Is added to `copies.part` of what an edit has sent as a message of its own: the end of a text
that has become longer, or the whole one where nothing can be changed.
"""

GONE = 20_000
"""Is added to `copies.part` of an edit where it has deleted the part of that number."""


class DeliveryState(IntEnum):
    """Where a delivery stands. Everything but `PENDING` is final, until someone retries it."""

    PENDING = 0
    DONE = 1
    FAILED = 2


class InboxState(IntEnum):
    """Whether an event was relayed, could not be understood and is kept, or was deleted."""

    RELAYED = 1
    UNREADABLE = 2
    DELETED = 3


meta = Table(
    "meta",
    metadata,
    Column("key", String(50), primary_key=True),
    Column("value", Text, nullable=False),
)

places = Table(
    "places",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("network", String(40), nullable=False),
    Column("ident", Text, nullable=False),
    UniqueConstraint("network", "ident"),
)

portals = Table(
    "portals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("place_id", ForeignKey("places.id"), unique=True),
    Column("room_name", Text),
    Column("from_config", Boolean, nullable=False),
    Column("heard_from", BigInteger),
    Column("heard_until", BigInteger),
    UniqueConstraint("room_name"),
)

links = Table(
    "links",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("portal_id", ForeignKey("portals.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("place_id", ForeignKey("places.id"), nullable=False, unique=True),
    Column("direction", String(10), nullable=False),
    Column("from_config", Boolean, nullable=False),
    Column("heard_from", BigInteger),
    Column("heard_until", BigInteger),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("place_id", Integer, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("error", Text),
    Column("target_id", BigInteger),
    Column("topic_id", BigInteger),
    Index(
        "ix_inbox_target_id",
        "target_id",
        sqlite_where=text("target_id IS NOT NULL"),
        postgresql_where=text("target_id IS NOT NULL"),
    ),
    Index(
        "ix_inbox_messages",
        "place_id",
        "id",
        sqlite_where=text("kind = 'message'"),
        postgresql_where=text("kind = 'message'"),
    ),
)

copies = Table(
    "copies",
    metadata,
    Column("place_id", Integer, primary_key=True, autoincrement=False),
    Column("remote_id", Text, primary_key=True),
    Column("message_id", BigInteger, nullable=False, index=True),
    Column("part", SmallInteger, nullable=False, server_default=text("0")),
    sqlite_with_rowid=False,
)

topics = Table(
    "topics",
    metadata,
    Column("place_id", Integer, primary_key=True, autoincrement=False),
    Column("remote_id", Text, primary_key=True),
    Column("message_id", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)

reactions = Table(
    "reactions",
    metadata,
    Column("message_id", BigInteger, primary_key=True, autoincrement=False),
    Column("network", String(40), primary_key=True),
    Column("author_id", Text, primary_key=True),
    Column("emoji", Text, primary_key=True),
    Column("place_id", Integer, nullable=False),
    Column("reaction_id", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("message_id", BigInteger, nullable=False, index=True),
    Column("place_id", Integer, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try", BigInteger, nullable=False),
    Column("last_error", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Index(
        "ix_deliveries_pending",
        "place_id",
        "id",
        sqlite_where=text("state = 0"),
        postgresql_where=text("state = 0"),
    ),
    Index(
        "ix_deliveries_failed",
        "place_id",
        "id",
        sqlite_where=text("state = 2"),
        postgresql_where=text("state = 2"),
    ),
)

notices = Table(
    "notices",
    metadata,
    Column("message_id", BigInteger, primary_key=True, autoincrement=False),
    Column("place_id", Integer, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("mark_text", Text),
    Column("mark_about", Text),
    Column("mark_id", Text),
    Column("notice_text", Text),
    Column("notice_id", Text, index=True),
    Column("reported", String(20)),
    Index(
        "ix_notices_open", "message_id", sqlite_where=text("open"), postgresql_where=text("open")
    ),
)

room_notices = Table(
    "room_notices",
    metadata,
    Column("place_id", Integer, primary_key=True, autoincrement=False),
    Column("subject", String(80), primary_key=True),
    Column("state", SmallInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("event_id", Text),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger),
    sqlite_with_rowid=False,
)

members = Table(
    "members",
    metadata,
    Column("place_id", Integer, primary_key=True, autoincrement=False),
    Column("network", String(40), primary_key=True),
    Column("author_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("avatar", Text),
    sqlite_with_rowid=False,
)

ghosts = Table(
    "ghosts",
    metadata,
    Column("user_id", String(255), primary_key=True),
    Column("network", String(40), nullable=False),
    Column("author_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("avatar", Text),
    sqlite_with_rowid=False,
)

ghost_rooms = Table(
    "ghost_rooms",
    metadata,
    Column("user_id", String(255), primary_key=True),
    Column("room_id", String(255), primary_key=True),
    sqlite_with_rowid=False,
)
