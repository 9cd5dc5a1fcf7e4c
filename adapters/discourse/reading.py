"""What people write on a forum, as CommonMark with what it means taken out of it.

Discourse has its own signs on top of CommonMark: quotes and other things in square brackets, files
as `upload://` links, names of emoji between colons. Nothing in code is touched.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from adapters.discourse.emoji import shown
from adapters.discourse.post import alias
from bridge.model import Attachment, MediaKind, Mention

_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_CODE: Final = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_QUOTE: Final = re.compile(r"(\[quote(?:=[^\]\n]{0,300})?\]|\[/quote\])", re.IGNORECASE)
_QUOTED: Final = re.compile(
    r'\[quote="?(?P<who>[^,"\]]*)(?:[^"\]]*?post:\s?(?P<post>[0-9]{1,9}))?'
    r'(?:[^"\]]*?topic:\s?(?P<topic>[0-9]{1,9}))?[^\]]*\]',
    re.IGNORECASE,
)
_UPLOAD: Final = re.compile(
    r"(?P<image>!?)\[(?P<words>[^\]\n]{0,500})\]"
    r'\((?P<url>upload://[A-Za-z0-9]{1,60}(?:\.[A-Za-z0-9]{1,10})?)(?:[ \t]+"[^"\n]{0,200}")?\)'
    r"(?P<size>[ \t]?\([0-9.,]+ ?[A-Za-z]+\))?"
)
_SIZE: Final = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
_DETAILS: Final = re.compile(r'\[details(?:="?(?P<title>[^\]"]{0,200})"?)?\]', re.IGNORECASE)
_DATE: Final = re.compile(r"\[date=(?P<date>[0-9-]{8,10})(?: time=(?P<time>[0-9:]+))?[^\]\n]*\]")
_POLL: Final = re.compile(r"\[poll[^\]\n]{0,300}\]", re.IGNORECASE)
_CLOSING: Final = re.compile(
    r"\[/?(?:details|spoiler|poll|wrap)(?:=[^\]\n]{0,200})?\]", re.IGNORECASE
)
_EMOJI: Final = re.compile(r"(?<![\w:]):([a-z0-9_+-]{1,40})(?::t[2-6])?:(?![\w:])")
_CALLED: Final = re.compile(r'class="mention"[^>]*? href="[^"]*/u/([^"/?#]{1,100})"')
_DEEPEST: Final = 6
_MOST_MENTIONS: Final = 100

_VIDEOS: Final = frozenset({"mp4", "mov", "webm", "ogv", "m4v", "mkv", "avi", "3gp"})
_SOUNDS: Final = frozenset({"mp3", "ogg", "oga", "opus", "wav", "m4a", "m4b", "m4r", "aac", "flac"})
_IMAGES: Final = frozenset({"jpg", "jpeg", "png", "gif", "webp", "avif", "svg", "bmp", "heic"})


@dataclass(frozen=True, slots=True)
class Reading:
    """What a post says. `quoted` is the post that it begins with a quote of, by its alias."""

    text: str
    mentions: tuple[Mention, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    quoted: str | None = None


def read(raw: str, cooked: str, network: str, answers: str | None = None) -> Reading:
    """Read a post.

    Args:
        raw: what its author wrote.
        cooked: the HTML that the forum made of it; it tells whose names are names.
        network: the id of the forum.
        answers: the alias of the post that it answers, if it says so.
    """
    raw = _COMMENT.sub("", raw.replace("\r\n", "\n")) if "<!--" in raw else raw
    raw, quoted = _without_first_quote(raw, answers)
    attachments: list[Attachment] = []
    text = "\n".join(_lines(raw, attachments)).strip()
    return Reading(
        re.sub(r"\n{3,}", "\n\n", text),
        tuple(_mentions(cooked, text, network)),
        tuple(attachments),
        quoted,
    )


def _without_first_quote(raw: str, answers: str | None) -> tuple[str, str | None]:
    """What stands below a quote that begins the post, and what it quotes.

    A quote of another post than the one that is answered stays.
    """
    text = raw.lstrip()
    found = _QUOTED.match(text)
    if found is None or not (found["post"] and found["topic"]):
        return raw, None
    quoted = alias(int(found["topic"]), int(found["post"]))
    if answers is not None and quoted != answers:
        return raw, None
    depth = 0
    for token in _QUOTE.finditer(text):
        depth += -1 if token[0].startswith("[/") else 1
        if depth == 0:
            rest = text[token.end() :].strip()
            return (rest, quoted) if rest else (raw, None)
    return raw, None


def _lines(raw: str, attachments: list[Attachment]) -> Iterator[str]:
    """The lines of a post, quotes set off as CommonMark does it."""
    depth, fence = 0, ""
    for line in raw.split("\n"):
        mark = _FENCE.match(line)
        if fence or mark:
            fence = _fence_after(line, mark, fence)
            yield _set_off(line, depth)
            continue
        for token in _QUOTE.split(line) if "[" in line else (line,):
            if _QUOTE.fullmatch(token):
                depth = min(max(depth + (-1 if token[1] == "/" else 1), 0), _DEEPEST)
                yield _set_off(_heading(token), depth)
            elif token.strip() or token == line:
                yield _set_off(_plain_line(token, attachments), depth)


def _fence_after(line: str, mark: re.Match[str] | None, fence: str) -> str:
    """Of what signs the fence is that stands open below a line, if one does."""
    if not fence:
        return mark[1] if mark else ""
    closes = mark is not None and mark[1].startswith(fence) and line.strip() == mark[1]
    return "" if closes else fence


def _set_off(line: str, depth: int) -> str:
    return f"{'> ' * depth}{line}".rstrip() if depth else line


def _heading(token: str) -> str:
    found = _QUOTED.match(token)
    who = found["who"].strip() if found else ""
    return f"**{who}:**" if who else ""


def _plain_line(line: str, attachments: list[Attachment]) -> str:
    """A line that is no code, but for what stands between backticks."""
    pieces, start = [], 0
    for code in _CODE.finditer(line) if "`" in line else ():
        pieces += [_words(line[start : code.start()], attachments), code[0]]
        start = code.end()
    return "".join([*pieces, _words(line[start:], attachments)])


def _words(text: str, attachments: list[Attachment]) -> str:
    def taken(found: re.Match[str]) -> str:
        attachments.append(_attachment(found))
        return ""

    if "upload://" in text:
        text = _UPLOAD.sub(taken, text)
    if "[" in text:
        text = _DETAILS.sub(lambda found: f"**{found['title'] or '…'}**\n", text)
        text = _DATE.sub(lambda found: " ".join(filter(None, found.group("date", "time"))), text)
        text = _CLOSING.sub("", _POLL.sub("*(poll)*", text))
    if ":" in text:
        text = _EMOJI.sub(lambda found: shown(found[1]), text)
    return text


def _attachment(found: re.Match[str]) -> Attachment:
    name, _, more = found["words"].partition("|")
    url = found["url"]
    ending = url.rpartition(".")[2].lower() if "." in url else ""
    size = _SIZE.search(more)
    if found["image"] and "video" not in more and "audio" not in more and not _sounds(ending):
        kind = MediaKind.IMAGE
    else:
        kind = _kind(ending)
    name = name.strip() or "file"
    if ending and not name.lower().endswith(f".{ending}"):
        name = f"{name}.{ending}"
    return Attachment(
        kind,
        url,
        name,
        width=int(size[1]) if size else None,
        height=int(size[2]) if size else None,
    )


def _sounds(ending: str) -> bool:
    return ending in _VIDEOS or ending in _SOUNDS


def _kind(ending: str) -> MediaKind:
    if ending in _VIDEOS:
        return MediaKind.VIDEO
    if ending in _SOUNDS:
        return MediaKind.AUDIO
    return MediaKind.IMAGE if ending in _IMAGES else MediaKind.FILE


def _mentions(cooked: str, text: str, network: str) -> Iterator[Mention]:
    """Those whom the forum itself made links to."""
    names = dict.fromkeys(unquote(name).lower() for name in _CALLED.findall(cooked))
    for name in list(names)[:_MOST_MENTIONS]:
        span = re.search(rf"(?<![\w@])@{re.escape(name)}(?![\w-])", text, re.IGNORECASE)
        if span:
            yield Mention(network, name, span[0])
