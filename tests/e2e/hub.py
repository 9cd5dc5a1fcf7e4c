"""One Matrix room with two XMPP rooms, a mailing list, a forum's category and a feed, and what each
of these places shows.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bridge_runs import Site
from discourse_stand_in import KEY, SECRET, Forum, Written, forum

from sandbox.bridge import Bridge, component_networks
from sandbox.feed_site import FeedSite
from sandbox.mailing_list import ListMail, MailingList
from sandbox.matrix_user import MatrixEvent
from sandbox.meeting import MATRIX_ROOM, Meeting
from sandbox.ports import LOOPBACK, free_port
from sandbox.staff import ALICE, CHIARA, DMITRI
from sandbox.xmpp_stanzas import RoomMessage

ANNA = "Anna"
"""Reads the mailing list."""
ANN = "Dr. Ann Lee"
"""Writes on the forum."""
LIST = "Heart list"
FORUM = "Heart forum"
JOURNAL = "Journals"
CATEGORY = "5"
MAIL = "the list"
BOARD = "the forum"
_PATIENCE = 45.0
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Said:
    """Something that a place shows: by whom, and in which words."""

    speaker: str
    text: str


@dataclass
class Hub:
    """The room, all that is linked to it, and the people there."""

    meeting: Meeting
    mailing_list: MailingList
    forum: Forum
    site: FeedSite
    bridge: Bridge
    words: dict[str, str] = field(default_factory=dict)
    """What was said, each by a word of its own, and by whom."""
    _echoed: set[int] = field(default_factory=set)

    @property
    def places(self) -> tuple[str, ...]:
        """All that show messages; the feed is only read."""
        return (*self.meeting.places, MAIL, BOARD)

    # --- saying

    def word(self, speaker: str) -> str:
        """A word that was never said, for this speaker to say once."""
        word = f"case-{next(_numbers)}z"
        self.words[word] = speaker
        return word

    async def says(self, speaker: str) -> str:
        """Have somebody say a new word outside of all threads; the word."""
        word = self.word(speaker)
        if speaker == ANNA:
            await self.mailing_list.write(f"Question {next(_numbers)}", f"What of {word}?")
        elif speaker == ANN:
            # Nobody tells a bridge that is down, nor tells it again
            await self.forum.write("ann", f"Look at {word}", hooks=self.bridge.running)
        elif speaker == JOURNAL:
            await self.site.publish(f"A trial of {word}", "It works.", "The Editors")
        else:
            await self.meeting.say(speaker, word)
        return word

    # --- seeing

    def shown(self, speaker: str, place: str) -> str:
        """The name under which a place has to show a speaker."""
        home = {ANNA: (MAIL, LIST), ANN: (BOARD, FORUM), JOURNAL: ("", JOURNAL)}.get(speaker)
        name = "The Editors" if speaker == JOURNAL else speaker
        if home is not None:
            return name if place == home[0] else f"{name} ({home[1]})"
        return self.meeting.shown(speaker, place)

    def at(self, place: str) -> list[Said]:
        """All that a place has shown so far, edits left out."""
        return list(self._at(place))

    def _at(self, place: str) -> Iterator[Said]:
        if place == MAIL:
            yield from map(_said, filter(_is_first, self.mailing_list.mails))
        elif place == BOARD:
            for post in self.forum.posts.values():
                if post.author.username == "consilium":
                    name, _, text = post.raw.partition(": ")
                    yield Said(name, text)
                else:
                    yield Said(post.author.name, post.raw)
        elif place == MATRIX_ROOM:
            for line in self._events():
                yield Said(self.meeting.members().get(line.sender, ""), line.body)
        else:
            for heard in self.meeting.messages(place):
                if not heard.replaces:
                    yield Said(heard.nick, heard.words)

    def _events(self) -> Iterator[MatrixEvent]:
        for event in self.meeting.host.timeline:
            relation = event.content.get("m.relates_to", {}).get("rel_type")
            notice = event.content.get("msgtype") == "m.notice"
            if event.type == "m.room.message" and relation != "m.replace" and not notice:
                yield event

    def speakers(self, word: str, place: str) -> list[str]:
        """Under which names a place shows a word: one, if all is well."""
        return [said.speaker for said in self.at(place) if word in said.text]

    def faults(self) -> list[str]:
        """What is missing, doubled or under a wrong name somewhere, of all that was ever said."""
        return [
            f"{word} of {speaker} at {place}: {found}"
            for word, speaker in self.words.items()
            for place in self.places
            if (found := self.speakers(word, place)) != [self.shown(speaker, place)]
        ]

    async def arrived(self, word: str, *places: str, timeout: float = _PATIENCE) -> None:
        """Return once these places, or all, show a word."""
        async with asyncio.TaskGroup() as waiting:
            for place in places or self.places:
                waiting.create_task(self._until(place, partial(self._has, place, word), timeout))

    def _has(self, place: str, word: str) -> bool:
        return any(word in said.text for said in self.at(place))

    async def _until(self, place: str, condition: Callable[[], bool], timeout: float) -> None:
        if place == MAIL:
            await self.mailing_list.mails.wait_until(condition, timeout=timeout)
        elif place == BOARD:
            await self.forum.asked.wait_until(condition, timeout=timeout)
        elif place == MATRIX_ROOM:
            await self.meeting.host.timeline.wait_until(condition, timeout=timeout)
        else:
            await self.meeting.observer(place).messages.wait_until(condition, timeout=timeout)

    async def settle(self) -> None:
        """Return once all that was said before has been everywhere, be it twice or in a circle.

        The forum, too, tells the bridge of the bridge's own posts, as Discourse does. Then someone
        at each place says a word, which can't overtake what was said before; and once more, for
        what a loop would bring back.
        """
        for _ in range(2):
            for post in self.forum.own():
                if post.id not in self._echoed:
                    self._echoed.add(post.id)
                    await self.forum.emit("post_created", "post", self.forum.hook_post(post))
            words = [await self.says(speaker) for speaker in (ALICE, CHIARA, DMITRI, ANNA, ANN)]
            for word in words:
                await self.arrived(word)

    # --- single copies

    async def event(self, word: str) -> MatrixEvent:
        """The event that has a word in it."""
        await self.arrived(word, MATRIX_ROOM)
        return next(each for each in self._events() if word in each.body)

    async def heard(self, group: str, word: str) -> RoomMessage:
        """What an XMPP room has of it."""
        await self.arrived(word, group)
        found = self.meeting.messages(group)
        return next(each for each in found if word in each.words and not each.replaces)

    async def mail(self, word: str) -> ListMail:
        """What the mailing list has of it."""
        await self.arrived(word, MAIL)
        found = self.mailing_list.mails
        return next(each for each in found if word in each.text)

    async def corrected(self, text: str) -> ListMail:
        """The mail that tells the list of an edit."""
        return await self.mailing_list.mails.wait_for(
            lambda mail: mail.text.startswith("(edited)") and text in mail.text, timeout=_PATIENCE
        )

    async def post(self, word: str) -> Written:
        """What the forum has of it."""
        await self.arrived(word, BOARD)
        found = self.forum.posts.values()
        return next(each for each in found if word in each.raw)

    def group_of(self, colleague: str) -> str:
        """The XMPP room where somebody is."""
        return self.meeting.colleagues[colleague].group


def _is_first(mail: ListMail) -> bool:
    return not mail.text.startswith("(edited)")


def _said(mail: ListMail) -> Said:
    return Said(mail.sender.removesuffix(" via Consilium"), mail.text)


@asynccontextmanager
async def hub(site: Site, meeting: Meeting, directory: Path) -> AsyncIterator[Hub]:
    """All of it, with a bridge between them.

    Args:
        directory: for the mail servers, see `MailingList`.
    """
    async with MailingList(directory) as mailing_list, forum() as board, FeedSite() as journal:
        port = free_port()
        board.hook = f"http://{LOOPBACK}:{port}/discourse"
        networks = {
            **component_networks(site.prosody),
            "list": mailing_list.network(LIST),
            "forum": {
                "type": "discourse",
                "name": FORUM,
                "url": board.url,
                "username": "consilium",
                "api_key": KEY,
                "webhook_secret": SECRET,
                "webhook_port": port,
            },
            "feeds": {"type": "feed", "name": JOURNAL, "minutes": 1},
        }
        links = [
            *meeting.links(),
            ("list", mailing_list.address, "both"),
            ("forum", CATEGORY, "both"),
            ("feeds", journal.feed, "in"),
        ]
        bridge = site.bridge({meeting.room: links}, networks)
        async with bridge:
            yield Hub(meeting, mailing_list, board, journal, bridge)
