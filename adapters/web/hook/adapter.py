"""The adapter's door: what the bridge finds through the entry point."""

import re
from collections.abc import Mapping
from typing import ClassVar

from adapters.web.hook.network import CAPABILITIES, CAPABILITIES_BY_TEMPLATE, WebhookNetwork
from adapters.web.hook.settings import NAME, WebhookSettings
from bridge.contract import Capabilities, Inlet, Settings


class WebhookAdapter:
    """Makes networks of webhooks. Implements `bridge.contract.Adapter`."""

    settings: ClassVar[type[Settings]] = WebhookSettings

    @staticmethod
    def normalise(group: str) -> str:
        """The hook's name, in small letters.

        Raises:
            ValueError: it can't be a hook's name.
        """
        name = group.strip().lower()
        if not re.fullmatch(NAME, name):
            msg = f"{group!r} is no hook: it is one of the keys under hooks, as laboratory"
            raise ValueError(msg)
        return name

    @staticmethod
    def declared() -> Mapping[str, Capabilities]:
        """What systems can be told, and can tell; see `bridge.contract.Declaring`."""
        return {
            "in the bridge's format": CAPABILITIES,
            "by template": CAPABILITIES_BY_TEMPLATE,
        }

    @staticmethod
    def create(
        *, network: str, name: str, settings: WebhookSettings, inlet: Inlet
    ) -> WebhookNetwork:
        """Make a network, not yet connected; see `bridge.contract.Adapter.create`."""
        return WebhookNetwork(network, name, settings, inlet)
