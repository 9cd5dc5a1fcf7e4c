"""XMPP rooms (Multi-User Chat, XEP-0045) as groups."""

from adapters.xmpp.adapter import XmppAdapter

__all__ = ["XmppAdapter"]
