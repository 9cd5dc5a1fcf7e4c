"""The topic, the name and the picture of a room."""

from typing import Final

from bridge.contract import Outgoing, Picture, Refused, Sent
from bridge.matrix.client import ActingClient
from bridge.matrix.faults import Denied
from bridge.matrix.ghosts import Ghosts
from bridge.matrix.portraits import PictureOf
from bridge.matrix.raw import JsonObject
from bridge.matrix.reading.media import is_content_uri
from bridge.matrix.rights import WHERE_TO_CHANGE, Rights, bot_missing, rights_in, shown_level
from bridge.matrix.showing.files import Files
from bridge.matrix.showing.speaking import milliseconds
from bridge.model import Author, PictureChanged, Place, SubjectChanged, TitleChanged

TOPIC: Final = "m.room.topic"
NAME: Final = "m.room.name"
AVATAR: Final = "m.room.avatar"

_WORDS: Final = {TOPIC: "topic", NAME: "name", AVATAR: "picture"}

_RoomEvent = SubjectChanged | TitleChanged | PictureChanged


class RoomState:
    """Changes rooms, by the author's ghost if it has the power, or else by the bot.

    Args:
        bot: the bot's client.
        ghosts: who changes it.
        files: brings pictures to the homeserver.
        picture_of: finds pictures that are not files on disk.
    """

    def __init__(
        self,
        bot: ActingClient,
        ghosts: Ghosts,
        files: Files,
        picture_of: PictureOf | None = None,
    ) -> None:
        self._bot = bot
        self._ghosts = ghosts
        self._files = files
        self._picture_of = picture_of

    async def show(self, outgoing: Outgoing, event: _RoomEvent) -> Sent:
        """Set what changed, unless the room has it already.

        Raises:
            Refused: nobody of ours may.
            Unreachable: not now.
            StoreError: the store failed.
        """
        match event:
            case SubjectChanged():
                return await self._set(outgoing, event, TOPIC, {"topic": event.subject})
            case TitleChanged():
                return await self._set(outgoing, event, NAME, {"name": event.title})
            case PictureChanged():
                return await self._set(
                    outgoing, event, AVATAR, await self._picture(outgoing, event)
                )

    async def _picture(self, outgoing: Outgoing, event: PictureChanged) -> JsonObject:
        if event.picture is None:
            return {}
        if outgoing.file is not None:
            uri = await self._files.upload_picture(outgoing.key, self._bot.user_id, outgoing.file)
            return {"url": uri, "info": {"mimetype": outgoing.file.mime}}
        if is_content_uri(event.picture.source):
            return {"url": event.picture.source}
        found = await self._found(event.place, event.picture.source)
        if found is None:
            raise Refused("The picture of the room could not be fetched.")
        uri = await self._bot.upload(found.data, found.mime)
        return {"url": uri, "info": {"mimetype": found.mime, "size": len(found.data)}}

    async def _found(self, place: Place, source: str) -> Picture | None:
        """A group's picture is found as a person's is."""
        if self._picture_of is None:
            return None
        return await self._picture_of(Author(place.network, place.id, avatar=source))

    async def _set(
        self, outgoing: Outgoing, event: _RoomEvent, event_type: str, content: JsonObject
    ) -> Sent:
        room_id = outgoing.place.id
        try:
            present = await self._bot.state(room_id, event_type)
            rights = await rights_in(room_id, self._bot)
        except Denied as error:
            if not error.forbidden:
                raise
            raise bot_missing(self._bot.user_id, room_id) from error
        if _same(present or {}, content):
            return Sent()
        client = self._bot.acting_as(await self._who_may(rights, room_id, event_type, event))
        ts = milliseconds(event.time)
        return Sent(await client.put_state(room_id, event_type, content, ts=ts))

    async def _who_may(
        self, rights: Rights, room_id: str, event_type: str, event: _RoomEvent
    ) -> str:
        bot, needs = self._bot.user_id, rights.for_state(event_type)
        ghost = self._ghosts.id_of(event.author)
        if rights.of(ghost) >= needs:
            return await self._ghosts.ensure(event.author, room_id)
        if rights.of(bot) >= needs:
            return bot
        raise Refused(
            f"{bot} may not change the {_WORDS[event_type]} of this room.",
            f"Give it a power level of at least {shown_level(needs)}, {WHERE_TO_CHANGE};"
            f" it has {shown_level(rights.of(bot))}.",
        )


def _same(present: JsonObject, wanted: JsonObject) -> bool:
    return all(
        (present.get(key) or "") == (wanted.get(key) or "") for key in ("topic", "name", "url")
    )
