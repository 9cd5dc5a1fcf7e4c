"""Texts as Matrix has them: plain, and formatted where there is more to them than words."""

from bridge.contract import Dialect
from bridge.matrix.raw import JsonObject
from bridge.matrix.showing.mentions import Pills
from bridge.model import Edited, Message
from bridge.richtext.dialects import read, write
from bridge.richtext.tree import Mention

_FORMAT = "org.matrix.custom.html"


class Wording:
    """Writes the text of messages.

    Args:
        pills: tells how those who are mentioned are shown.
    """

    def __init__(self, pills: Pills) -> None:
        self._pills = pills

    def words(self, event: Message | Edited) -> JsonObject:
        """The `body` of a message, and its `formatted_body` if it takes one."""
        html = event.html
        if html is None:
            if not event.mentions:
                return {"body": event.text}
            html = read(Dialect.PLAIN, event.text, None, event.mentions).html
        written = write(Dialect.HTML, event.text, html, pill=self._link)
        if written.html is None:
            return {"body": written.text}
        return {"body": written.text, "format": _FORMAT, "formatted_body": written.html}

    def _link(self, mention: Mention) -> str:
        return self._pills.link(mention.network, mention.id)
