"""From HTML to the tree: our own canonical HTML, and everybody else's, which is hostile.

Hostile HTML is read for what it says to people: known tags become marks and blocks, text in
unknown ones is kept, and what is not for people's eyes (scripts, styles, hidden parts, tracking
images) is dropped. Nothing is passed through; see `bridge.richtext.html_writer`.
"""

import re
from collections.abc import Callable
from typing import Final

from bridge.richtext import css
from bridge.richtext.html_frames import Frame, ListFrame, QuoteFrame, TableFrame
from bridge.richtext.html_tags import (
    CODE,
    DROPPED,
    FRAMES,
    HEADINGS,
    LINES,
    MARKS,
    PARAGRAPHS,
    VOID,
    is_hidden,
    start_number,
)
from bridge.richtext.html_tokens import Tag, attributes_of, tokens
from bridge.richtext.links import safe_url
from bridge.richtext.normal import blocks_of, code_block, heading, on_one_line
from bridge.richtext.runs import (
    BREAK,
    Hidden,
    LinkTo,
    Mark,
    Marks,
    Run,
    lines_of,
    with_mark,
    words,
)
from bridge.richtext.tree import (
    MAX_DEPTH,
    Bold,
    Code,
    Document,
    Mention,
    Rule,
    Text,
)

LinkHook = Callable[[str, str], Mention | None]
"""Given the URL and the words of a link: whom it mentions, None where it is just a link."""

_SPACE: Final = re.compile(r"[\t\n\f\r ]+")
_MAX_OPEN: Final = 32
"""Inline tags open at once; what is deeper has no effect."""

_MAX_ALT: Final = 200


def read_hostile(html: str, link: LinkHook | None = None) -> Document:
    """The tree of anybody's HTML, in normal form. Takes time in proportion to its length."""
    return _Reader(link, trusted=False).read(html)


def read_canonical(html: str) -> Document:
    """The tree that canonical HTML was written from."""
    return _Reader(None, trusted=True).read(html)


class _Open:
    """An inline tag that is open; `before` are the marks without it. A dead one has no tag."""

    __slots__ = ("before", "mark", "tag")

    def __init__(self, tag: str, mark: Mark | None, before: Marks) -> None:
        self.tag = tag
        self.mark = mark
        self.before = before


