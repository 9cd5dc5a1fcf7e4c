"""A network of feeds: each is read by a task of its own."""

import asyncio
from collections.abc import Sequence
from typing import Final

from adapters.web.feed.check import examine
from adapters.web.feed.feed import Feed, Tools
from adapters.web.feed.settings import FeedSettings
from bridge.contract import (
    NEVER_HEARD,
    Capabilities,
    CatchUp,
    Dialect,
    Feature,
    Finding,
    Health,
    Inlet,
    Level,
    Outgoing,
    Refused,
    Sent,
)
from bridge.model import Author, Place

CAPABILITIES: Final = Capabilities(
    own_names=True,
    max_text=100_000,
    knows_own_copies=True,
    dialect=Dialect.HTML,
    shows=dict.fromkeys(Feature, Level.REFUSED),
    hears={
        Feature.FORMATTING: Level.FULL,
        Feature.EDIT: Level.PARTLY,
        Feature.FILE: Level.FULL,
        Feature.NAME: Level.FULL,
        Feature.HISTORY: Level.PARTLY,
    },
    notes={
        Feature.EDIT: "changes made while the bridge is down are heard when the feed dates them",
        Feature.HISTORY: "as far back as the feed goes",
    },
)


class FeedNetwork:
    """Feeds that are read alike. Implements `bridge.contract.Network`.

    Args:
        minute: how many seconds a minute has; tests have shorter ones.
    """

    def __init__(
        self,
        network: str,
        name: str,
        settings: FeedSettings,
        inlet: Inlet,
        minute: float = 60.0,
    ) -> None:
        self._network = network
        self._name = name or network
        self._settings = settings
        self._inlet = inlet
        self._tools = Tools(settings, inlet, minute)
        self._feeds: dict[str, Feed] = {}
        self._stays: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    # --- bridge.contract.Outlet

    def capabilities(self, place_id: str) -> Capabilities:  # noqa: ARG002 - all feeds are alike
        """They are only read."""
        return CAPABILITIES

    async def send(self, outgoing: Outgoing) -> Sent:
        """Refuse it.

        Raises:
            Refused: always.
        """
        raise Refused(
            f"{outgoing.place.id} is a feed: it can be read, and not written to.",
            "Link it with direction: in.",
        )

    async def find(self, outgoing: Outgoing) -> Sent | None:  # noqa: ARG002 - nothing is sent
        """Nothing is ever sent."""
        return None

    # --- bridge.contract.Network

    async def run(self) -> None:
        """Read all feeds until cancelled."""
        async with self._tools.fetcher:
            try:
                async with asyncio.TaskGroup() as group:
                    self._group = group
                    self._inlet.health(Health(up=True))
                    for url, feed in self._feeds.items():
                        self._stays[url] = group.create_task(feed.stay())
                    await asyncio.Event().wait()
            finally:
                self._group = None
                self._stays.clear()

    async def open(
        self,
        group: str,
        present: Sequence[Author],  # noqa: ARG002 - a feed shows nobody
        catch_up: CatchUp = NEVER_HEARD,
    ) -> None:
        """Read a feed from now on; does not wait for it."""
        await self.close(group)
        feed = Feed(Place(self._network, group), catch_up, self._tools)
        self._feeds[group] = feed
        if self._group is not None:
            self._stays[group] = self._group.create_task(feed.stay())

    async def close(self, group: str) -> None:
        """Read a feed no longer."""
        self._feeds.pop(group, None)
        stay = self._stays.pop(group, None)
        if stay is not None:
            stay.cancel()
            await asyncio.wait({stay})

    async def check(self, groups: Sequence[str]) -> Sequence[Finding]:
        """Fetch and read each feed once; see `bridge.contract.Network.check`."""
        return await examine(self._settings, self._name, groups)
