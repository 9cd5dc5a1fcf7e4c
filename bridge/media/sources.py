"""Where files come from: URLs from the web, guarded; all else from the network that named it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

from bridge.contract import MediaSource, Refused
from bridge.model import Attachment


class Sources:
    """Finds who resolves what a network calls a file.

    Args:
        networks: who resolves a network's own references; None for one that has none.
        web: for URLs.
    """

    def __init__(self, networks: Callable[[str], MediaSource | None], web: MediaSource) -> None:
        self._networks = networks
        self._web = web

    def of(self, network: str) -> MediaSource:
        """Who resolves the references of a network, and URLs."""
        return _Routed(lambda: self._networks(network), self._web)


class _Routed:
    def __init__(self, own: Callable[[], MediaSource | None], web: MediaSource) -> None:
        self._own = own
        self._web = web

    def download(self, attachment: Attachment) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """See `bridge.contract.MediaSource.download`; may raise at once."""
        if attachment.source.startswith(("https://", "http://")):
            return self._web.download(attachment)
        own = self._own()
        if own is None:
            raise Refused("The file can't be found.")
        return own.download(attachment)