class _Reader:
    def __init__(self, link: LinkHook | None, *, trusted: bool) -> None:
        self._link = link
        self._trusted = trusted
        self._frames = [Frame("", 0)]
        self._depth = 0
        self._ignored: dict[str, int] = {}
        self._open: list[_Open] = []
        self._marks: Marks = ()
        self._runs: list[Run] = []
        self._heading = 0
        self._code = 0
        self._block_of_code: list[str] | None = None
        self._language = ""
        self._anchor: tuple[str, str, int] | None = None
        self._dropping = ""
        self._dropped_inside = 0

    def read(self, html: str) -> Document:
        for token in tokens(html):
            if self._dropping:
                if isinstance(token, Tag):
                    self._drop(token)
            elif isinstance(token, str):
                self._text(token)
            elif token.is_end:
                self._end(token.name)
            else:
                self._start(token)
        self._end_code_block()
        self._flush()
        while len(self._frames) > 1:
            self._pop()
        return Document(tuple(self._frames[0].blocks))

    # --- texts ----------------------------------------------------------------------------------

    def _text(self, text: str) -> None:
        if self._block_of_code is not None:
            self._block_of_code.append(text)
        elif self._code:
            self._runs.append(Run(self._marks, Code(on_one_line(text))))
        elif self._trusted:
            if "\n" in text:
                self._runs.extend(lines_of(text, self._marks))
            else:
                self._runs.append(Run(self._marks, Text(text)))
        else:
            text = _SPACE.sub(" ", text)
            if text.startswith(" ") and self._after_space():
                text = text[1:]
            if text:
                self._runs.append(Run(self._marks, Text(text)))

    def _after_space(self) -> bool:
        if not self._runs:
            return True
        leaf = self._runs[-1].leaf
        return leaf is BREAK or (isinstance(leaf, Text) and leaf.text.endswith(" "))

    def _flush(self) -> None:
        """End the paragraph or heading."""
        self._anchor = None
        if self._runs:
            runs, self._runs = self._runs, []
            made = heading(self._heading, runs) if self._heading else blocks_of(runs)
            self._frames[-1].blocks.extend(made)

    def _end_line(self) -> None:
        if self._runs and self._runs[-1].leaf is not BREAK:
            self._runs.append(Run(self._marks, BREAK))

    # --- tags -----------------------------------------------------------------------------------

    def _start(self, tag: Tag) -> None:  # noqa: C901 - one line for each kind of tag
        name = tag.name
        if self._block_of_code is not None and name not in DROPPED:
            self._start_in_code_block(tag)
        elif name == "br":
            self._runs.append(Run(self._marks, BREAK))
        elif name in MARKS and not tag.attributes:
            self._push(name, MARKS[name])
        elif name in VOID:
            self._void(tag)
        elif name in DROPPED or (tag.attributes and not self._trusted and is_hidden(tag)):
            if not tag.closes_itself:
                self._dropping, self._dropped_inside = name, 0
        elif name in CODE:
            self._code += 1
        elif name in FRAMES:
            self._start_frame(tag)
        elif name == "pre":
            self._flush()
            self._block_of_code, self._language = [], ""
        elif name in HEADINGS:
            self._flush()
            self._heading = HEADINGS[name]
        elif name == "tr":
            self._start_row()
        elif not tag.closes_itself:
            self._start_inline(tag)

    def _end(self, name: str) -> None:
        if self._block_of_code is not None:
            if name == "pre":
                self._end_code_block()
        elif name in CODE:
            self._code = max(0, self._code - 1)
        elif name in FRAMES:
            self._end_frame(name)
        elif name in HEADINGS:
            self._flush()
            self._heading = 0
        elif name == "br":
            self._runs.append(Run(self._marks, BREAK))
        else:
            self._end_inline(name)

    def _drop(self, tag: Tag) -> None:
        """A tag within something that is dropped."""
        if tag.name == self._dropping:
            if not tag.is_end:
                self._dropped_inside += not tag.closes_itself
            elif self._dropped_inside:
                self._dropped_inside -= 1
            else:
                self._dropping = ""
        elif tag.name == "body" and self._dropping == "head":
            self._dropping = ""

    def _void(self, tag: Tag) -> None:
        if tag.name == "hr":
            self._flush()
            self._frames[-1].blocks.append(Rule())
        elif tag.name == "img":
            attributes = attributes_of(tag)
            alt = attributes.get("alt", "") or attributes.get("title", "")
            if alt and not is_hidden(tag):
                self._text(on_one_line(alt[:_MAX_ALT]))
        elif tag.name == "input" and attributes_of(tag).get("type", "").lower() == "checkbox":
            self._text("[x] " if "checked" in attributes_of(tag) else "[ ] ")

    def _start_in_code_block(self, tag: Tag) -> None:
        if self._block_of_code is None:
            return
        if tag.name == "br":
            self._block_of_code.append("\n")
        elif tag.name == "code" and not self._language:
            for word in attributes_of(tag).get("class", "").split():
                if word.startswith("language-"):
                    self._language = word.removeprefix("language-")

    def _end_code_block(self) -> None:
        if self._block_of_code is not None:
            block = code_block("".join(self._block_of_code), self._language)
            self._frames[-1].blocks.extend(block)
            self._block_of_code = None

    # --- inline tags ----------------------------------------------------------------------------

    def _start_inline(self, tag: Tag) -> None:
        name = tag.name
        if name in PARAGRAPHS:
            self._flush()
            if name == "p":
                self._close_open("p")
        elif name in LINES:
            self._end_line()
        mark = MARKS.get(name)
        attributes = attributes_of(tag) if tag.attributes else {}
        more: list[Mark] = []
        if name == "a":
            mark = self._start_link(attributes)
        elif name == "mention" and self._trusted:
            self._anchor = (
                attributes.get("network", ""),
                attributes.get("id", ""),
                len(self._runs),
            )
        elif "data-mx-spoiler" in attributes:
            mark = Hidden(on_one_line(attributes["data-mx-spoiler"]))
        elif name == "summary":
            mark = Bold
        if not self._trusted and "style" in attributes:
            style = css.declarations(attributes["style"])
            more = list(css.marks_of(style))
            mark = None if css.unmarks(style, mark) else mark
        elif name == "q":
            self._text("“")
        self._push(name, mark, more)

    def _start_link(self, attributes: dict[str, str]) -> Mark | None:
        url = safe_url(attributes.get("href", ""))
        if not url or self._code:
            return None
        if not any(isinstance(mark, LinkTo) for mark in self._marks):
            self._anchor = ("", url, len(self._runs))
        return LinkTo(url)

    def _push(self, name: str, mark: Mark | None, more: list[Mark] | None = None) -> None:
        if len(self._open) >= _MAX_OPEN:
            self._ignored[name] = self._ignored.get(name, 0) + 1
            return
        if self._code:  # code has no marks in it
            mark, more = None, None
        self._open.append(_Open(name, mark, self._marks))
        if mark is not None:
            self._marks = with_mark(self._marks, mark)
        for other in more or ():
            self._marks = with_mark(self._marks, other)

    def _end_inline(self, name: str) -> None:
        if name == "q":
            self._text("”")
        elif name in PARAGRAPHS:
            self._flush()
        elif name in LINES:
            self._end_line()
        if self._ignored.get(name):
            self._ignored[name] -= 1
            return
        if self._anchor and name in {"a", "mention"}:
            self._end_anchor(name)
        self._close_open(name)

    def _end_anchor(self, name: str) -> None:
        """Make a link or a `mention` a mention, if it is one."""
        if self._anchor is None:
            return
        network, ident, start = self._anchor
        self._anchor = None
        text = words(self._runs[start:])
        if name == "mention":
            mention: Mention | None = Mention(network, ident, on_one_line(text))
        elif self._link is None or self._code:
            return
        else:
            mention = self._link(ident, text)
        if mention is not None:
            del self._runs[start:]
            self._runs.append(Run(self._marks, mention))

    def _close_open(self, name: str) -> None:
        """Close the innermost open tag of this name; those that opened after it stay open."""
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place].tag == name:
                break
        else:
            return
        if place == len(self._open) - 1 and place >= self._frames[-1].base:
            self._marks = self._open.pop().before
            return
        closed = self._open[place]
        closed.tag, closed.mark = "", None
        marks = closed.before
        for later in self._open[place:]:
            later.before = marks
            if later.mark is not None:
                marks = with_mark(marks, later.mark)
        self._marks = marks

    # --- blocks that hold others ----------------------------------------------------------------

    def _start_frame(self, tag: Tag) -> None:
        name = tag.name
        self._flush()
        self._heading = 0
        if name == "li":
            self._close_within("li", ("ul", "ol", "menu", "dir"))
            if not isinstance(self._frames[-1], ListFrame):
                self._push_frame(ListFrame("ul", len(self._open), None))
            if isinstance(self._frames[-1], ListFrame):
                self._frames.append(Frame("li", len(self._open)))
        elif name in {"td", "th"}:
            self._close_within("td", ("table",))
            self._close_within("th", ("table",))
            if isinstance(self._frames[-1], TableFrame):
                self._frames.append(Frame(name, len(self._open)))
        elif self._depth >= MAX_DEPTH:
            self._ignored[name] = self._ignored.get(name, 0) + 1
        elif name == "blockquote":
            self._push_frame(QuoteFrame(name, len(self._open)))
        elif name == "table":
            self._push_frame(TableFrame(name, len(self._open), trusted=self._trusted))
        else:
            start = start_number(tag) if name == "ol" else None
            self._push_frame(ListFrame(name, len(self._open), start))

    def _push_frame(self, frame: Frame) -> None:
        if self._depth < MAX_DEPTH:
            self._depth += 1
            self._frames.append(frame)

    def _start_row(self) -> None:
        self._flush()
        self._close_within("td", ("table",))
        self._close_within("th", ("table",))
        if isinstance(self._frames[-1], TableFrame):
            self._frames[-1].begin_row()

    def _close_within(self, name: str, outer: tuple[str, ...]) -> None:
        """Close an item or cell that is open in the innermost list or table."""
        for frame in reversed(self._frames):
            if frame.tag == name:
                self._end_frame(name)
                return
            if frame.tag in outer:
                return

    def _end_frame(self, name: str) -> None:
        self._flush()
        if name not in {"li", "td", "th"} and self._ignored.get(name):
            self._ignored[name] -= 1
            return
        if any(frame.tag == name for frame in self._frames):
            while self._pop() != name:
                pass

    def _pop(self) -> str:
        """Close the innermost block, and the inline tags that opened in it."""
        self._flush()
        frame = self._frames.pop()
        self._code = 0
        self._depth -= frame.tag not in {"li", "td", "th"}
        if len(self._open) > frame.base:
            self._marks = self._open[frame.base].before
            del self._open[frame.base :]
        self._frames[-1].take(frame)
        return frame.tag
