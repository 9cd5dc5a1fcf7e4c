"""Replies where a place knows none, and what old clients put into texts for the same reason."""

import re
from typing import Final

from bridge.richtext.characters import sound
from bridge.richtext.cutting import chunks

_MATRIX_FALLBACK: Final = re.compile(r"> (?:\* )?<@[^>\n]*>")
_MAX_LINES: Final = 2
_MAX_LINE: Final = 160
_CUT: Final = "…"


def strip_reply_fallback(text: str) -> str:
    """The text of a Matrix reply without the quotation that clients before v1.13 began it with.

    To be used for replies only. In formatted texts it is `mx-reply`, which is never read.
    https://spec.matrix.org/v1.12/client-server-api/#fallbacks-for-rich-replies
    """
    if not _MATRIX_FALLBACK.match(text):
        return text
    rest = re.sub(r"\A(?:>(?: [^\n]*)?(?:\n|\Z))+", "", text)
    return rest.removeprefix("\n")


def shortened(text: str) -> list[str]:
    """The beginning of a text, on one or two lines that are not long; without what it quotes."""
    lines = [line.strip() for line in sound(text).split("\n")]
    own = [line for line in lines if line and not line.startswith(">")]
    shown = own or [line.lstrip("> ") for line in lines if line.lstrip("> ")]
    short = [_short(line) for line in shown[:_MAX_LINES]]
    if len(shown) > _MAX_LINES and not short[-1].endswith(_CUT):
        short[-1] += f" {_CUT}"
    return short


def _short(line: str) -> str:
    if len(line) <= _MAX_LINE:
        return line
    head = line[:_MAX_LINE]
    words, space, _ = head.rpartition(" ")
    if space and len(words) > _MAX_LINE // 2:
        return f"{words.rstrip()} {_CUT}"
    return next(chunks(line, _MAX_LINE)) + _CUT


def quote(author: str, text: str) -> str:
    """What is answered, in plain text: "> Anna: Can you look at this?"."""
    first, *more = shortened(text) or [""]
    return "\n".join([f"> {author}: {first}".rstrip(), *[f"> {line}" for line in more]])
