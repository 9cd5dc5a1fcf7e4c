"""What mailing lists can show, and what is heard of them."""

from typing import Final

from bridge.contract import Capabilities, Dialect, Feature, Level

_MAX_TEXT: Final = 200_000
_NOTES: Final = {
    Feature.EDIT: "a mail can't be changed: the new text follows as another one",
    Feature.DELETE: "a mail can't be taken back once it is sent",
    Feature.REACTION: "everyone on the list would get a mail for each",
    Feature.TOPIC: "a mail thread",
    Feature.HISTORY: "as far as the mailbox has it",
    Feature.FILE: "many lists hold mails with files back, or take small ones only",
}


def capabilities_of(max_file: int) -> Capabilities:
    """All lists are alike; `max_file` in bytes."""
    return Capabilities(
        own_names=True,
        max_text=_MAX_TEXT,
        knows_own_copies=True,
        dialect=Dialect.MAIL,
        shows={
            Feature.FORMATTING: Level.FULL,
            Feature.REPLY: Level.FULL,
            Feature.TOPIC: Level.FULL,
            Feature.FILE: Level.FULL,
            Feature.NAME: Level.FULL,
            Feature.REACTION: Level.REFUSED,
            Feature.DELETE: Level.REFUSED,
        },
        hears={
            Feature.FORMATTING: Level.FULL,
            Feature.REPLY: Level.FULL,
            Feature.TOPIC: Level.FULL,
            Feature.FILE: Level.FULL,
            Feature.NAME: Level.FULL,
            Feature.HISTORY: Level.PARTLY,
        },
        notes=_NOTES,
        captions=True,
        max_file=max_file,
    )
