"""The homeserver as a whole: is it up, does it know the bridge, and does it reach it?

Each way in which that can fail has a sentence of its own, and says what to do.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

import structlog

from bridge.config.schema import Config
from bridge.contract import Finding, Unreachable
from bridge.errors import ConsiliumError, HomeserverError
from bridge.matrix.client import V3, ActingClient, path_of
from bridge.matrix.connection import Answer, Connection
from bridge.matrix.faults import Denied, TokenRejected, fault
from bridge.matrix.ghost_ids import GhostIds
from bridge.matrix.ping import WRITE_ANEW, no_way_back, ping_fault, reached_all_the_same
from bridge.matrix.raw import JsonObject, text_at
from bridge.matrix.server import AppserviceServer, PortTaken

log = structlog.get_logger(__name__)

_VERSIONS: Final = "/_matrix/client/versions"
_ANSWER_SECONDS: Final = 8.0
_PING_SECONDS: Final = 12.0
_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 30.0
_CHECK_URL: Final = "Check that it runs, and url under homeserver."


class Homeserver:
    """Questions about the homeserver, each of which raises what is wrong.

    Args:
        config: the whole configuration.
        bot: the bot's client.
    """

    def __init__(self, config: Config, bot: ActingClient) -> None:
        self._config = config
        self._bot = bot
        self._connection = bot.connection
        self._url = bot.connection.url

    async def wait_until_up(self) -> None:
        """Return once the homeserver answers; tell once for each new reason to wait."""
        delay, told = _FIRST_DELAY, ""
        while True:
            try:
                await self._reach()
            except HomeserverError as error:
                if error.sentence != told:
                    told = error.sentence
                    log.warning("waiting_for_homeserver", reason=str(error))
            else:
                if told:
                    log.info("homeserver_is_up", url=self._url)
                return
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load
            delay = min(delay * 2, _LONGEST_DELAY)

    async def ensure_bot(self) -> None:
        """See to it that the bot's user exists and has its name.

        Raises:
            HomeserverError: the homeserver won't.
            Unreachable: it can't now.
        """
        service, bot = self._config.appservice, self._config.bot_id
        try:
            await self._bot.register_user(service.bot)
        except Denied as error:
            raise HomeserverError(
                f"The homeserver does not let the bridge make its bot {bot}: {error.said}",
                WRITE_ANEW,
            ) from error
        profile = path_of("profile", bot, "displayname")
        try:
            present = await self._bot.call("GET", profile)
        except Denied as error:
            if not error.missing:
                raise
            present = {}
        if text_at(present, "displayname") == service.bot_name:
            return
        try:
            await self._bot.set_displayname(service.bot_name)
        except Denied as error:
            log.warning("bot_not_named", reason=error.said)

    async def ping_through(self) -> int:
        """Go the whole way round: the homeserver is asked to call the bridge.

        https://spec.matrix.org/v1.19/application-service-api/#post_matrixclientv1appserviceappserviceidping

        Returns:
            Milliseconds from the homeserver to the bridge and back.

        Raises:
            HomeserverError: what is wrong, and what to do.
        """
        await self._reach()
        await self._be_recognised()
        await self._own_ghosts()
        return await self._ping()

    async def diagnose(self) -> Finding:
        """Go the whole way round, and tell how that went."""
        try:
            duration = await self.ping_through()
        except ConsiliumError as error:
            return _bad(error)
        sentence = f"{self._url} knows the bridge, and reaches it in {duration} ms."
        return Finding(ok=True, subject="homeserver", sentence=sentence)

    async def _reach(self) -> None:
        answer = await self._ask("GET", _VERSIONS)
        if answer.status >= 500 or answer.status == 429:
            raise HomeserverError(
                f"The homeserver at {self._url} has a fault (status {answer.status}).",
                "Wait, or look into its log.",
            )
        if isinstance(self._fault(answer), TokenRejected):
            return  # Synapse checks the token even here; that it is wrong is told later
        versions = answer.body.get("versions") if answer.body is not None else None
        if answer.status != 200 or not isinstance(versions, list):
            raise HomeserverError(
                f"What answers at {self._url} is not a Matrix homeserver (status {answer.status}).",
                "Check url under homeserver: address, port and path.",
            )

    async def _be_recognised(self) -> None:
        """https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3accountwhoami."""
        answer = await self._ask("GET", f"{V3}/account/whoami")
        error = self._fault(answer)
        if isinstance(error, TokenRejected):
            raise HomeserverError(
                f"The homeserver at {self._url} does not know the bridge's as_token: the bridge is"
                " not registered there, or with another token.",
                WRITE_ANEW,
            )
        if error is not None:
            raise HomeserverError(error.sentence, WRITE_ANEW)
        who, bot = text_at(answer.body or {}, "user_id"), self._config.bot_id
        if who == bot:
            return
        local, _, domain = who.partition(":")
        if domain != self._config.homeserver.domain and local in self._own_localparts():
            raise HomeserverError(
                f"The homeserver calls itself {domain}, the configuration"
                f" {self._config.homeserver.domain}.",
                f"Write domain: {domain} under homeserver.",
            )
        if await self._claims_bot():
            return
        raise HomeserverError(
            f"At the homeserver the as_token belongs to {who}, not to the bot {bot}.", WRITE_ANEW
        )

    def _own_localparts(self) -> set[str]:
        return {each.partition(":")[0] for each in (self._config.bot_id, self._config.sender_id)}

    async def _claims_bot(self) -> bool:
        """Whether the registration claims the bot, which need not exist yet."""
        query = urlencode({"user_id": self._config.bot_id})
        answer = await self._ask("GET", f"{V3}/account/whoami?{query}")
        error = self._fault(answer)
        if isinstance(error, Denied):
            return error.forbidden and not _outside_namespace(error)
        return text_at(answer.body or {}, "user_id") == self._config.bot_id

    async def _own_ghosts(self) -> None:
        """Whether ghosts are in the bridge's namespace, without making one.

        The specification has no endpoint that tells; homeservers refuse to let the bridge act as
        the ghost in any case, since it does not exist, but give another reason.
        """
        ghost = GhostIds(self._config).of("consilium", "check")
        client = self._bot.acting_as(ghost)
        try:
            await client.call("GET", f"{V3}/account/whoami", timeout=_ANSWER_SECONDS)
        except Denied as error:
            if not _outside_namespace(error):
                return
            prefix = self._config.appservice.ghost_prefix
            raise HomeserverError(
                f"The homeserver keeps the bridge from acting as its ghosts: names that begin with"
                f" {prefix} are not the bridge's in the registration.",
                WRITE_ANEW,
            ) from error
        except Unreachable as error:
            raise HomeserverError(error.sentence, "Look into the homeserver's log.") from error

    async def _ping(self) -> int:
        path = f"/_matrix/client/v1/appservice/{self._config.appservice.id}/ping"
        body = {"transaction_id": secrets.token_hex(8)}
        begun = time.monotonic()
        try:
            answer = await self._connection.exchange("POST", path, body, timeout=_PING_SECONDS)
        except Unreachable as error:
            raise no_way_back(f"no answer in {_PING_SECONDS:.0f} seconds", self._config) from error
        if answer.status == 200 and answer.body is not None:
            duration = answer.body.get("duration_ms")
            return duration if isinstance(duration, int) else 0
        if reached_all_the_same(answer):
            return round((time.monotonic() - begun) * 1000)
        raise ping_fault(answer, self._config)

    async def _ask(self, method: str, path: str) -> Answer:
        try:
            return await self._connection.exchange(method, path, timeout=_ANSWER_SECONDS)
        except Unreachable as error:
            raise HomeserverError(error.sentence, _CHECK_URL) from error

    def _fault(self, answer: Answer) -> Denied | Unreachable | None:
        if answer.status == 200 and answer.body is not None:
            return None
        return fault(answer.status, answer.body, answer.retry_after, self._url)


def _outside_namespace(error: Denied) -> bool:
    said = error.said.lower()
    return error.errcode == "M_EXCLUSIVE" or "masquerade" in said or "namespace" in said


def _bad(error: ConsiliumError) -> Finding:
    return Finding(ok=False, subject="homeserver", sentence=error.sentence, advice=error.advice)


class _Deaf:
    """Takes no transaction, so that the homeserver keeps it for the bridge."""

    async def accept(
        self,
        txn_id: str,
        events: Sequence[JsonObject],  # noqa: ARG002 - the port names it
        ephemeral: Sequence[JsonObject],  # noqa: ARG002
    ) -> None:
        msg = f"The bridge is only checking; transaction {txn_id} must be repeated."
        raise ConsiliumError(msg)


async def diagnose(config: Config) -> Sequence[Finding]:
    """Try the homeserver from outside of a running bridge, which may or may not be running.

    If it is not, its address is listened on for the time of the check; what the homeserver pushes
    meanwhile is not taken. If something listens there already, that has to be the bridge: the ping
    tells if it is another.
    """
    token = config.appservice.as_token.get_secret_value()
    async with Connection(config.homeserver.url, token) as connection:
        bot = ActingClient(connection, config.bot_id, config.sender_id)
        homeserver = Homeserver(config, bot)
        server = AppserviceServer(config.appservice, _Deaf())
        try:
            await server.start()
        except PortTaken:
            return [await homeserver.diagnose()]
        except ConsiliumError as error:
            return [_bad(error)]
        try:
            return [await homeserver.diagnose()]
        finally:
            await server.stop()
