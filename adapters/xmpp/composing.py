"""What the bridge says in one room, put into the words of its stanzas."""

from typing import Final

from adapters.xmpp import attachments, edits, mentions, replies, threads
from adapters.xmpp.passing import MARKABLE
from adapters.xmpp.replies import Answer
from adapters.xmpp.scene import Scene
from adapters.xmpp.xml import SID, STYLING, attribute, clean, text
from bridge.contract import Copy, LocalFile, Outgoing
from bridge.model import Edited, Mention, Message

_CONTEXT: Final = 60
"""Characters of the message that began a thread, for clients that know no threads."""


class Composer:
    """Knows who and what the room calls how."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def stanza(self, sender: str, key: str, contents: str) -> str:
        """A message to the room that bears `key` as its id and origin id (XEP-0359)."""
        id_, room = attribute(key), attribute(self.scene.room)
        return (
            f"<message from='{attribute(sender)}' to='{room}' type='groupchat' "
            f"id='{id_}'>{contents}<origin-id xmlns='{SID}' id='{id_}'/></message>"
        )

    def message(self, outgoing: Outgoing, event: Message) -> str:
        """The contents of a message."""
        body = f"/me {event.text}" if event.emote else event.text
        if outgoing.reply_to is None and outgoing.topic is None and not event.mentions:
            return f"<body>{text(body)}</body>{_unstyled(event)}{MARKABLE}"
        body, quoted, more = clean(body), "", self.thread(outgoing) + _unstyled(event)
        answer, most = self._answered(outgoing)
        if answer is not None and event.emote:
            more += answer.element()  # an action has to begin with "/me"
        elif answer is not None:
            with_quotation, elements = replies.with_quotation(answer, body, most=most)
            quoted = with_quotation.removesuffix(body)
            more += elements
        more += self._mentions(event.mentions, body, len(quoted))
        return f"<body>{text(quoted + body)}</body>{more}{MARKABLE}"

    def file(self, outgoing: Outgoing, url: str, file: LocalFile) -> str:
        """The contents of a message that is a file, to be had at `url`."""
        more = attachments.elements(url, file) + self.thread(outgoing)
        answer, _ = self._answered(outgoing)
        if answer is not None:
            more += answer.element()
        return f"<body>{text(url)}</body>{more}{MARKABLE}"

    def edit(self, outgoing: Outgoing, event: Edited, key: str) -> str:
        """The contents of a message that stands for the one that was sent with `key`."""
        words = f"/me {event.text}" if event.emote else event.text
        body, more = clean(words), edits.element(key) + self.thread(outgoing) + _unstyled(event)
        answer, most = self._answered(outgoing)
        quoted = ""
        if answer is not None:
            with_quotation, elements = replies.with_quotation(answer, body, most=most)
            quoted = with_quotation.removesuffix(body)
            more += elements
        more += self._mentions(event.mentions, body, len(quoted))
        return f"<body>{text(quoted + body)}</body>{more}{MARKABLE}"

    def topic(self, outgoing: Outgoing) -> str | None:
        """What the room calls the topic of what is sent."""
        if outgoing.topic is None:
            return None
        return threads.name_of(outgoing.topic, outgoing.key)

    def thread(self, outgoing: Outgoing) -> str:
        """What puts it into its topic."""
        name = self.topic(outgoing)
        return "" if name is None else threads.element(name)

    def _answered(self, outgoing: Outgoing) -> tuple[Answer | None, int]:
        """What is answered; of a thread, where nothing is, the message that began it: many
        clients know answers, and few know threads.
        """
        if outgoing.reply_to is not None:
            return self._answer(outgoing.reply_to), replies.QUOTED
        root = None if outgoing.topic is None else outgoing.topic.root
        return (None, 0) if root is None else (self._answer(root), _CONTEXT)

    def _answer(self, copy: Copy) -> Answer:
        nick = self.scene.nick_of(copy.author.network, copy.author.id) or copy.author.name
        return Answer(
            self.scene.naming.reference(copy), f"{self.scene.room}/{nick}", nick, copy.text
        )

    def _mentions(self, called: tuple[Mention, ...], body: str, offset: int) -> str:
        if not called:
            return ""
        return mentions.elements(
            body,
            called,
            self.scene.room,
            lambda each: self.scene.nick_of(each.network, each.id),
            offset,
        )


def _unstyled(event: Message | Edited) -> str:
    """What keeps clients from styling a text that only looks so (XEP-0393, section 7)."""
    return f"<unstyled xmlns='{STYLING}'/>" if event.unformatted else ""
