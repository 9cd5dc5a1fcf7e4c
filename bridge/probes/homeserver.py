"""Tries the homeserver: does it answer, know the bridge, and reach it? Then the portals' rooms,
and encryption.
"""

from collections.abc import Sequence

from bridge.config.load import LoadedConfig
from bridge.contract import Finding
from bridge.matrix.homeserver import diagnose
from bridge.probes.encryption import encryption
from bridge.probes.rooms import rooms


async def homeserver(loaded: LoadedConfig) -> Sequence[Finding]:
    """Go the whole way round; if that is well, look at the portals' rooms.

    Raises:
        Refused: the homeserver does not let the bot look at the rooms.
        Unreachable: the homeserver went away meanwhile.
    """
    findings = await diagnose(loaded.config)
    if all(finding.ok for finding in findings):
        return [*findings, *await rooms(loaded), *await encryption(loaded)]
    return findings
