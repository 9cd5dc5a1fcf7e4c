"""The canonical form of a text: a tree of frozen values.

A document is a row of blocks; a block holds blocks or inlines. What every function of this
package makes is in *normal form* (see `bridge.richtext.normal`): nothing empty, nothing that
could be said in two ways.
"""

from dataclasses import dataclass
from typing import Final

MAX_DEPTH: Final = 20
"""How deep quotes, lists and tables may be in each other; what is deeper is lifted to there."""


# --- inlines ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Text:
    """Words as they are, on one line."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """A few words of code, on one line."""

    text: str


@dataclass(frozen=True, slots=True)
class Mention:
    """A person who is called; `network` and `id` say whom, `name` how the author wrote it."""

    network: str
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class LineBreak:
    """The line ends, the paragraph goes on."""


@dataclass(frozen=True, slots=True)
class Bold:
    """Words of weight."""

    children: "tuple[Inline, ...]"


@dataclass(frozen=True, slots=True)
class Italic:
    """Slanted words."""

    children: "tuple[Inline, ...]"


@dataclass(frozen=True, slots=True)
class Strike:
    """Words that no longer hold. To lose it would turn what is said around."""

    children: "tuple[Inline, ...]"


@dataclass(frozen=True, slots=True)
class Underline:
    """Words with a line below."""

    children: "tuple[Inline, ...]"


@dataclass(frozen=True, slots=True)
class Superscript:
    """Raised: the 9 of 10⁹. To lose it would change the number."""

    children: "tuple[Inline, ...]"


@dataclass(frozen=True, slots=True)
class Subscript:
    """Lowered: the 2 of H₂O."""

    children: "tuple[Inline, ...]"


@dataclass(frozen=True, slots=True)
class Link:
    """`url` is one of those that `bridge.richtext.links.safe_url` lets through."""

    children: "tuple[Inline, ...]"
    url: str


@dataclass(frozen=True, slots=True)
class Spoiler:
    """Hidden until the reader asks for it; `reason` says what it is about, and may be empty."""

    children: "tuple[Inline, ...]"
    reason: str = ""


Leaf = Text | Code | Mention | LineBreak
Marked = Bold | Italic | Strike | Underline | Superscript | Subscript | Link | Spoiler
Inline = Leaf | Marked


# --- blocks -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines that belong together."""

    children: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """`level` is 1 to 6."""

    level: int
    children: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Quote:
    """What another has said."""

    blocks: "tuple[Block, ...]"


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """`language` is one word, empty when not known; `text` has no newline at its ends."""

    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class List:
    """`start` is the number of the first item of an ordered list."""

    items: "tuple[tuple[Block, ...], ...]"
    ordered: bool = False
    start: int = 1


Cell = tuple[Inline, ...]
Row = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of equal length; `head` is empty where no row is one of headings."""

    head: Row
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across."""


Block = Paragraph | Heading | Quote | CodeBlock | List | Table | Rule


@dataclass(frozen=True, slots=True)
class Document:
    """A whole text."""

    blocks: tuple[Block, ...]
