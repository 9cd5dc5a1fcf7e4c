"""!confirm: what is said in this encrypted room may go where it is not encrypted."""

from typing import ClassVar

from bridge.bot.answers import Answer, joined, words
from bridge.bot.command import Manual, Request, Unfit
from bridge.bot.commands.places import Networks, group_name
from bridge.bot.permissions import Rank
from bridge.store import crypto_confirmed
from bridge.store.database import Database


class Confirm:
    """Confirms all outward links of the room's portal, as they are now."""

    manual: ClassVar[Manual] = Manual(
        "confirm",
        "let what is said in this encrypted room go to groups that are not encrypted",
        needs=Rank.ADMIN,
        details=(
            "Write it in the room. It holds for the groups that are linked now.",
            "What has waited for it goes out at once.",
        ),
    )

    def __init__(self, database: Database, networks: Networks) -> None:
        self._database = database
        self._networks = networks

    async def run(self, request: Request) -> Answer:
        """See `Command.run`."""
        if request.portal is None or request.private:
            raise Unfit("This is said in the room that it is about.", "Write it there.")
        places = [link.place for link in request.portal.links if link.direction.outward]
        if not places:
            raise Unfit("Nothing said here goes to any group.", "There is nothing to confirm.")
        room_id, asker = request.room_id, request.asker
        await self._database.run(
            lambda connection: crypto_confirmed.confirm(connection, room_id, places, asker)
        )
        names = joined((group_name(place, self._networks) for place in places), ", ")
        return Answer.of(
            words(
                "From now on what is said in this room may leave it, unencrypted, for ", names, "."
            )
        )
