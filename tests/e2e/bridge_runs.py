"""A bridge under test: run as a process, and expected to behave whatever happens to it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.appservice import AppService
from sandbox.bridge import Bridge, BridgeConfig, component_networks
from sandbox.prosody import Prosody
from sandbox.synapse import Synapse

Links = Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Site:
    """Where a bridge can be run: between these servers, as this application service."""

    synapse: Synapse
    prosody: Prosody
    app_service: AppService
    directory: Path
    database_url: str

    def bridge(
        self,
        portals: Mapping[str, Links],
        networks: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Bridge:
        """A bridge with these portals, a component at both hospitals unless told otherwise."""
        config = BridgeConfig(
            self.app_service,
            self.synapse.url,
            self.synapse.server_name,
            networks or component_networks(self.prosody),
            portals,
            self.database_url,
        )
        return Bridge(self.directory, config)


@asynccontextmanager
async def running(bridge: Bridge) -> AsyncIterator[Bridge]:
    """Run it; at the end it has to stop as asked, and must have met nothing unexpected."""
    async with bridge:
        yield bridge
        assert await bridge.stop() == 0
    assert_well_behaved(bridge)


def assert_well_behaved(bridge: Bridge) -> None:
    """It met nothing that it did not expect, and told no secret."""
    log = bridge.log.read_text()
    for sign in ("Traceback", "never retrieved", "Task was destroyed"):
        assert sign not in log, log[max(0, log.index(sign) - 1000) :][:5000]
    service = bridge.config.app_service
    for secret in (service.as_token, service.hs_token):
        assert secret not in log
