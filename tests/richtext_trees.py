"""Trees of formatted texts for hypothesis: every block in every other, and nasty words.

A tree is built from a row of steps, as a page is written: that is many times as fast as strategies
in strategies, and shrinks well.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from bridge.richtext.normal import normal
from bridge.richtext.tree import (
    Block,
    Bold,
    Code,
    CodeBlock,
    Document,
    Heading,
    Inline,
    Italic,
    LineBreak,
    Link,
    List,
    Mention,
    Paragraph,
    Quote,
    Rule,
    Spoiler,
    Strike,
    Subscript,
    Superscript,
    Table,
    Text,
    Underline,
)

NASTY = [
    *"*_~`>#[]()<>&|\\!-+=.:;\"'@/^{}$",
    "&amp;",
    "<b>",
    "](",
    "```",
    "1. ",
    "- ",
    "&#",
    "~~",
    "__",
]
WORDS = [
    *("a", "b", "Fieber", "10", "é", "漢", "שלום", "👩🏽‍⚕️", "🇩🇪", "e\u0301", "snake_case"),
    "https://e.org/a_b",
]
URLS = [
    *("https://e.org/", "https://e.org/a_(b)?c=d&amp=e", "mailto:a@e.org", "xmpp:a@e.org"),
    "https://e.org/%5B?a=1&amp;b=2",
]

texts = st.lists(st.sampled_from([*NASTY, *WORDS, *[" "] * 14]), min_size=1, max_size=6).map(
    "".join
)
anything = texts | st.text(min_size=1)
code = st.lists(texts, min_size=1, max_size=3).map("\n".join)


@dataclass(frozen=True)
class Open:
    """Begins a mark or a block of blocks, up to its `Close`."""

    what: type
    more: tuple = ()


@dataclass(frozen=True)
class Close:
    pass


@dataclass(frozen=True)
class EndOf:
    """Makes a block of the inlines since the last one; `Bold` stands for an end of an item."""

    what: type
    level: int = 1


MARKS = (Bold, Italic, Strike, Underline, Superscript, Subscript)
opens = st.sampled_from(
    [
        *map(Open, MARKS),
        *(Open(Link, (url,)) for url in URLS),
        *[Open(Quote), Open(List, (False, 1)), Open(List, (True, 1)), Open(List, (True, 7))],
    ]
)
ends = st.sampled_from(
    [
        *[EndOf(Paragraph)] * 3,
        *[EndOf(Heading, level) for level in (1, 6)],
        *[EndOf(List)] * 2,
        *[EndOf(Table, columns) for columns in (1, 2)],
        Rule(),
    ]
)
blocks_of_code = st.builds(CodeBlock, code, st.sampled_from(["", "python", "c++"]))


def steps(leaves: st.SearchStrategy, opens: st.SearchStrategy = opens) -> st.SearchStrategy[list]:
    some = st.one_of(leaves, leaves, opens, opens, st.just(Close()), ends, blocks_of_code)
    return st.lists(some, max_size=14)


def built(steps: Sequence) -> Document:
    """The tree that steps describe, in normal form."""
    builder = _Builder()
    for step in steps:
        builder.take(step)
    return normal(Document(tuple(builder.end())))


class _Builder:
    def __init__(self):
        self.blocks: list[list] = [[]]
        self.open_blocks: list[Open] = []
        self.inlines: list[list[Inline]] = [[]]
        self.open_marks: list[Open] = []

    def take(self, step):
        match step:
            case Open(what) if what in {Quote, List}:
                self.paragraph()
                self.open_blocks.append(step)
                self.blocks.append([[]] if what is List else [])
            case Open():
                self.open_marks.append(step)
                self.inlines.append([])
            case Close() if self.open_marks:
                self.close_mark()
            case Close():
                self.close_block()
            case EndOf(what, level):
                self.end_of(what, level)
            case Rule() | CodeBlock():
                self.paragraph()
                self.add(step)
            case _:
                self.inlines[-1].append(step)

    def end_of(self, what, level):
        line = self.line()
        if what is Heading:
            self.add(Heading(level, line))
        elif what is Table:
            row = (line, (Text("x"),))[:level]
            self.add(Table(row if level > 1 else (), (row, row)))
        elif line:
            self.add(Paragraph(line))
        if what is List and self.open_blocks and self.open_blocks[-1].what is List:
            self.blocks[-1].append([])

    def line(self) -> tuple[Inline, ...]:
        while self.open_marks:
            self.close_mark()
        line, self.inlines[0] = tuple(self.inlines[0]), []
        return line

    def close_mark(self):
        mark, children = self.open_marks.pop(), tuple(self.inlines.pop())
        self.inlines[-1].append(mark.what(children, *mark.more))

    def paragraph(self):
        self.end_of(Paragraph, 1)

    def add(self, block: Block):
        within_list = self.open_blocks and self.open_blocks[-1].what is List
        (self.blocks[-1][-1] if within_list else self.blocks[-1]).append(block)

    def close_block(self):
        self.paragraph()
        if self.open_blocks:
            opened, inner = self.open_blocks.pop(), self.blocks.pop()
            if opened.what is List:
                inner = [tuple(item) for item in inner]
            self.add(opened.what(tuple(inner), *opened.more))

    def end(self) -> list[Block]:
        self.paragraph()
        while self.open_blocks:
            self.close_block()
        return self.blocks[0]


mentions = st.builds(Mention, st.sampled_from(["matrix", "xmpp"]), texts, texts)
spoilers = st.builds(lambda text, why: Spoiler((Text(text),), why), texts, anything)
breaks = st.just(LineBreak())
ANY = steps(
    st.builds(Text, anything) | st.builds(Code, anything) | breaks | mentions | spoilers
).map(built)
"""Any tree in normal form."""

MARKDOWN = steps(st.builds(Text, texts) | st.builds(Code, texts) | breaks).map(built)
"""Trees of what Markdown can say."""

UNLINKED = steps(
    st.builds(Text, texts) | st.builds(Code, texts) | breaks,
    opens.filter(lambda step: step.what is not Link),
).map(built)
"""Trees of which nothing has to be told in other words."""
