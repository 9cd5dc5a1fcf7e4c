"""The adapter's door: what the bridge finds through the entry point."""

from typing import ClassVar

from adapters.mail.addresses import list_address
from adapters.mail.network import MailNetwork
from adapters.mail.settings import MailSettings
from bridge.contract import Inlet, Settings


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
    def create(*, network: str, name: str, settings: MailSettings, inlet: Inlet) -> MailNetwork:
        """Make a network, not yet connected; see `bridge.contract.Adapter.create`."""
        return MailNetwork(network, name, settings, inlet)
