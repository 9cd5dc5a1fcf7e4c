"""!status: how the links of a room stand."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar, Final

from bridge.bot.answers import Answer, Block, Piece, words
from bridge.bot.command import Manual, Request
from bridge.bot.commands.places import DIRECTIONS, Networks, group_name, portal_name
from bridge.bot.permissions import Rank
from bridge.bot.ports import Record
from bridge.bot.standing import Standing, State, lasting
from bridge.clock import now_ms
from bridge.model import Place
from bridge.portals.service import Portal, PortalIndex
from bridge.store import queues
from bridge.store.database import Database
from bridge.wording import counted

_PORTALS_SHOWN: Final = 15

_Queues = Mapping[int, queues.Queue]


class Status:
    """Tells each link's state, and what waits for it.

    In a private chat it tells of all portals with something amiss: an admin of every one, others
    of those whose rooms they are in.
    """

    manual: ClassVar[Manual] = Manual(
        "status",
        "are the networks reached, and what waits",
        details=(
            "For each group: the direction, the state, what waits and how long, the last fault.",
            "In a private chat: the rooms with something amiss, of those that you are in.",
            "An admin is told there of all rooms.",
        ),
    )

    def __init__(
        self,
        database: Database,
        index: Callable[[], PortalIndex],
        standing: Standing,
        networks: Networks,
        record: Record,
    ) -> None:
        self._database = database
        self._record = record
        self._index = index
        self._standing = standing
        self._networks = networks

    async def run(self, request: Request) -> Answer:
        """See `Command.run`."""
        if request.portal is not None:
            return Answer.of(*await self._portal(request.portal))
        if not request.private:
            return Answer.of("No group is linked to this room.")
        return await self._overview(await self._visible(request))

    async def _portal(self, portal: Portal) -> Sequence[Block]:
        found = await self._load([portal])
        return [*self._links(portal, found), *_room_queue(portal, found)]

    def _links(self, portal: Portal, found: _Queues) -> Iterator[Block]:
        if not portal.links:
            yield words("No group is linked to this room.")
        for link in portal.links:
            state = self._standing.of(link.place)
            sign = "✓" if state.up else "✗"
            yield words(sign, " ", group_name(link.place, self._networks))
            items = [words(DIRECTIONS[link.direction]), words(self._state(link.place, state))]
            if link.direction.outward:
                items += _queue_items(found.get(link.place_id, queues.EMPTY))
            yield items

    def _state(self, place: Place, state: State) -> str:
        if place.network not in self._networks:
            return "this network is no longer in the configuration"
        return state.in_words

    async def _load(self, portals: Sequence[Portal]) -> _Queues:
        numbers = [link.place_id for portal in portals for link in portal.links]
        await self._record()
        numbers += [each.room_place_id for each in portals if each.room_place_id is not None]
        return await self._database.run(lambda c: queues.load(c, numbers))

    # --- in a private chat ----------------------------------------------------------------------

    async def _visible(self, request: Request) -> Sequence[Portal]:
        portals = self._index().portals
        if request.rank.covers(Rank.ADMIN):
            return portals
        there = await self._database.run(lambda c: queues.attended(c, request.asker))
        return [portal for portal in portals if portal.room_place_id in there]

    async def _overview(self, portals: Sequence[Portal]) -> Answer:
        if not portals:
            return Answer.of("You are in no room that is linked to another network.")
        found = await self._load(portals)
        amiss = [portal for portal in portals if self._amiss(portal, found)]
        blocks: list[Block] = []
        for portal in amiss[:_PORTALS_SHOWN]:
            blocks += [words("In ", portal_name(portal)), *self._links(portal, found)]
            blocks += _room_queue(portal, found)
        if (more := len(amiss) - _PORTALS_SHOWN) > 0:
            blocks.append(words(f"And {counted(more, 'room')} more with something amiss."))
        if well := len(portals) - len(amiss):
            blocks.append(words(f"✓ All is well in {counted(well, 'linked room')}."))
        return Answer.of(*blocks)

    def _amiss(self, portal: Portal, found: _Queues) -> bool:
        if portal.room_place_id is None:
            return True
        busy = any(number in found for number in portal.targets)
        return busy or any(self._standing.of(link.place).up is not True for link in portal.links)


def _room_queue(portal: Portal, found: _Queues) -> Iterator[Block]:
    """What networks said and this room does not show yet."""
    queue = found.get(portal.room_place_id, queues.EMPTY) if portal.room_place_id else queues.EMPTY
    if not queue.idle:
        yield words("For this room:")
        yield _queue_items(queue)


def _queue_items(queue: queues.Queue) -> list[Piece]:
    if queue.idle:
        return [words("nothing waits")]
    items: list[Piece] = []
    if queue.waiting:
        age = lasting((now_ms() - (queue.oldest_at or now_ms())) / 1000)
        items.append(words(f"{counted(queue.waiting, 'message')} waiting, the oldest for {age}"))
        if queue.last_error:
            items.append(words(f"last fault: {queue.last_error}"))
    if queue.set_aside:
        why = f": {queue.set_aside_error}" if queue.set_aside_error else ""
        items.append(words(f"{counted(queue.set_aside, 'message')} not delivered{why}"))
    return items
