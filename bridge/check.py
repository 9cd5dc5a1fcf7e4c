"""`consilium check`: tries every part once and says what to do about those that are not well.

The parts are tried side by side, told in a fixed order, and one that breaks is a finding as well.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from bridge.config.load import LoadedConfig, LoadedNetwork
from bridge.contract import Finding, Health, Missed, Picture
from bridge.errors import ConsiliumError, leaves
from bridge.model import Author, Event, Signal
from bridge.wording import counted

PART_SECONDS = 25.0
"""How long each part may take; the contract bounds a network's own check to 20 seconds."""

_log = structlog.get_logger()

Probe = Callable[[LoadedConfig], Awaitable[Sequence[Finding]]]
"""Tries one part. May raise: that is told as a finding."""


@dataclass(frozen=True, slots=True)
class Probes:
    """How the parts that all networks share are tried."""

    database: Probe
    homeserver: Probe


async def check(loaded: LoadedConfig, probes: Probes, tell: Callable[[Finding], None]) -> bool:
    """Try everything that a configuration names.

    Args:
        loaded: the configuration.
        probes: how to try what is not a network.
        tell: takes each finding as soon as all before it are told.

    Returns:
        Whether all is well.
    """
    well = True
    async with asyncio.TaskGroup() as group:
        waiting = [
            group.create_task(_guarded(subject, probing))
            for subject, probing in (
                ("config", _config(loaded)),
                ("database", probes.database(loaded)),
                ("homeserver", probes.homeserver(loaded)),
                *((network.id, _network(loaded, network)) for network in loaded.networks.values()),
            )
        ]
        for task in waiting:
            for finding in await task:
                well = well and finding.ok
                tell(finding)
    return well


async def _guarded(subject: str, probing: Awaitable[Sequence[Finding]]) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(PART_SECONDS):
            return await probing
    except TimeoutError:
        sentence = f"No answer within {PART_SECONDS:.0f} seconds."
        return [_bad(subject, sentence, "Check its address, and firewalls in between.")]
    except Exception as error:  # noqa: BLE001 - what breaks in an adapter is a finding, and is logged
        return [_broken(subject, leaf) for leaf in leaves(error)]


def _broken(subject: str, error: BaseException) -> Finding:
    if isinstance(error, ConsiliumError):
        return _bad(subject, error.sentence, error.advice)
    _log.debug("check_failed", part=subject, exc_info=error)
    sentence = f"The check itself failed ({type(error).__name__})."
    return _bad(subject, sentence, "See more with: consilium -v check")


def _bad(subject: str, sentence: str, advice: str = "") -> Finding:
    return Finding(ok=False, subject=subject, sentence=sentence, advice=advice)


async def _config(loaded: LoadedConfig) -> Sequence[Finding]:
    if loaded.stand_ins:
        return [_bad("config", problem.told(loaded.path)) for problem in loaded.stand_ins]
    networks = counted(len(loaded.networks), "network")
    portals = counted(len(loaded.config.portals), "portal")
    sentence = f"{loaded.path} is well: {networks}, {portals}."
    return [Finding(ok=True, subject="config", sentence=sentence)]


async def _network(loaded: LoadedConfig, network: LoadedNetwork) -> Sequence[Finding]:
    made = network.adapter.create(
        network=network.id, name=network.name, settings=network.settings, inlet=_Nobody()
    )
    return await made.check(loaded.groups(network.id))


class _Nobody:
    """An inlet for a check: nothing that is heard meanwhile goes anywhere, nor is acknowledged."""

    async def receive(self, events: Sequence[Event]) -> None:  # noqa: ARG002 - the port names it
        msg = "The bridge is only checking."
        raise ConsiliumError(msg)

    async def sent(self, group: str, keys: Collection[str]) -> Mapping[str, str | None]:  # noqa: ARG002
        return {}

    def signal(self, signal: Signal) -> None:
        _log.debug("signal_in_check", place=str(signal.place))

    async def avatar(self, author: Author) -> Picture | None:  # noqa: ARG002 - the port names it
        return None

    async def recorded(self, group: str, ids: Collection[str]) -> Mapping[str, datetime]:  # noqa: ARG002
        return {}

    def missed(self, missed: Missed) -> None:
        _log.debug("missed_in_check", reason=missed.reason)

    def health(self, health: Health) -> None:
        _log.debug("health_in_check", up=health.up, reason=health.reason)
