"""XMPP rooms keep the contract: with a component, and with one account for all."""

from pathlib import Path

from lab_xmpp import XmppLab

from adapters.xmpp import XmppAdapter
from bridge.testing import Contract


class TestComponent(Contract):
    kind = "xmpp"
    adapter = XmppAdapter
    way = "as a component"

    @staticmethod
    def make_lab(directory: Path) -> XmppLab:
        return XmppLab(directory, component=True)


class TestAccount(Contract):
    kind = "xmpp"
    adapter = XmppAdapter
    way = "with one account"

    @staticmethod
    def make_lab(directory: Path) -> XmppLab:
        return XmppLab(directory, component=False)
