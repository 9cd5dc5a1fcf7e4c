"""A network of webhooks: one port for what comes in, one client for what goes out."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import aiohttp

from adapters.web.hook.check import examine
from adapters.web.hook.incoming import MAX_BYTES, Incoming
from adapters.web.hook.outgoing import Poster
from adapters.web.hook.settings import HookSettings, WebhookSettings
from adapters.web.listener import Listener
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
    Sent,
    Unreachable,
)
from bridge.model import Author, Place, Roster

_MAX_TEXT: Final = 100_000
_SHOWN: Final[Mapping[Feature, Level]] = dict.fromkeys(
    (
        Feature.FORMATTING,
        Feature.EMOTE,
        Feature.EDIT,
        Feature.DELETE,
        Feature.MODERATION,
        Feature.REACTION,
        Feature.REPLY,
        Feature.TOPIC,
        Feature.MENTION,
        Feature.NAME,
        Feature.SUBJECT,
        Feature.TITLE,
    ),
    Level.FULL,
) | {Feature.MEMBERSHIP: Level.PARTLY}
_HEARD: Final[Mapping[Feature, Level]] = dict.fromkeys(
    (
        Feature.FORMATTING,
        Feature.EMOTE,
        Feature.EDIT,
        Feature.DELETE,
        Feature.MODERATION,
        Feature.REACTION,
        Feature.REPLY,
        Feature.TOPIC,
        Feature.FILE,
        Feature.MENTION,
        Feature.NAME,
    ),
    Level.FULL,
)
_HEARD_BY_TEMPLATE: Final[Mapping[Feature, Level]] = {
    Feature.NAME: Level.FULL,
    Feature.TOPIC: Level.FULL,
}


CAPABILITIES: Final = Capabilities(
    own_names=True,
    max_text=_MAX_TEXT,
    knows_own_copies=True,
    dialect=Dialect.HTML,
    shows=_SHOWN,
    hears=_HEARD,
    notes={
        Feature.FILE: "a system is given a link to a file",
        Feature.MEMBERSHIP: "a system is told who comes and goes, not who is there already",
    },
)
"""Of a system that speaks the bridge's own format, is posted to and posts."""

CAPABILITIES_BY_TEMPLATE: Final = replace(CAPABILITIES, hears=_HEARD_BY_TEMPLATE)
"""Of a system whose own JSON a template makes messages of."""


def capabilities(hook: HookSettings) -> Capabilities:
    """What the system behind a hook is told, and can tell."""
    best = CAPABILITIES if hook.text is None else CAPABILITIES_BY_TEMPLATE
    return replace(
        best,
        dialect=hook.dialect,
        shows=best.shows if hook.url else dict.fromkeys(Feature, Level.REFUSED),
        hears=best.hears if hook.secret else {},
    )


class WebhookNetwork:
    """Systems that post, and are posted to. Implements `bridge.contract.Network`."""

    def __init__(self, network: str, name: str, settings: WebhookSettings, inlet: Inlet) -> None:
        self._network = network
        self._name = name or network
        self._settings = settings
        self._inlet = inlet
        self._capabilities = {key: capabilities(hook) for key, hook in settings.hooks.items()}
        self._linked: set[str] = set()
        self._incoming = Incoming(network, settings.hooks, self._linked, inlet)
        self._poster = Poster(self._name)
        self._session: aiohttp.ClientSession | None = None
        self._opened: asyncio.Queue[str] = asyncio.Queue()
        self._wanted: set[str] = set()
        self._state: Health | None = None

    # --- bridge.contract.Outlet

    def capabilities(self, place_id: str) -> Capabilities:
        """What the system behind a hook is told."""
        return self._capabilities.get(place_id) or _UNKNOWN

    async def send(self, outgoing: Outgoing) -> Sent:
        """Post an event; see `Outlet.send`."""
        hook = self._settings.hooks.get(outgoing.place.id)
        if hook is None:
            raise Unreachable(_no_hook(outgoing.place.id))
        if self._session is None:
            raise Unreachable(f"{self._name} is not connected yet.")
        return await self._poster.post(self._session, hook, outgoing)

    async def find(self, outgoing: Outgoing) -> Sent | None:  # noqa: ARG002 - see Outlet.find
        """Systems know by its id what they were given before, so posting it again is harmless."""
        return None

    # --- bridge.contract.Network

    async def run(self) -> None:
        """Listen until cancelled."""
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            self._session = session
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._welcome())
                    if self._settings.listens:
                        address = self._settings.address
                        listener = Listener(address, self._incoming.handle, MAX_BYTES)
                        group.create_task(listener.run(self._listens))
                    else:
                        self._listens("")
            finally:
                self._session = None

    async def open(
        self,
        group: str,
        present: Sequence[Author],  # noqa: ARG002 - systems are not told who is there at first
        catch_up: CatchUp = NEVER_HEARD,  # noqa: ARG002 - systems post again what was not taken
    ) -> None:
        """Take what a system posts from now on."""
        self._wanted.add(group)
        await self._opened.put(group)

    async def close(self, group: str) -> None:
        """Take nothing of it any more."""
        self._wanted.discard(group)
        self._linked.discard(group)

    async def check(self, groups: Sequence[str]) -> Sequence[Finding]:
        """Look at the port and at each hook; see `bridge.contract.Network.check`."""
        return await examine(self._settings, self._name, groups)

    async def _welcome(self) -> None:
        """Say of each hook that is opened that nobody is known to be there, and let it in."""
        while True:
            name = await self._opened.get()
            if name not in self._wanted:
                continue
            if name not in self._settings.hooks:
                health = Health(up=False, reason=_no_hook(name), group=name, lasting=True)
                self._inlet.health(health)
                continue
            await self._inlet.receive([Roster(Place(self._network, name), (), datetime.now(UTC))])
            if name in self._wanted:
                self._linked.add(name)
                self._inlet.health(Health(up=True, group=name))

    def _listens(self, why_not: str) -> None:
        health = Health(up=not why_not, reason=why_not, lasting=bool(why_not))
        if health != self._state:
            self._state = health
            self._inlet.health(health)


def _no_hook(name: str) -> str:
    return f'No hook is called "{name}" in the configuration.'


_UNKNOWN: Final = Capabilities(own_names=True, max_text=_MAX_TEXT, knows_own_copies=True)
