"""One forum: asked again and again, told by its webhooks, and posted to."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
import structlog

from adapters.discourse.api import Api
from adapters.discourse.check import examine
from adapters.discourse.credentials import Credentials
from adapters.discourse.errors import Declined
from adapters.discourse.files import MAX_BYTES as LONGEST_FILE
from adapters.discourse.files import SECONDS as FILE_SECONDS
from adapters.discourse.files import Downloads
from adapters.discourse.finding import Finder
from adapters.discourse.hooks import MAX_BYTES, Hooks
from adapters.discourse.listening import Group, Listening
from adapters.discourse.saying import Saying
from adapters.discourse.settings import DiscourseSettings
from adapters.discourse.site import Site
from adapters.web.fetching import Fetcher
from adapters.web.listener import Listener
from adapters.web.waiting import backoff, spread
from bridge.contract import (
    NEVER_HEARD,
    Capabilities,
    CatchUp,
    Finding,
    Health,
    Inlet,
    Outgoing,
    Sent,
    Unreachable,
)
from bridge.model import Attachment, Author, Place

log = structlog.get_logger(__name__)

_FIRST_DELAY: Final = 5.0
_LONGEST_DELAY: Final = 600.0
_FRESH_SECONDS: Final = 3_600.0
"""How long what the forum says of itself is taken to be so."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds; tests have shorter ones. `ask`: between two questions, None as it is configured."""

    ask: float | None = None
    answer: float = 30.0
    first_delay: float = _FIRST_DELAY


@dataclass(frozen=True, slots=True)
class _Connected:
    """What there is while the forum can be reached."""

    api: Api
    site: Site
    listening: Listening
    saying: Saying
    since: float


