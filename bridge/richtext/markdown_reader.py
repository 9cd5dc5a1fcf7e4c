"""Markdown (CommonMark, with GitHub's tables and strikethrough) read into the tree.

markdown-it-py makes HTML of it, which is read as anybody's HTML: so raw HTML within is treated
like all other. A newline is a line break: people in a chat or forum mean what they see.
"""

import re
from typing import Final

from markdown_it import MarkdownIt

from bridge.richtext import plain
from bridge.richtext.characters import sound
from bridge.richtext.html_reader import LinkHook, read_hostile
from bridge.richtext.tree import Document

MAX_MARKDOWN: Final = 100_000
"""Characters; what is longer is read as plain text. No forum's post is that long."""

_MARKED: Final = re.compile(
    r"[\\`*_~\[<&#|>]|^[ \t]*(?:[-+=]|\d+[.)])|^(?: {4}| {0,3}\t)|  $", re.MULTILINE
)
_MARKDOWN: Final = MarkdownIt("commonmark", {"breaks": True}).enable(["table", "strikethrough"])


def may_be_marked(text: str) -> bool:
    """Whether there is anything in a text that may be Markdown: a quick look."""
    return _MARKED.search(text) is not None


def read(text: str, link: LinkHook | None = None) -> Document:
    """The tree of a text in Markdown."""
    text = sound(text)
    if len(text) > MAX_MARKDOWN:
        return plain.read(text)
    return read_hostile(_MARKDOWN.render(text), link)
