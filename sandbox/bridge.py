"""The bridge itself as a process of its own, run from a configuration made for the sandbox."""

import asyncio
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import yaml
from yarl import URL

from sandbox.appservice import AppService
from sandbox.hospital import HOSPITALS, Hospital
from sandbox.ports import LOOPBACK, is_listening
from sandbox.process import Process
from sandbox.prosody import Prosody

_POLL_SECONDS = 0.03
_REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=20)


@dataclass(frozen=True)
class BridgeConfig:
    """What goes into the configuration file: the app service, the networks and the portals.

    Each portal maps a Matrix room to the groups `(network, group, direction)` linked to it; an
    empty direction is left out of the file. `more` are further sections.
    """

    app_service: AppService
    homeserver_url: str
    domain: str
    networks: Mapping[str, Mapping[str, Any]]
    portals: Mapping[str, Sequence[tuple[str, str, str]]] = field(default_factory=dict)
    database_url: str = "sqlite:///consilium.db"
    more: Mapping[str, Any] = field(default_factory=dict)

    def content(self) -> dict[str, Any]:
        """The file's content."""
        service = self.app_service
        return {
            "homeserver": {"url": self.homeserver_url, "domain": self.domain},
            "appservice": {
                "id": service.id,
                "url": service.url,
                "host": LOOPBACK,
                "port": service.port,
                "as_token": service.as_token,
                "hs_token": service.hs_token,
                "bot": service.bot,
                "ghost_prefix": service.ghosts,
            },
            "database": {"url": self.database_url},
            "media": {
                "directory": "media",  # of its own: many bridges run here at once
                "allow_hosts": [f"{LOOPBACK}/32"],  # where the sandbox keeps files
            },
            "networks": {id_: dict(network) for id_, network in self.networks.items()},
            "portals": [
                {
                    "room": room,
                    "links": [_link(*link) for link in links],
                }
                for room, links in self.portals.items()
            ],
            **self.more,
        }

    def write(self, path: Path) -> Path:
        """Write the file, readable by its owner alone."""
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(self.content(), sort_keys=False, allow_unicode=True))
        return path


def _link(network: str, group: str, direction: str) -> dict[str, str]:
    link = {"network": network, "group": group}
    return {**link, "direction": direction} if direction else link


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP."""

    status: int
    body: bytes
    content_type: str

    @property
    def errcode(self) -> str:
        """The Matrix error code, of an answer that is a Matrix error."""
        error = json.loads(self.body)
        return str(error["errcode"])


class Bridge(Process):
    """The bridge, ready when it says so itself.

    Its configuration is written anew at each start, so `config` may be changed in between.
    """

    def __init__(self, directory: Path, config: BridgeConfig, *options: str) -> None:
        """Take the directory for a bridge with this configuration; `options` go to the command."""
        self.config = config
        self._config_file = directory / "config.yaml"
        super().__init__(
            "the bridge",
            [sys.executable, "-m", "bridge", *options, "--config", self._config_file, "run"],
            log=directory / "bridge.log",
            ready=self._is_ready_itself,
            directory=directory,
        )

    async def launch(self) -> None:
        """Write the configuration and run the bridge, be its servers up yet or not."""
        self._config_file.parent.mkdir(parents=True, exist_ok=True)
        self.config.write(self._config_file)
        await super().launch()

    async def until_it_listens(self, timeout: float = 10.0) -> None:
        """Return once it answers on its port, be it ready to work or not."""
        async with asyncio.timeout(timeout):
            while not await is_listening(self.config.app_service.port):  # noqa: ASYNC110 -- no event
                await asyncio.sleep(_POLL_SECONDS)

    async def push(self, transaction: str, body: bytes, token: str | None = None) -> Answer:
        """Push a transaction as the homeserver does, of any content; `token` is the right one."""
        token = self.config.app_service.hs_token if token is None else token
        path = f"/_matrix/app/v1/transactions/{quote(transaction, safe='')}"
        return await self.ask("PUT", path, body, {"Authorization": f"Bearer {token}"})

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Any request to the bridge's own port."""
        url = URL(self.config.app_service.url + path, encoded=True)
        async with (
            aiohttp.ClientSession(timeout=_REQUEST_TIMEOUT) as http,
            http.request(method, url, data=body, headers=headers) as response,
        ):
            return Answer(response.status, await response.read(), response.content_type)

    async def _is_ready_itself(self) -> bool:
        try:
            async with (
                aiohttp.ClientSession(timeout=_REQUEST_TIMEOUT) as http,
                http.get(f"{self.config.app_service.url}/ready") as response,
            ):
                return response.status == 200
        except (aiohttp.ClientConnectionError, TimeoutError):
            return False


def component_networks(
    prosody: Prosody, hospitals: Iterable[Hospital] = HOSPITALS
) -> dict[str, dict[str, Any]]:
    """The hospitals' XMPP services by network id, the bridge as a component of each: everyone is
    there under their own name.
    """
    return {
        hospital.network: {
            "type": "xmpp",
            "name": hospital.name,
            "mode": "component",
            "jid": hospital.component,
            "secret": hospital.component_secret,
            "host": prosody.address,
            "port": prosody.component_port,
        }
        for hospital in hospitals
    }


def account_network(
    prosody: Prosody, jid: str, password: str, name: str, nick: str = "Consilium"
) -> dict[str, Any]:
    """An XMPP service with the bridge as one account, which posts for everyone."""
    return {
        "type": "xmpp",
        "name": name,
        "mode": "account",
        "jid": jid,
        "password": password,
        "host": prosody.address,
        "port": prosody.client_port,
        "tls": "off",
        "nick": nick,
    }
