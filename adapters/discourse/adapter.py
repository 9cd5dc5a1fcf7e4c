"""The adapter's door: what the bridge finds through the entry point."""

import re
from collections.abc import Mapping
from typing import ClassVar, Final
from urllib.parse import unquote

from adapters.discourse.network import DiscourseNetwork
from adapters.discourse.settings import DiscourseSettings
from adapters.discourse.site import Site
from bridge.contract import Capabilities, Inlet, Settings

_LOOKS: Final = "a category is its number, as 5, or its slugs, as medicine/cardiology"
_PATH: Final = re.compile(r"[\w-]+(/[\w-]+){0,2}")
_NUMBER: Final = re.compile(r"0*([1-9][0-9]{0,8})")


class DiscourseAdapter:
    """Makes networks of Discourse forums. Implements `bridge.contract.Adapter`."""

    settings: ClassVar[type[Settings]] = DiscourseSettings

    @staticmethod
    def normalise(group: str) -> str:
        """The category's number, or its slugs with those of the categories above it, in small
        letters. Its address in a browser is understood, too.

        Raises:
            ValueError: it can't be a category.
        """
        text = unquote(group.strip())
        if "://" in text or text.startswith(("/c/", "c/")):
            text = f"/{text}".partition("/c/")[2].partition("?")[0].partition("/l/")[0]
        text = text.strip("/").lower()
        number = _NUMBER.fullmatch(text.rpartition("/")[2])
        if number:
            return number[1]
        if not _PATH.fullmatch(text) or text.replace("/", "").isdigit():
            msg = f"{group!r} is no category: {_LOOKS}"
            raise ValueError(msg)
        return text

    @staticmethod
    def declared() -> Mapping[str, Capabilities]:
        """What forums can show and tell; see `bridge.contract.Declaring`."""
        return {"": Site("", staff=True).capabilities()}

    @staticmethod
    def create(
        *, network: str, name: str, settings: DiscourseSettings, inlet: Inlet
    ) -> DiscourseNetwork:
        """Make a network, not yet connected; see `bridge.contract.Adapter.create`."""
        return DiscourseNetwork(network, name, settings, inlet)
