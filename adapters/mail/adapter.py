"""The adapter's door: what the bridge finds through the entry point."""

from collections.abc import Mapping
from typing import ClassVar

from adapters.mail.addresses import list_address
from adapters.mail.features import capabilities_of
from adapters.mail.network import MailNetwork
from adapters.mail.settings import MailSettings
from bridge.contract import Capabilities, Inlet, Settings


class MailAdapter:
    """Makes mail networks. Implements `bridge.contract.Adapter`."""

    settings: ClassVar[type[Settings]] = MailSettings

    @staticmethod
    def normalise(group: str) -> str:
        """The list's bare address in lower case; a `mailto:` link is understood, too.

        Raises:
            ValueError: it can't be a list's address.
        """
        return list_address(group)

    @staticmethod
    def declared() -> Mapping[str, Capabilities]:
        """What lists can show and tell; see `bridge.contract.Declaring`."""
        default: int = MailSettings.model_fields["max_file"].default
        return {"": capabilities_of(default)}

    @staticmethod
    def create(*, network: str, name: str, settings: MailSettings, inlet: Inlet) -> MailNetwork:
        """Make a network, not yet connected; see `bridge.contract.Adapter.create`."""
        return MailNetwork(network, name, settings, inlet)
