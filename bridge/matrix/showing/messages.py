"""Messages: texts, files, and both together."""

from bridge.contract import Outgoing, Sent
from bridge.matrix.faults import Denied
from bridge.matrix.raw import JsonObject
from bridge.matrix.showing.files import Files
from bridge.matrix.showing.mentions import Pills
from bridge.matrix.showing.recent import Recent
from bridge.matrix.showing.relations import answer, relation, root_of
from bridge.matrix.showing.speaking import Speaker
from bridge.matrix.showing.wording import Wording
from bridge.model import MATRIX, Message

MESSAGE = "m.room.message"
_STICKER = "m.sticker"


class Messages:
    """Shows messages, each by its author's ghost.

    Args:
        speaker: sends.
        wording: writes texts.
        pills: tells who is rung.
        files: brings files to the homeserver.
        recent: remembers what may be edited.
    """

    def __init__(
        self, speaker: Speaker, wording: Wording, pills: Pills, files: Files, recent: Recent
    ) -> None:
        self._speaker = speaker
        self._wording = wording
        self._pills = pills
        self._files = files
        self._recent = recent

    async def show(self, outgoing: Outgoing, message: Message) -> Sent:
        """Send it.

        Raises:
            Refused: never.
            Unreachable: not now.
            StoreError: the store failed.
        """
        content = self._wording.words(message)
        content["msgtype"] = _msgtype(message)
        content["m.mentions"] = self._rung(outgoing, message)
        kind = MESSAGE
        if outgoing.file is not None:
            await self._files.attach(content, outgoing, message)
            if content["msgtype"] == _STICKER:
                kind = content.pop("msgtype")
        related = relation(outgoing)
        if related is None:
            event_id = await self._send(outgoing, message, kind, content)
        else:
            event_id = await self._send_related(outgoing, message, kind, content, related)
        self._recent.sent(outgoing.place.id, event_id, content)
        return sent(outgoing, event_id)

    async def _send(
        self, outgoing: Outgoing, message: Message, kind: str, content: JsonObject
    ) -> str:
        return await self._speaker.say(
            message.author, outgoing.place.id, kind, content, outgoing.key, message.time
        )

    async def _send_related(
        self,
        outgoing: Outgoing,
        message: Message,
        kind: str,
        content: JsonObject,
        related: JsonObject,
    ) -> str:
        """Send a message that relates to others.

        A homeserver may refuse to begin a thread there (at a message that is part of another, or
        that it does not know): then it is a reply, for it must not be lost.
        """
        content["m.relates_to"] = related
        try:
            return await self._send(outgoing, message, kind, content)
        except Denied as error:
            if "rel_type" not in related or error.status != 400:
                raise
        content["m.relates_to"] = answer(related["m.in_reply_to"]["event_id"])
        return await self._send(outgoing, message, kind, content)

    def _rung(self, outgoing: Outgoing, message: Message) -> JsonObject:
        """Those who are mentioned, and the doctor who is answered; nobody for what is history."""
        if message.old:
            return {}
        answered = outgoing.reply_to
        if answered is not None and not answered.own and answered.author.network == MATRIX:
            return self._pills.rung(message.mentions, answered.author.id)
        return self._pills.rung(message.mentions) if message.mentions else {}


def sent(outgoing: Outgoing, event_id: str) -> Sent:
    """What to tell about a message that is there now: one outside of any thread begins its own."""
    event = outgoing.event
    topic = root_of(outgoing.topic)
    if topic is None and isinstance(event, Message) and event.topic is not None:
        topic = event_id
    return Sent(event_id, topic=topic)


def _msgtype(message: Message) -> str:
    if message.emote:
        return "m.emote"
    return "m.notice" if message.notice else "m.text"
