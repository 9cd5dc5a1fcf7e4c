"""Shows on the forum what was said elsewhere."""

from collections.abc import Mapping
from typing import Final

import structlog

from adapters.discourse import files, writing
from adapters.discourse.api import Api, Json
from adapters.discourse.credentials import Credentials
from adapters.discourse.errors import Declined
from adapters.discourse.finding import Finder, external_id
from adapters.discourse.hearing import Hearing
from adapters.discourse.liking import Liking
from adapters.discourse.post import Post, topic_name, topic_number
from adapters.discourse.site import Category, Site
from bridge.contract import Copy, Outgoing, Refused, Sent
from bridge.model import Deleted, Edited, Message, Reacted

log = structlog.get_logger(__name__)

_INVALID: Final = 422
_GONE: Final = Sent()


class Saying:
    """Posts, edits, deletes and likes. For one connection.

    Args:
        api: the forum.
        site: what it says of itself.
        hearing: knows what others wrote.
        credentials: as whom to act.
        finder: knows where posts are.
        network: the forum's id.
        name: how people call it.
        chats: topics that take what is said outside of threads, by category.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - whom it works with
        self,
        api: Api,
        site: Site,
        hearing: Hearing,
        credentials: Credentials,
        finder: Finder,
        network: str,
        name: str,
        chats: Mapping[str, int],
    ) -> None:
        self._api = api
        self._site = site
        self._hearing = hearing
        self._credentials = credentials
        self._finder = finder
        self._network = network
        self._name = name
        self._chats = chats
        self._liking = Liking(api, site, name)

    async def send(self, outgoing: Outgoing) -> Sent:
        """Show it; see `bridge.contract.Outlet.send`."""
        event = outgoing.event
        match event:
            case Message():
                return await self._say(outgoing, event)
            case Edited():
                return await self._edit(outgoing, event)
            case Deleted():
                return await self._delete(outgoing)
            case Reacted():
                return await self._react(outgoing, event)
        raise Refused(f"{self._name} can't show this.")

    async def find(self, outgoing: Outgoing) -> Sent | None:
        """Look a post up; see `bridge.contract.Outlet.find`. All else can be done twice."""
        if not isinstance(outgoing.event, Message):
            return None
        topic, _ = await self._target(outgoing)
        if topic is None:
            topic = await self._finder.topic_of(self._api, outgoing.key)
        if topic is None:
            return None
        post = await self._finder.own(self._api, topic, outgoing.key, self._site.username)
        return None if post is None else self._sent(outgoing, post)

    # --- messages

    async def _say(self, outgoing: Outgoing, message: Message) -> Sent:
        category = await self._site.category(self._api, outgoing.place.id)
        topic, answers = await self._target(outgoing)
        raw = writing.marked(await self._body(outgoing, message), outgoing.key)
        if topic is None:
            return await self._begin_topic(outgoing, message, category, raw)
        body: Json = {"raw": raw, "topic_id": topic}
        if answers is not None:
            body["reply_to_post_number"] = answers
        return self._made(outgoing, await self._post(outgoing, body))

    async def _body(self, outgoing: Outgoing, message: Message) -> str:
        text = message.text
        if outgoing.file is not None:
            line = await self._file_line(outgoing)
            text = f"{text}\n\n{line}".strip()
        return writing.body(text, message.mentions, self._network, self._site)

    async def _file_line(self, outgoing: Outgoing) -> str:
        file = outgoing.file
        if file is None:
            return ""
        try:
            headers = self._credentials.of(outgoing.event.author)
            return await files.upload(self._api, file, headers)
        except Refused:
            if outgoing.link is None:
                raise
            name = file.name.replace("[", "").replace("]", "") or "file"
            return f"[{name}]({outgoing.link})"

    async def _begin_topic(
        self, outgoing: Outgoing, message: Message, category: Category, raw: str
    ) -> Sent:
        topic = outgoing.topic
        title = writing.title(
            topic.title if topic is not None and topic.title else message.text,
            message.author.name,
            self._site,
        )
        body: Json = {
            "raw": raw,
            "title": title,
            "category": category.id,
            "external_id": external_id(outgoing.key),
        }
        try:
            told = await self._post(outgoing, body)
        except Declined as error:
            if error.status != _INVALID:
                raise
            # It may be there already, or the forum wants another title
            found = await self.find(outgoing)
            if found is not None:
                return found
            plain = f"{message.author.name}, {message.time:%Y-%m-%d %H:%M:%S}"
            body["title"] = writing.title(plain, message.author.name, self._site)
            told = await self._post(outgoing, body)
        return self._made(outgoing, told)

    async def _post(self, outgoing: Outgoing, body: Json) -> Json:
        headers = self._credentials.of(outgoing.event.author)
        return await self._api.change("POST", "/posts.json", body, headers=headers)

    def _made(self, outgoing: Outgoing, told: Json) -> Sent:
        post = Post.read(told)
        if post is None:
            if told.get("action") == "enqueued":
                raise Refused(
                    f"A moderator of {self._name} has to approve it before anyone can read it.",
                    f"Ask for more trust for the user {self._site.username} there.",
                )
            raise Refused(f"{self._name} took it, and does not say what it made of it.")
        return self._sent(outgoing, post)

    def _sent(self, outgoing: Outgoing, post: Post) -> Sent:
        self._finder.note(post, outgoing.key)
        self._hearing.posted(post, outgoing.place)
        chat = self._chats.get(outgoing.place.id)
        topic = None if post.topic_id == chat else topic_name(post.topic_id)
        return Sent(str(post.id), (post.alias,), topic)

    async def _target(self, outgoing: Outgoing) -> tuple[int | None, int | None]:
        """The topic that it belongs into, None for a new one, and the post there it answers."""
        reply, topic = outgoing.reply_to, outgoing.topic
        if reply is not None and (number := _number(reply)) is not None:
            spot = await self._finder.spot(self._api, number)
            if spot is not None:
                return spot.topic, None if spot.number == 1 else spot.number
        if topic is not None:
            return await self._topic(topic.id, topic.root), None
        first, _, part = outgoing.key.partition(".")
        if part:  # the rest of a long text belongs where it began
            begun = await self._finder.topic_of(self._api, first)
            if begun is not None:
                return begun, None
        return self._chats.get(outgoing.place.id), None

    async def _topic(self, name: str | None, root: Copy | None) -> int | None:
        found = None if name is None else topic_number(name)
        if found is not None:
            return found
        number = None if root is None else _number(root)
        spot = None if number is None else await self._finder.spot(self._api, number)
        return None if spot is None else spot.topic

    # --- changes

    async def _edit(self, outgoing: Outgoing, event: Edited) -> Sent:
        post = await self._own(outgoing)
        text = writing.body(event.text, event.mentions, self._network, self._site)
        text = "\n\n".join([text, *writing.uploads_in(post.raw or "")])
        await self._change(outgoing, post, text)
        return Sent(str(post.id))

    async def _delete(self, outgoing: Outgoing) -> Sent:
        number = None if outgoing.target is None else _number(outgoing.target)
        post = None if number is None else await self._finder.post(self._api, number)
        if post is None:
            return _GONE
        self._hearing.forget(post.id)
        if post.post_number == 1 and await self._has_answers(post.topic_id):
            # To delete it would delete what others answered
            if not self._hearing.is_me(post.username):
                raise Refused(
                    f"It begins a topic of {self._name} that others have answered.",
                    f"Ask a moderator of {self._name} to delete it.",
                )
            await self._change(outgoing, post, writing.DELETED)
            return _GONE
        headers = self._credentials.of(outgoing.event.author)
        try:
            await self._api.change("DELETE", f"/posts/{post.id}.json", headers=headers)
        except Declined as error:
            if error.status != 404:
                raise
        return _GONE

    async def _react(self, outgoing: Outgoing, event: Reacted) -> Sent:
        number = None if outgoing.target is None else _number(outgoing.target)
        post = None if number is None else await self._finder.post(self._api, number)
        if post is None:
            raise Refused(f"What it is about is not on {self._name} any more.")
        if self._hearing.is_me(post.username):
            return Sent()  # there, all doctors are one user, and nobody can like their own posts
        await self._liking.show(post, event, outgoing.standing)
        return Sent()

    async def _own(self, outgoing: Outgoing) -> Post:
        number = None if outgoing.target is None else _number(outgoing.target)
        post = None if number is None else await self._finder.post(self._api, number)
        if post is None:
            raise Refused(f"It is not on {self._name} any more.")
        if not self._hearing.is_me(post.username):
            raise Refused(f"On {self._name}, somebody else wrote it.")
        return post

    async def _change(self, outgoing: Outgoing, post: Post, text: str) -> None:
        target = outgoing.target
        key = writing.key_in(post.raw or "") or (target.key if target is not None else "")
        raw = writing.marked(text, key or outgoing.key)
        headers = self._credentials.of(outgoing.event.author)
        body: Json = {"post": {"raw": raw}}
        await self._api.change("PUT", f"/posts/{post.id}.json", body, headers=headers)

    async def _has_answers(self, topic: int) -> bool:
        try:
            told = await self._api.get(f"/t/{topic}.json")
        except Declined:
            return False
        count = told.get("posts_count")
        return isinstance(count, int) and count > 1


def _number(copy: Copy) -> int | None:
    return int(copy.id) if copy.id.isascii() and copy.id.isdigit() else None
