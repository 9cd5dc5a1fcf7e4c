"""The adapter's door: what the bridge finds through the entry point."""

from collections.abc import Mapping
from typing import ClassVar, Final

from yarl import URL

from adapters.web.feed.network import CAPABILITIES, FeedNetwork
from adapters.web.feed.settings import FeedSettings
from bridge.contract import Capabilities, Inlet, Settings

_LOOKS: Final = "a feed looks like https://journal.example/feed.xml"
_LONGEST: Final = 1_000


class FeedAdapter:
    """Makes networks of feeds. Implements `bridge.contract.Adapter`."""

    settings: ClassVar[type[Settings]] = FeedSettings

    @staticmethod
    def normalise(group: str) -> str:
        """The feed's address in the form that is asked for: small letters in the host, no port
        that goes without saying, no fragment. A `feed:` link is understood, too.

        Raises:
            ValueError: it can't be a feed's address.
        """
        text = group.strip()
        if text.lower().startswith("feed:"):
            text = text[5:] if "://" in text[5:] else f"https:{text[5:]}"
        try:
            url = URL(text).with_fragment(None)
            port = url.port
        except (ValueError, TypeError):
            msg = f"{group!r} is no feed: {_LOOKS}"
            raise ValueError(msg) from None
        if url.scheme not in {"http", "https"} or not url.host or not port:
            msg = f"{group!r} is no feed: {_LOOKS}"
            raise ValueError(msg)
        if url.user is not None or url.password is not None:
            msg = (
                "a name and password don't belong into a feed's address, which is logged; write "
                "them as user and password of the network"
            )
            raise ValueError(msg)
        normal = str(url.with_path(url.raw_path or "/", encoded=True, keep_query=True))
        if len(normal) > _LONGEST:
            msg = "this feed's address is too long"
            raise ValueError(msg)
        return normal

    @staticmethod
    def declared() -> Mapping[str, Capabilities]:
        """What feeds can tell; see `bridge.contract.Declaring`."""
        return {"": CAPABILITIES}

    @staticmethod
    def create(*, network: str, name: str, settings: FeedSettings, inlet: Inlet) -> FeedNetwork:
        """Make a network, not yet connected; see `bridge.contract.Adapter.create`."""
        return FeedNetwork(network, name, settings, inlet)