class DiscourseNetwork:
    """A forum. Implements `bridge.contract.Network` and `bridge.contract.MediaSource`."""

    def __init__(
        self,
        network: str,
        name: str,
        settings: DiscourseSettings,
        inlet: Inlet,
        timing: Timing | None = None,
    ) -> None:
        self._network = network
        self._name = name or network
        self._settings = settings
        self._inlet = inlet
        self._timing = timing or Timing()
        self._credentials = Credentials(settings)
        self._finder = Finder()
        self._fetcher = Fetcher(LONGEST_FILE, FILE_SECONDS)
        self._downloads = Downloads(settings.url, self._credentials, self._fetcher)
        self._groups: dict[str, Group] = {}
        self._welcomed: set[str] = set()
        self._states: dict[str | None, Health] = {}
        self._connected: _Connected | None = None
        self._capabilities = Site(settings.username).capabilities()
        self._why_down = f"{self._name} is not connected yet."
        self._turn = asyncio.Lock()
        self._woken = asyncio.Event()

    # --- bridge.contract.Outlet

    def capabilities(self, place_id: str) -> Capabilities:  # noqa: ARG002 - all are alike
        """What its categories can show."""
        return self._capabilities

    async def send(self, outgoing: Outgoing) -> Sent:
        """Post, edit, delete or like; see `Outlet.send`."""
        return await self._now().saying.send(outgoing)

    async def find(self, outgoing: Outgoing) -> Sent | None:
        """Look a post up; see `Outlet.find`."""
        return await self._now().saying.find(outgoing)

    def download(self, attachment: Attachment) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """A file or picture of the forum; see `bridge.contract.MediaSource`."""
        return self._downloads.open(attachment)

    def _now(self) -> _Connected:
        if self._connected is None:
            raise Unreachable(self._why_down)
        return self._connected

    # --- bridge.contract.Network

    async def run(self) -> None:
        """Ask and listen until cancelled."""
        async with (
            self._fetcher,
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(self._keep_asking(session))
            secret = self._settings.webhook_secret
            if secret is not None:
                path = self._settings.webhook_path
                hooks = Hooks(self._network, path, secret.get_secret_value(), self._told)
                listener = Listener(self._settings.address, hooks.handle, MAX_BYTES)
                group.create_task(listener.run(self._listens))

    async def open(
        self,
        group: str,
        present: Sequence[Author],  # noqa: ARG002 - a forum shows nobody
        catch_up: CatchUp = NEVER_HEARD,
    ) -> None:
        """Hear a category from now on; does not wait for it."""
        await self.close(group)
        chat = self._settings.chat_topics.get(group)
        self._groups[group] = Group(Place(self._network, group), catch_up, datetime.now(UTC), chat)
        self._woken.set()

    async def close(self, group: str) -> None:
        """Hear a category no longer."""
        self._groups.pop(group, None)
        self._welcomed.discard(group)
        self._states.pop(group, None)
        if self._connected is not None:
            self._connected.listening.hearing.forget_place(Place(self._network, group))

    async def check(self, groups: Sequence[str]) -> Sequence[Finding]:
        """Try the key, the port and each category; see `bridge.contract.Network.check`."""
        return await examine(self._settings, self._name, groups)

    # --- asking

    async def _keep_asking(self, session: aiohttp.ClientSession) -> None:
        failures = 0
        while True:
            try:
                async with self._turn:
                    await self._ask(session)
            except Unreachable as error:
                failures += 1
                self._down(error.sentence, lasting=False)
                delay = backoff(failures, self._timing.first_delay, _LONGEST_DELAY)
                await asyncio.sleep(max(delay, error.retry_after or 0.0))
            except Declined as error:
                failures += 1
                self._down(str(error), lasting=True)
                await asyncio.sleep(backoff(failures, 4 * self._timing.first_delay, _LONGEST_DELAY))
            else:
                failures = 0
                await self._pause()

    async def _pause(self) -> None:
        """Wait until it is time to ask again, or a category is opened."""
        every = self._timing.ask or float(self._settings.seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(spread(every)):
                await self._woken.wait()

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        self._woken.clear()
        connected = await self._connect(session)
        for name, group in list(self._groups.items()):
            if name not in self._welcomed:
                await self._welcome(connected, name, group)
        await connected.listening.ask(connected.api)
        self._up()

    async def _connect(self, session: aiohttp.ClientSession) -> _Connected:
        """What there is already, or else the forum is asked who it is."""
        now, old = asyncio.get_running_loop().time(), self._connected
        if old is not None and now - old.since < _FRESH_SECONDS:
            return old
        api = Api(self._settings, self._name, self._credentials, session, self._timing.answer)
        site = await Site.load(api)
        if old is not None and old.site.username == site.username:
            listening = old.listening
            listening.site = site
        else:
            listening = Listening(self._network, site, self._inlet)
            await listening.begin(api)
            self._welcomed.clear()
        chats = self._settings.chat_topics
        saying = Saying(
            api,
            site,
            listening.hearing,
            self._credentials,
            self._finder,
            self._network,
            self._name,
            chats,
        )
        self._connected = _Connected(api, site, listening, saying, now)
        self._capabilities = site.capabilities()
        self._up()
        return self._connected

    async def _welcome(self, connected: _Connected, name: str, group: Group) -> None:
        try:
            await connected.listening.welcome(connected.api, group)
        except Declined as error:
            self._report(Health(up=False, reason=str(error), group=name, lasting=True))
            return
        if self._groups.get(name) is group:
            self._welcomed.add(name)
            self._report(Health(up=True, group=name))
        else:
            connected.listening.hearing.forget_place(group.place)

    # --- being told

    async def _told(self, event: str, payload: Mapping[str, Any]) -> bool:
        async with self._turn:
            if self._connected is None:
                return False
            await self._connected.listening.told(event, dict(payload))
            return True

    def _listens(self, why_not: str) -> None:
        """A port that can't be had makes things slow, and loses nothing."""
        if why_not:
            log.warning("forum_hooks_not_heard", network=self._network, reason=why_not)

    # --- health

    def _down(self, why: str, *, lasting: bool) -> None:
        self._why_down = why
        if lasting:
            self._connected = None
        self._report(Health(up=False, reason=why, lasting=lasting))

    def _up(self) -> None:
        self._report(Health(up=True))

    def _report(self, health: Health) -> None:
        if self._states.get(health.group) != health:
            self._states[health.group] = health
            self._inlet.health(health)
