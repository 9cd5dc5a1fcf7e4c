"""What the configuration says of links, as the parts on an event's way ask for it."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from bridge.config.load import LoadedConfig
from bridge.delivery.restraint import QuietHours, Restraint
from bridge.model import Place
from bridge.portals.policy import EVERYTHING, Policy


def policies(loaded: LoadedConfig) -> Callable[[Place], Policy]:
    """What may cross a link, and how it is introduced."""
    found = {
        link.place: Policy(frozenset(link.policy.carry), link.policy.byline)
        for link in loaded.config.links
    }
    return lambda place: found.get(place, EVERYTHING)


def restraints(loaded: LoadedConfig) -> Callable[[Place], Restraint | None]:
    """When a link may not be sent to; None for one that always may."""
    zone = ZoneInfo(loaded.config.status.timezone)
    found: dict[Place, Restraint] = {}
    for link in loaded.config.links:
        quiet, most = link.policy.quiet, link.policy.most_per_hour
        if quiet is not None or most is not None:
            hours = None if quiet is None else QuietHours(*quiet, zone)
            found[link.place] = Restraint(hours, most, zone)
    return found.get
