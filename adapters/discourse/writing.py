"""What is posted to a forum: the text in Discourse's Markdown, and by what the bridge knows it."""

import re
from collections.abc import Sequence
from typing import Final

from adapters.discourse.site import Site
from bridge.model import Mention

_MARKER: Final = re.compile(r"<!-- consilium:([a-z2-7]{26}(?:\.[0-9]{1,4})?) -->")
_CODE: Final = re.compile(
    r"(^ {0,3}(`{3,}|~{3,}).*?(?:^ {0,3}\2|\Z)|(`+)(?!`).+?(?<!`)\3(?!`))", re.DOTALL | re.MULTILINE
)
_AT: Final = r"(?<![\w/@.])@(?=\w)"
_UPLOADS: Final = re.compile(r"^!?\[[^\]\n]*\]\(upload://[^)\s]+\)(?: \([^)\n]*\))?$", re.MULTILINE)
_SIGNS: Final = re.compile(r"[*_`~#>\[\]\\|]+|\(https?://[^)\s]*\)")
_UNBREAKABLE: Final = "\u200b"
_PAD_BODY: Final = "<small>from the room that this category is linked to</small>"
_PAD_TITLE: Final = " (from the linked room)"
_CLIP: Final = 120
"""Longest title that is made of a text, in characters."""
DELETED: Final = "*(deleted by its author)*"


def marked(text: str, key: str) -> str:
    """A text with the name that the bridge gives it. Discourse shows no HTML comments, and does
    not count them (lib/validators/stripped_length_validator.rb).
    """
    return f"{text}\n\n<!-- consilium:{key} -->"


def key_in(raw: str) -> str | None:
    """The name that the bridge gave to a post. Anyone can write one: look who the author is."""
    found = _MARKER.findall(raw)
    return found[-1] if found else None


def body(text: str, mentions: Sequence[Mention], network: str, site: Site) -> str:
    """A text as it is posted: people of the forum called by their names there, nobody else called,
    and no shorter than the forum wants it.
    """
    text = _MARKER.sub("", called(text, mentions, network)).strip()
    return text if _counted(text) >= site.min_body else f"{text}\n\n{_PAD_BODY}".strip()


def called(text: str, mentions: Sequence[Mention], network: str) -> str:
    """A text in which the forum calls those who are meant, and no groups or others."""
    if "@" not in text and not any(each.network == network for each in mentions):
        return text
    names = {each.span: each.id for each in mentions if each.network == network and each.span}
    wanted = [f"(?P<n{number}>{_spelled(span)})" for number, span in enumerate(names)]
    pattern = re.compile("|".join([*wanted, _AT]))
    idents = list(names.values())

    def called_one(found: re.Match[str]) -> str:
        number = found.lastgroup
        return f"@{_UNBREAKABLE}" if number is None else f"@{idents[int(number[1:])]}"

    pieces, start = [], 0
    for code in _CODE.finditer(text):
        pieces += [pattern.sub(called_one, text[start : code.start()]), code[0]]
        start = code.end()
    return "".join([*pieces, pattern.sub(called_one, text[start:])])


def _spelled(span: str) -> str:
    """A name as Markdown may spell it, where any sign may have a backslash before it."""
    signs = "".join(
        re.escape(c) if c.isalnum() or c == " " else rf"\\?{re.escape(c)}" for c in span
    )
    return rf"(?<![\w@])@?{signs}(?!\w)"


def title(text: str, author: str, site: Site) -> str:
    """A title for a topic, made of the first line of a text, and as long as the forum wants it."""
    author = _bare(author)
    line = next((line for each in text.splitlines() if (line := _bare(each))), "")
    if len(line) > min(_CLIP, site.max_title):
        line = line[: min(_CLIP, site.max_title) - 1].rsplit(" ", 1)[0].rstrip() + "…"
    if len(line) < site.min_title and author not in line:
        line = f"{author}: {line}"
    if len(line) < site.min_title:
        line += _PAD_TITLE
    return line[: site.max_title]


def _bare(line: str) -> str:
    return " ".join(_SIGNS.sub("", line).split()).strip()


def _counted(text: str) -> int:
    """How long Discourse takes a text to be; see `marked`."""
    text = re.sub(r":\w+(:\w+)?:", "X", text)
    return len(re.sub(r",{2,}", ",", re.sub(r"\.{2,}", "…", text)).strip())


def uploads_in(raw: str) -> list[str]:
    """The lines of a post that are files."""
    return _UPLOADS.findall(raw)


def file_line(name: str, short_url: str, told: str, width: int | None, height: int | None) -> str:
    """How a file is shown. `told`: image, video, audio or file."""
    name = _SIGNS.sub("", name).replace("(", "").replace(")", "").strip() or "file"
    match told:
        case "image":
            size = f"|{width}x{height}" if width and height else ""
            return f"![{name}{size}]({short_url})"
        case "video" | "audio":
            return f"![{name}|{told}]({short_url})"
    return f"[{name}|attachment]({short_url})"
