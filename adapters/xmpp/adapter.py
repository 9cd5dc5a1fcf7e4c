"""The adapter's door: what the bridge finds through the entry point."""

from collections.abc import Mapping
from typing import ClassVar

from slixmpp import JID, InvalidJID

from adapters.xmpp.capabilities import Abilities, capabilities
from adapters.xmpp.network import XmppNetwork
from adapters.xmpp.settings import XmppSettings
from bridge.contract import Capabilities, Inlet, Settings

_LOOKS = "a room looks like name@conference.example.org"


class XmppAdapter:
    """Makes XMPP networks. Implements `bridge.contract.Adapter`."""

    settings: ClassVar[type[Settings]] = XmppSettings

    @staticmethod
    def normalise(group: str) -> str:
        """The room's bare address, folded as RFC 6122 asks; an `xmpp:` link is understood, too.

        Raises:
            ValueError: it can't be a room's address.
        """
        text = group.strip().removeprefix("xmpp:").partition("?")[0]
        try:
            jid = JID(text)
        except InvalidJID:
            msg = f"{group!r} is no room: {_LOOKS}"
            raise ValueError(msg) from None
        if not jid.node or not jid.domain:
            msg = f"{group!r} is no room: {_LOOKS}"
            raise ValueError(msg)
        if jid.resource:
            msg = f"{group!r} is somebody in a room; leave out the nick: {jid.bare}"
            raise ValueError(msg)
        return str(jid.bare)

    @staticmethod
    def declared() -> Mapping[str, Capabilities]:
        """What rooms can show and tell; see `bridge.contract.Declaring`."""
        return {
            "as a component": capabilities(Abilities(own_names=True)),
            "with one account": capabilities(Abilities(own_names=False)),
        }

    @staticmethod
    def create(*, network: str, name: str, settings: XmppSettings, inlet: Inlet) -> XmppNetwork:
        """Make a network, not yet connected; see `bridge.contract.Adapter.create`."""
        return XmppNetwork(network, name, settings, inlet)
