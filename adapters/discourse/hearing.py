"""Makes events of posts: what is new, what was changed, and what is gone.

The same post is met again and again: by webhook, by asking, and after a restart. What it said last
is remembered for the latest of them; older ones the core knows.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from adapters.discourse.post import Post, User, alias, topic_name
from adapters.discourse.reading import read
from adapters.discourse.writing import key_in
from bridge.model import Author, Deleted, Deliverable, Edited, Message, Place

_REMEMBERED: Final = 5_000
_AVATAR_SIZE: Final = 240


@dataclass(slots=True)
class Known:
    """A post that was met, as it was then."""

    place: Place
    author: Author
    digest: str
    own: bool
    liked: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Linked:
    """A category that is linked. `chat`: the topic that is no thread."""

    place: Place
    chat: int | None = None


class Hearing:
    """The memory of a forum.

    Args:
        network: its id.
        username: the bridge's own user there.
    """

    def __init__(self, network: str, username: str) -> None:
        self._network = network
        self._me = username.lower()
        self._known: OrderedDict[int, Known] = OrderedDict()
        self.linked: dict[int, Linked] = {}

    def of(self, posts: Iterable[Post], *, since: datetime | None = None) -> list[Deliverable]:
        """The events that posts are, oldest first.

        Args:
            posts: in any order.
            since: until then posts are known to the core; only what they say may be new.
        """
        found: list[Deliverable] = []
        for post in sorted(posts, key=lambda post: post.id):
            linked = self.linked.get(post.category_id or 0)
            if linked is not None and post.is_public:
                found += self._of(post, linked, since)
        return found

    def _of(self, post: Post, linked: Linked, since: datetime | None) -> Iterator[Deliverable]:
        known = self._known.get(post.id)
        if post.is_gone:
            yield from self._gone(post, linked, known)
            return
        digest = None if known is None else known.digest
        new = self._remember(post, linked, liked=())
        if new.own or new.digest == digest:
            return
        if known is not None:
            yield self._edited(post, linked)
        elif since is None or post.created_at > since:
            yield self.message(post, linked)
        elif post.updated_at is not None and post.updated_at > since and post.version > 1:
            yield self._edited(post, linked)

    def changed(self, post: Post) -> list[Deliverable]:
        """The event that a post is of which the forum says that it was changed."""
        linked = self.linked.get(post.category_id or 0)
        if linked is None or not post.is_public:
            return []
        if post.is_gone or self.known(post.id) is not None:
            return list(self._of(post, linked, None))
        own = self._remember(post, linked, liked=post.liked).own
        return [] if own or self.is_me(post.username) else [self._edited(post, linked)]

    def old(self, posts: Iterable[Post]) -> list[Message]:
        """Posts from before the link, oldest first."""
        found = []
        for post in sorted(posts, key=lambda post: post.id):
            linked = self.linked.get(post.category_id or 0)
            if linked is None or not post.is_public or post.is_gone or self.is_own(post):
                continue
            self._remember(post, linked, liked=post.liked)
            found.append(self.message(post, linked, old=True))
        return found

    def note(self, posts: Iterable[Post]) -> None:
        """Remember posts that need not be told."""
        for post in posts:
            linked = self.linked.get(post.category_id or 0)
            if linked is not None and post.is_public and not post.is_gone:
                self._remember(post, linked, liked=post.liked)

    def posted(self, post: Post, place: Place) -> None:
        """Remember a post that the bridge has just made."""
        known = Known(place, self.author(post), _digest(post), own=True, liked=())
        self._known.setdefault(post.id, known).own = True

    def between(self, first: int, last: int) -> Mapping[int, Known]:
        """Posts that are remembered, by number."""
        return {number: known for number, known in self._known.items() if first <= number <= last}

    def known(self, number: int) -> Known | None:
        """A post that is remembered."""
        return self._known.get(number)

    def forget(self, number: int) -> None:
        """A post is no more."""
        self._known.pop(number, None)

    def forget_place(self, place: Place) -> None:
        """A category is linked no longer."""
        for category, linked in list(self.linked.items()):
            if linked.place == place:
                del self.linked[category]
        for number, known in list(self._known.items()):
            if known.place == place:
                del self._known[number]

    def is_me(self, username: str) -> bool:
        """Whether this is the bridge's own user."""
        return username.lower() == self._me

    def is_own(self, post: Post) -> bool:
        """Whether the bridge made a post. Others can sign on as its user and write, too."""
        return self.is_me(post.username) and key_in(post.raw or "") is not None

    def author(self, who: Post | User) -> Author:
        """A person of the forum."""
        name = who.username if not who.name or not who.name.strip() else who.name
        template = who.avatar_template
        avatar = template.replace("{size}", str(_AVATAR_SIZE)) if template else None
        return Author(self._network, who.username.lower(), name, avatar)

    # --- the events

    def message(self, post: Post, linked: Linked, *, old: bool = False) -> Message:
        """A post as a message; the first of a topic has its title above it."""
        answers = post.reply_to_post_number
        reply_to = None if answers is None else alias(post.topic_id, answers)
        reading = read(post.raw or "", post.cooked, self._network, reply_to)
        return Message(
            linked.place,
            str(post.id),
            self.author(post),
            post.created_at.astimezone(UTC),
            _titled(post, reading.text),
            mentions=reading.mentions,
            attachments=reading.attachments,
            reply_to=reply_to or reading.quoted,
            topic=None if post.topic_id == linked.chat else topic_name(post.topic_id),
            aliases=(post.alias,),
            old=old,
        )

    def _edited(self, post: Post, linked: Linked) -> Edited:
        message = self.message(post, linked)
        when = (post.updated_at or datetime.now(UTC)).astimezone(UTC)
        return Edited(
            linked.place,
            message.author,
            when,
            message.id,
            message.text,
            mentions=message.mentions,
            id=f"{post.id}.{_digest(post)}.{when:%Y%m%d%H%M%S}",
        )

    def _gone(self, post: Post, linked: Linked, known: Known | None) -> Iterator[Deleted]:
        self.forget(post.id)
        by = post.deleted_by
        if by is not None and self.is_me(by.username):
            return
        author = self.author(post) if known is None else known.author
        moderated = by is not None and by.username.lower() != post.username.lower()
        if by is not None and moderated:
            author = self.author(by)
        yield Deleted(
            linked.place, author, datetime.now(UTC), str(post.id),
            moderated=moderated, id=f"{post.id}.gone",
        )  # fmt: skip

    def _remember(self, post: Post, linked: Linked, *, liked: tuple[tuple[str, int], ...]) -> Known:
        """How often it was liked is kept from before: that is told apart, see likes.py."""
        before = self._known.get(post.id)
        own = self.is_own(post) or (before is not None and before.own)
        liked = liked if before is None else before.liked
        new = Known(linked.place, self.author(post), _digest(post), own, liked)
        self._known[post.id] = new
        self._known.move_to_end(post.id)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return new


def _titled(post: Post, text: str) -> str:
    title = " ".join(post.topic_title.split())
    if post.post_number != 1 or not title:
        return text
    heading = "**" + "".join(f"\\{c}" if c in "\\`*_[]<>" else c for c in title) + "**"
    return f"{heading}\n\n{text}".strip()


def _digest(post: Post) -> str:
    said = f"{post.topic_title if post.post_number == 1 else ''}\0{post.raw}"
    return hashlib.blake2b(said.encode("utf-8", "replace"), digest_size=8).hexdigest()
