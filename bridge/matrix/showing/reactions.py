"""Reactions, each by the ghost of the person who reacts."""

from bridge.contract import Copy, Outgoing, Sent
from bridge.matrix.client import ActingClient, path_of
from bridge.matrix.faults import Denied
from bridge.matrix.ghosts import Ghosts
from bridge.matrix.raw import JsonObject, object_at, text_at
from bridge.matrix.showing.deletions import Deletions
from bridge.matrix.showing.emoji import full_form
from bridge.matrix.showing.relations import annotation
from bridge.matrix.showing.speaking import Speaker
from bridge.model import Reacted

REACTION = "m.reaction"
_PAGE = "100"
_PAGES_MAX = 20


class Reactions:
    """Puts reactions on messages and takes them back.

    Args:
        bot: the bot's client.
        ghosts: who reacts.
        speaker: sends.
        deletions: takes back.
    """

    def __init__(
        self, bot: ActingClient, ghosts: Ghosts, speaker: Speaker, deletions: Deletions
    ) -> None:
        self._bot = bot
        self._ghosts = ghosts
        self._speaker = speaker
        self._deletions = deletions

    async def show(self, outgoing: Outgoing, reacted: Reacted, target: Copy) -> Sent:
        """Show it, or take it back.

        Raises:
            Refused: never.
            Unreachable: not now.
            StoreError: the store failed.
        """
        if reacted.gone:
            return await self._take_back(outgoing, reacted, target)
        content: JsonObject = {"m.relates_to": annotation(target.id, full_form(reacted.emoji))}
        try:
            event_id = await self._speaker.say(
                reacted.author, outgoing.place.id, REACTION, content, outgoing.key, reacted.time
            )
        except Denied as error:
            # A homeserver takes the same reaction of the same user once
            if error.errcode == "M_DUPLICATE_ANNOTATION" and (
                found := await self.find(outgoing, reacted, target)
            ):
                return found
            raise
        return Sent(event_id)

    async def find(self, outgoing: Outgoing, reacted: Reacted, target: Copy) -> Sent | None:
        """The reaction as it is there; None if it is not.

        https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidrelationseventidreltypeeventtype

        Raises:
            Unreachable: it can't be told now.
        """
        ghost, key = self._ghosts.id_of(reacted.author), full_form(reacted.emoji)
        path = path_of(
            "rooms", outgoing.place.id, "relations", target.id, "m.annotation", REACTION
        ).replace("/v3/", "/v1/", 1)
        query = {"limit": _PAGE}
        for _ in range(_PAGES_MAX):
            try:
                page = await self._bot.call("GET", path, query=query)
            except Denied:
                return None  # what is not there has no reactions
            chunk = page.get("chunk")
            for event in chunk if isinstance(chunk, list) else ():
                if isinstance(event, dict) and _is(event, ghost, key):
                    return Sent(text_at(event, "event_id") or None)
            following = text_at(page, "next_batch")
            if not following:
                break
            query["from"] = following
        return None

    async def _take_back(self, outgoing: Outgoing, reacted: Reacted, target: Copy) -> Sent:
        event_id = outgoing.reaction.id if outgoing.reaction else None
        if event_id is None:
            found = await self.find(outgoing, reacted, target)
            event_id = found.id if found else None
        if event_id is None:
            return Sent()
        return Sent(
            await self._deletions.take_back(
                reacted.author, outgoing.place.id, event_id, outgoing.key
            )
        )


def _is(event: JsonObject, ghost: str, key: str) -> bool:
    relation = object_at(object_at(event, "content"), "m.relates_to")
    return event.get("sender") == ghost and relation.get("key") == key
