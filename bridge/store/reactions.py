"""Who has put which reactions on which message, as it stands now."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select

from bridge.store.tables import reactions


@dataclass(frozen=True, slots=True)
class StandingReaction:
    """One reaction. `place_id` is where it was made, `reaction_id` its own number."""

    network: str
    author_id: str
    emoji: str
    place_id: int
    reaction_id: int


_STANDING = (
    select(
        reactions.c.network,
        reactions.c.author_id,
        reactions.c.emoji,
        reactions.c.place_id,
        reactions.c.reaction_id,
    )
    .where(reactions.c.message_id == bindparam("one"))
    .order_by(reactions.c.reaction_id)
)


def standing(connection: Connection, message_id: int) -> list[StandingReaction]:
    """All reactions on a message, in the order in which they were made."""
    return [StandingReaction(*row) for row in connection.execute(_STANDING, {"one": message_id})]


def add(connection: Connection, message_id: int, reaction: StandingReaction) -> None:
    """Put a reaction on a message."""
    connection.execute(
        insert(reactions),
        {
            "message_id": message_id,
            "network": reaction.network,
            "author_id": reaction.author_id,
            "emoji": reaction.emoji,
            "place_id": reaction.place_id,
            "reaction_id": reaction.reaction_id,
        },
    )


def remove(connection: Connection, message_id: int, reaction_id: int) -> bool:
    """Take a reaction away; False if it was not there."""
    gone = connection.execute(
        delete(reactions).where(
            reactions.c.message_id == message_id, reactions.c.reaction_id == reaction_id
        )
    )
    return gone.rowcount > 0


def remove_all(connection: Connection, message_id: int) -> None:
    """Take all reactions from a message."""
    connection.execute(delete(reactions).where(reactions.c.message_id == message_id))
