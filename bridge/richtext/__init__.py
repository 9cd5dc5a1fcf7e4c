"""Formatted text: one canonical form, one reader for each source, one writer for each target.

`read` makes of what comes in a plain text and, where that does not say everything, canonical HTML:
a strict subset of Matrix's with `<mention network="…" id="…">name</mention>` for people who are
called. `write` makes of these what a place understands. In between there is a tree
(`bridge.richtext.tree`), which is all that ever gets from the one to the other.
"""

from bridge.richtext.dialects import (
    Rich,
    Written,
    fragments,
    mentions_of,
    read,
    rich,
    with_lead,
    with_quote,
    write,
)
from bridge.richtext.html_reader import LinkHook
from bridge.richtext.html_writer import Pill
from bridge.richtext.layout import Name
from bridge.richtext.replies import quote, strip_reply_fallback
from bridge.richtext.spans import Span
from bridge.richtext.tree import Mention

__all__ = [
    "LinkHook",
    "Mention",
    "Name",
    "Pill",
    "Rich",
    "Span",
    "Written",
    "fragments",
    "mentions_of",
    "quote",
    "read",
    "rich",
    "strip_reply_fallback",
    "with_lead",
    "with_quote",
    "write",
]
