"""Edits: by the ghost that sent the message, for homeservers take none from others.

https://spec.matrix.org/v1.19/client-server-api/#event-replacements
"""

from bridge.contract import Copy, Outgoing, Sent
from bridge.matrix.raw import JsonObject, text_at
from bridge.matrix.showing.mentions import Pills
from bridge.matrix.showing.messages import MESSAGE
from bridge.matrix.showing.recent import Recent
from bridge.matrix.showing.relations import replacement
from bridge.matrix.showing.speaking import Speaker
from bridge.matrix.showing.wording import Wording
from bridge.model import Edited, Mention


class Edits:
    """Shows edits.

    Args:
        speaker: sends.
        wording: writes texts.
        pills: tells who is rung.
        recent: tells what was there before.
    """

    def __init__(self, speaker: Speaker, wording: Wording, pills: Pills, recent: Recent) -> None:
        self._speaker = speaker
        self._wording = wording
        self._pills = pills
        self._recent = recent

    async def show(self, outgoing: Outgoing, edited: Edited, target: Copy) -> Sent:
        """Send the edit of `target`.

        Raises:
            Refused: never.
            Unreachable: not now.
            StoreError: the store failed.
        """
        room_id = outgoing.place.id
        fresh = await self._recent.besides_words(room_id, target.id)
        fresh.setdefault("msgtype", "m.text")
        fresh |= self._wording.words(edited)
        if not edited.text and (name := text_at(fresh, "filename")):
            fresh["body"] = name  # a file without a caption
        fresh["m.mentions"] = self._pills.rung(edited.mentions)
        content: JsonObject = {
            **fresh,
            "body": f"* {fresh['body']}",
            "m.mentions": self._pills.rung(_new(edited, target)),
            "m.new_content": fresh,
            "m.relates_to": replacement(target.id),
        }
        if "formatted_body" in content:
            content["formatted_body"] = f"* {content['formatted_body']}"
        # Of several edits the latest counts, and times of other networks may be equal
        event_id = await self._speaker.say(
            edited.author, room_id, MESSAGE, content, outgoing.key, None
        )
        return Sent(event_id)


def _new(edited: Edited, target: Copy) -> list[Mention]:
    """Who was not mentioned before: the others are not to be rung once more."""
    return [each for each in edited.mentions if each.span not in target.text]
