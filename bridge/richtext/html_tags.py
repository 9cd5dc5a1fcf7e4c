"""What each HTML tag means to `bridge.richtext.html_reader`; those not named here mean nothing."""

from typing import Final

from bridge.richtext import css
from bridge.richtext.html_tokens import Tag, attributes_of
from bridge.richtext.runs import Mark
from bridge.richtext.tree import Bold, Italic, Strike, Subscript, Superscript, Underline

MARKS: Final[dict[str, Mark]] = {
    **dict.fromkeys(("b", "strong"), Bold),
    **dict.fromkeys(("i", "em", "cite", "dfn", "var"), Italic),
    **dict.fromkeys(("s", "strike", "del"), Strike),
    **dict.fromkeys(("u", "ins"), Underline),
    "sup": Superscript,
    "sub": Subscript,
}
CODE: Final = frozenset({"code", "tt", "kbd", "samp"})
HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
PARAGRAPHS: Final = frozenset({"p", "summary", "caption", "figcaption", "dl", "fieldset"})
LINES: Final = frozenset(
    {
        "div",
        "section",
        "article",
        "header",
        "footer",
        "center",
        "address",
        "aside",
        "nav",
        "main",
        "figure",
        "form",
        "dt",
        "dd",
        "details",
        "hgroup",
        "legend",
        "body",
    }
)
FRAMES: Final = frozenset({"blockquote", "ul", "ol", "menu", "dir", "li", "table", "td", "th"})
DROPPED: Final = frozenset(
    {
        "mx-reply",
        "head",
        "template",
        "object",
        "svg",
        "math",
        "select",
        "canvas",
        "audio",
        "video",
        "datalist",
        "map",
        "applet",
        "textarea",
        "button",
    }
)
VOID: Final = frozenset(
    {
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
    }
)


def start_number(tag: Tag) -> int:
    """The number of the first item of a list."""
    value = attributes_of(tag).get("start", "") if tag.attributes else ""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else 1


def is_hidden(tag: Tag) -> bool:
    """Whether a tag says that nobody is to see it; a pixel-sized image is for tracking."""
    attributes = attributes_of(tag)
    if "hidden" in attributes or css.hides(css.declarations(attributes.get("style", ""))):
        return True
    return tag.name == "img" and bool(
        {attributes.get("width", ""), attributes.get("height", "")} & {"0", "1", "0px", "1px"}
    )
