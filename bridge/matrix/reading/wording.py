"""The plain and the formatted text of content, without what was put there for old clients."""

import re
from typing import Final

from bridge.matrix.raw import JsonObject, text_at

_FORMAT: Final = "org.matrix.custom.html"
_QUOTED_SENDER: Final = re.compile(r"> (?:\* )?<@[^>\n]{1,255}>")
_QUOTATION: Final = re.compile(r"(?:>[^\n]*(?:\n|$))+")
_REPLY_START: Final = "<mx-reply>"
_REPLY_END: Final = "</mx-reply>"


def plain_text(content: JsonObject, *, quotes: bool = False) -> str:
    """The plain text.

    Args:
        content: that of a message.
        quotes: whether it may begin with a quotation of what it answers, as clients put it there
            until v1.13, https://spec.matrix.org/v1.12/client-server-api/#fallbacks-for-rich-replies.
            A quotation that its author wrote names no sender, and stays.
    """
    body = text_at(content, "body")
    if quotes and body.startswith("> ") and _QUOTED_SENDER.match(body):
        return _QUOTATION.sub("", body, count=1).strip("\n")
    return body


def formatted_text(content: JsonObject) -> str | None:
    """The HTML, as it was sent, without a quotation of what it answers; None if there is none.

    https://spec.matrix.org/v1.19/client-server-api/#mroommessage-msgtypes
    """
    if content.get("format") != _FORMAT:
        return None
    html = text_at(content, "formatted_body")
    if _REPLY_START in html:
        html = _without_quotation(html)
    return html if html.strip() else None


def _without_quotation(html: str) -> str:
    before, _, rest = html.partition(_REPLY_START)
    _, end, after = rest.partition(_REPLY_END)
    return f"{before}{after}" if end else html
