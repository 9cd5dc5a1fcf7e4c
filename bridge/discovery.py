"""Finds adapters by type, among all packages that are installed.

An adapter is named by an entry point of the group `consilium.adapters`, whose name is the `type` in
the configuration. It is imported when a network of that type is configured, not before.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from bridge.contract import Adapter, Settings
from bridge.errors import AdapterError
from bridge.wording import listed, nearest

GROUP = "consilium.adapters"


@cache
def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def forget() -> None:
    """Look anew at what is installed, the next time it is asked for."""
    _installed.cache_clear()


def known_types() -> tuple[str, ...]:
    """The types of networks that can be configured here."""
    return tuple(sorted(_installed()))


def find_adapter(kind: str) -> type[Adapter]:
    """The adapter for networks of type `kind`.

    Raises:
        AdapterError: there is none, it can't be imported, or it is no adapter.
    """
    point = _installed().get(kind)
    if point is None:
        meant = nearest(kind, known_types())
        raise AdapterError(
            "no adapter of this type is installed.",
            f'Did you mean "{meant}"?' if meant else f"Known types: {listed(known_types())}.",
        )
    try:
        found = point.load()
    except Exception as error:  # what a package of others may raise at import can't be known
        raise AdapterError(
            f"the adapter {point.value} can't be loaded ({type(error).__name__}: {error}).",
            "Install its package anew.",
        ) from error
    settings = getattr(found, "settings", None)
    if not (isinstance(settings, type) and issubclass(settings, Settings)):
        raise AdapterError(
            f"{point.value} is not an adapter: its settings are no bridge.contract.Settings.",
            "Tell those who made it.",
        )
    return cast("type[Adapter]", found)
