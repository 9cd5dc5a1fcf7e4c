"""The inlet of the kit: remembers what an adapter hands over, and what it did amiss."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from bridge.contract import Capabilities, Feature, Health, Level, Missed, Picture
from bridge.model import (
    Author,
    Deleted,
    Edited,
    Event,
    Joined,
    Left,
    Message,
    PictureChanged,
    Reacted,
    Reactions,
    Read,
    Renamed,
    Roster,
    Signal,
    SubjectChanged,
    TitleChanged,
)
from bridge.testing.lab import NETWORK

T = TypeVar("T")

_OF_EVENTS: Mapping[type, Feature] = {
    Edited: Feature.EDIT,
    Reacted: Feature.REACTION,
    Reactions: Feature.REACTION,
    Joined: Feature.MEMBERSHIP,
    Left: Feature.MEMBERSHIP,
    Renamed: Feature.MEMBERSHIP,
    SubjectChanged: Feature.SUBJECT,
    TitleChanged: Feature.TITLE,
    PictureChanged: Feature.PICTURE,
}


@dataclass
class Store:
    """What the core keeps over restarts.

    `own`: all keys under which something was sent by any run, with the name it was shown under.
    `copies`: the ids of what was sent, with the time at which it was said.
    `pictures`: what people look like, by `Author.avatar`.
    """

    own: dict[str, str | None] = field(default_factory=dict)
    copies: dict[str, datetime] = field(default_factory=dict)
    pictures: dict[str, Picture] = field(default_factory=dict)


class Ears:
    """Implements `bridge.contract.Inlet`.

    Args:
        declared: what the adapter says that it hears.
        store: what is kept over restarts.
    """

    def __init__(self, declared: Capabilities, store: Store) -> None:
        self.events: list[Event] = []
        self.healths: list[Health] = []
        self.gaps: list[Missed] = []
        self.signals: list[Signal] = []
        self.problems: list[str] = []
        """What the adapter did against the contract, in words."""
        self._declared = declared
        self._store = store

    # --- bridge.contract.Inlet

    async def receive(self, events: Sequence[Event]) -> None:
        """Remember them."""
        for event in events:
            self.problems += _problems(event, self._declared)
            self.events.append(event)

    def health(self, health: Health) -> None:
        """Remember it."""
        if not health.up and not health.reason.strip():
            self.problems.append(f"{health} has no reason for people")
        self.healths.append(health)

    async def recorded(self, group: str, ids: Collection[str]) -> Mapping[str, datetime]:  # noqa: ARG002
        """Which of these are copies that were made, and when it was said where it comes from."""
        return {ident: self._store.copies[ident] for ident in ids if ident in self._store.copies}

    async def sent(self, group: str, keys: Collection[str]) -> Mapping[str, str | None]:  # noqa: ARG002
        """Which of these are own keys."""
        return {key: self._store.own[key] for key in keys if key in self._store.own}

    def missed(self, missed: Missed) -> None:
        """Remember it."""
        self.gaps.append(missed)

    def signal(self, signal: Signal) -> None:
        """Remember it."""
        feature = Feature.READ if isinstance(signal, Read) else Feature.TYPING
        self.problems += _undeclared(feature, self._declared)
        self.signals.append(signal)

    async def avatar(self, author: Author) -> Picture | None:
        """What somebody looks like."""
        return self._store.pictures.get(author.avatar or "")

    # --- what the tests ask

    def of(self, kind: type[T], group: str) -> list[T]:
        """What happened in a group, of one kind."""
        return [
            event for event in self.events if isinstance(event, kind) and event.place.id == group
        ]

    def texts(self, group: str) -> list[str]:
        """What was said in a group."""
        return [message.text for message in self.of(Message, group)]

    def state(self, group: str | None) -> Health | None:
        """What was last said of the network's health (None), or of a group's."""
        return next((each for each in reversed(self.healths) if each.group == group), None)


def _problems(event: Event, declared: Capabilities) -> Iterator[str]:
    if event.place.network != NETWORK:
        yield f"{event.place} is not on the network {NETWORK!r}"
    if event.time.utcoffset() != timedelta(0):
        yield f"{event.time!r} is no aware time in UTC"
    authors = event.authors if isinstance(event, Roster) else (event.author,)
    for author in authors:
        if author.network != NETWORK or not author.id:
            yield f"{author} has no id on the network {NETWORK!r}"
    for feature in _features(event):
        yield from _undeclared(feature, declared)


def _features(event: Event) -> Iterator[Feature]:
    """What an adapter has to declare to hand this over."""
    match event:
        case Message():
            yield from _of_message(event)
        case Deleted():
            yield Feature.MODERATION if event.moderated else Feature.DELETE
        case Roster():
            if event.authors:
                yield Feature.MEMBERSHIP
        case _:
            yield _OF_EVENTS[type(event)]


def _of_message(message: Message) -> Iterator[Feature]:
    parts: Mapping[Feature, object] = {
        Feature.EMOTE: message.emote,
        Feature.FILE: message.attachments,
        Feature.REPLY: message.reply_to,
        Feature.TOPIC: message.topic,
        Feature.MENTION: message.mentions,
        Feature.HISTORY: message.old,
    }
    return (feature for feature, there in parts.items() if there)


def _undeclared(feature: Feature, declared: Capabilities) -> Iterator[str]:
    if declared.hearing(feature) is Level.REFUSED:
        yield f"{feature.value} are handed over, and not declared in `hears`"
