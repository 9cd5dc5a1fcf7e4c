"""What the contract kit asks of whoever made an adapter: a network to try it on.

A lab starts a small network of the tests' own, and has a colleague on it who writes there and tells
what is to be seen. It must not use the adapter for that: what the colleague sees is the proof.
"""

import base64
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Final, NoReturn, Self

from bridge.contract import Inlet, Network

NETWORK: Final = "kit"
"""The network's id: what `Lab.network` has to call it."""

_PNG: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@dataclass(frozen=True, slots=True)
class File:
    """A file in memory."""

    name: str
    mime: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Words:
    """What the colleague is to write.

    `emote`: as "/me". `bold`: the whole text is bold. `mention`: call anybody of the network by
    name somewhere in the text. `reply_to`: what `Lab.say` or `Shown.id` called the message that is
    answered. `topic`: the same for the message that began the sub-conversation this goes into.
    """

    text: str
    emote: bool = False
    bold: bool = False
    mention: bool = False
    reply_to: str | None = None
    topic: str | None = None
    file: File | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as the colleague sees it now: with all edits, without what was deleted.

    `id` is what the lab calls it. `author` is the name that stands beside it. `html`: its text with
    formatting, where the network has HTML. `reply_to` and `topic`: the ids of the message that it
    answers, and of the one that began its topic. `mentions`: names of people whom it calls.
    `reactions`: each emoji once.
    """

    id: str
    author: str
    text: str
    html: str = ""
    emote: bool = False
    reply_to: str | None = None
    topic: str | None = None
    mentions: tuple[str, ...] = ()
    reactions: tuple[str, ...] = ()
    file: bytes | None = None


class Lab(ABC):
    """A network, and a colleague on it. Used with `async with`: it starts, and stops in the end.

    `network`, `new_group`, `say`, `shown`, `start` and `stop` are always asked for (`say` and
    `shown` as far as the contract's `receives` and `sends` go), the other methods only for what the
    adapter declares. A test that comes upon one that is missing fails: either the lab lacks it, or
    the adapter declares too much.
    """

    colleague: ClassVar[str] = "Cora"
    """The colleague's name, as the adapter is to report it."""
    emoji: ClassVar[str] = "👍"
    """A reaction that the network has."""
    file: ClassVar[File] = File("x-ray.png", "image/png", _PNG)
    """A file that the network takes."""
    patience: ClassVar[float] = 10.0
    """Seconds that something may take to cross."""

    exact: ClassVar[float] = 0.0
    """Seconds: 1.0 where the network tells the time of a message in whole seconds, so that nobody
    can tell which came first within one.
    """

    # --- the network

    @abstractmethod
    async def start(self) -> None:
        """Start the network, or start it again with all that was there before; harmless where it
        runs already.
        """

    @abstractmethod
    async def stop(self) -> None:
        """Stop it; it can't be reached then. Harmless where it does not run."""

    @abstractmethod
    def network(self, inlet: Inlet) -> Network:
        """Make the adapter, not yet connected, with `NETWORK` for its id."""

    @abstractmethod
    async def new_group(self) -> str:
        """A group that nobody has used, with the colleague in it. Its normalised id."""

    def missing_group(self) -> str:
        """The id of a group that is not there."""
        self._lacks("missing_group")

    # --- what the colleague does

    async def say(self, group: str, words: Words) -> str:  # noqa: ARG002
        """Write; answer what the lab calls the message. The network has it then."""
        self._lacks("say")

    async def edit(self, group: str, ident: str, text: str) -> None:  # noqa: ARG002
        """Change an own message."""
        self._lacks("edit")

    async def delete(self, group: str, ident: str) -> None:  # noqa: ARG002
        """Delete an own message."""
        self._lacks("delete")

    async def moderate(self, group: str, ident: str) -> None:  # noqa: ARG002
        """Delete the colleague's message, as somebody who may delete what others wrote."""
        self._lacks("moderate")

    async def react(
        self, group: str, ident: str, emoji: str, *, gone: bool = False  # noqa: ARG002
    ) -> None:  # fmt: skip
        """Put a reaction on a message, or take it back."""
        self._lacks("react")

    async def begin_to_write(self, group: str) -> None:  # noqa: ARG002
        """Begin to write."""
        self._lacks("begin_to_write")

    async def read(self, group: str, ident: str) -> None:  # noqa: ARG002
        """Show that one has read up to a message."""
        self._lacks("read")

    async def come(self, group: str, name: str) -> None:  # noqa: ARG002
        """Let another colleague of this name come into the group."""
        self._lacks("come")

    async def go(self, group: str, name: str) -> None:  # noqa: ARG002
        """Let that one go again."""
        self._lacks("go")

    async def set_subject(self, group: str, subject: str) -> None:  # noqa: ARG002
        """Give the group another subject."""
        self._lacks("set_subject")

    async def set_title(self, group: str, title: str) -> None:  # noqa: ARG002
        """Give the group another name."""
        self._lacks("set_title")

    async def set_picture(self, group: str, picture: bytes) -> None:  # noqa: ARG002
        """Give the group another picture."""
        self._lacks("set_picture")

    async def set_avatar(self, group: str, picture: bytes) -> None:  # noqa: ARG002
        """Give the colleague another picture, and let the group know."""
        self._lacks("set_avatar")

    # --- what the colleague sees

    async def shown(self, group: str) -> Sequence[Shown]:  # noqa: ARG002
        """All that is to be seen in a group now, in the order in which it is seen."""
        self._lacks("shown")

    async def people(self, group: str) -> Sequence[str]:  # noqa: ARG002
        """The names of those who are present."""
        self._lacks("people")

    async def typing(self, group: str) -> Sequence[str]:  # noqa: ARG002
        """The names of those who write something now."""
        self._lacks("typing")

    async def readers(self, group: str, ident: str) -> Sequence[str]:  # noqa: ARG002
        """The names of those who have read up to a message."""
        self._lacks("readers")

    async def subject(self, group: str) -> str:  # noqa: ARG002
        """The group's subject."""
        self._lacks("subject")

    async def title(self, group: str) -> str:  # noqa: ARG002
        """The group's name."""
        self._lacks("title")

    async def picture(self, group: str) -> bytes:  # noqa: ARG002
        """The group's picture."""
        self._lacks("picture")

    async def avatar(self, group: str, name: str) -> bytes:  # noqa: ARG002
        """The picture of somebody who is present."""
        self._lacks("avatar")

    # ---

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def _lacks(self, what: str) -> NoReturn:
        raise NotImplementedError(
            f"{type(self).__name__}.{what} is wanted: the adapter declares what it is for"
        )
