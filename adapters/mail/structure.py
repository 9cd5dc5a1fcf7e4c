"""What a mail is made of, as its server tells it (BODYSTRUCTURE, RFC 3501, section 7.4.2).

Mails are never taken apart here as a whole: only the parts that are needed are fetched. What is
told of a part is its sender's claim, and bounded.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes

from adapters.mail.charsets import decode
from adapters.mail.header import readable
from adapters.mail.imap_reply import Value

MAX_DEPTH: Final = 20
MAX_PARTS: Final = 200
_LONGEST_NAME: Final = 200
_NOT_IN_NAMES: Final = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|]+')


class Broken(ValueError):  # noqa: N818 - said of the structure
    """The structure can't be read."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a mail, with those in it.

    `section` is its number for the server, `kind` its media type in small letters, `size` the
    bytes as sent (before decoding). `disposition` is "inline", "attachment" or empty. `title` is
    the subject of a mail that is attached.
    """

    section: str
    kind: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    encoding: str = ""
    size: int = 0
    disposition: str = ""
    name: str = ""
    content_id: str = ""
    title: str = ""
    parts: tuple["Part", ...] = ()

    @property
    def charset(self) -> str:
        """What its text is said to be written in."""
        return self.parameters.get("charset", "")

    @property
    def decoded_size(self) -> int:
        """About how many bytes it has when decoded."""
        return self.size * 3 // 4 if self.encoding == "base64" else self.size


def read_structure(value: Value) -> Part:
    """Read a BODYSTRUCTURE. What is beyond the limits on depth and number is left out.

    Raises:
        Broken: it is none.
    """
    if not isinstance(value, list) or not value:
        raise Broken("the server tells no structure")
    return _Reader().read(value, "", 0)


class _Reader:
    def __init__(self) -> None:
        self._left = MAX_PARTS

    def read(self, value: list[Value], section: str, depth: int) -> Part:
        if isinstance(value[0], list):
            return self._multipart(value, section, depth)
        return self._single(value, section or "1")

    def _multipart(self, value: list[Value], section: str, depth: int) -> Part:
        children = [each for each in _leading_lists(value) if each]
        rest = value[len(list(_leading_lists(value))) :]
        parts: list[Part] = []
        for number, child in enumerate(children, start=1):
            self._left -= 1
            if self._left < 0 or depth >= MAX_DEPTH:
                break
            parts.append(
                self.read(child, f"{section}.{number}" if section else f"{number}", depth + 1)
            )
        disposition, _ = _disposition(_at(rest, 2))
        return Part(
            section=section,
            kind=f"multipart/{_word(_at(rest, 0)) or 'mixed'}",
            parameters=_parameters(_at(rest, 1)),
            disposition=disposition,
            parts=tuple(parts),
        )

    def _single(self, value: list[Value], section: str) -> Part:
        kind = f"{_word(_at(value, 0)) or 'application'}/{_word(_at(value, 1)) or 'octet-stream'}"
        parameters = _parameters(_at(value, 2))
        title, after = "", 8
        if kind.startswith("text/"):
            after = 9
        elif kind == "message/rfc822":
            envelope = _at(value, 7)
            title = readable(_text(_at(envelope, 1))) if isinstance(envelope, list) else ""
            after = 11
        disposition, more = _disposition(_at(value, after))
        name = _file_name(more.get("filename") or parameters.get("name") or "")
        return Part(
            section=section,
            kind=kind,
            parameters=parameters,
            encoding=_word(_at(value, 5)),
            size=_number(_at(value, 6)),
            disposition=disposition,
            name=name,
            content_id=_text(_at(value, 3)).strip().strip("<>"),
            title=_file_name(title),
        )


def _leading_lists(value: list[Value]) -> Iterator[list[Value]]:
    for each in value:
        if not isinstance(each, list):
            return
        yield each


def _disposition(value: Value) -> tuple[str, Mapping[str, str]]:
    if not isinstance(value, list):
        return "", {}
    return _word(_at(value, 0)), _parameters(_at(value, 1))


def _parameters(value: Value) -> dict[str, str]:
    """Name and value in turn; long or foreign ones come in pieces (RFC 2231, section 3)."""
    if not isinstance(value, list):
        return {}
    plain: dict[str, str] = {}
    pieces: dict[str, list[tuple[int, bytes, bool]]] = {}
    pairs = iter(value[: 2 * MAX_PARTS])
    for raw_name, raw_value in zip(pairs, pairs, strict=False):
        name = _word(raw_name)
        if "*" not in name:
            plain.setdefault(name, readable(_text(raw_value)))
            continue
        base, _, number = name.partition("*")
        coded = number.endswith("*") or not number
        order = number.rstrip("*")
        data = raw_value if isinstance(raw_value, bytes) else b""
        pieces.setdefault(base, []).append((int(order) if order.isdigit() else 0, data, coded))
    for base, several in pieces.items():
        plain[base] = _joined(several)
    return plain


def _joined(pieces: list[tuple[int, bytes, bool]]) -> str:
    ordered = sorted(pieces, key=lambda piece: piece[0])
    charset = "utf-8"
    data = b""
    for position, (_, piece, coded) in enumerate(ordered):
        value = piece
        if coded and position == 0 and piece.count(b"'") >= 2:
            declared, _, value = piece.split(b"'", 2)
            charset = declared.decode("ascii", "replace") or charset
        data += unquote_to_bytes(value) if coded else value
    return decode(data, charset)


def _file_name(name: str) -> str:
    """A name that is one, whatever folder its sender would like it to be in."""
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = " ".join(_NOT_IN_NAMES.sub(" ", last).split()).lstrip(".")
    if len(plain) <= _LONGEST_NAME:
        return plain
    stem, dot, ending = plain.rpartition(".")
    return f"{stem[: _LONGEST_NAME - 20]}{dot}{ending[:19]}" if dot else plain[:_LONGEST_NAME]


def _at(value: Value, position: int) -> Value:
    return value[position] if isinstance(value, list) and position < len(value) else None


def _text(value: Value) -> str:
    return decode(value, "utf-8") if isinstance(value, bytes) else ""


def _word(value: Value) -> str:
    return _text(value).strip().lower()[:100]


def _number(value: Value) -> int:
    return int(value) if isinstance(value, bytes) and value.isdigit() and len(value) < 16 else 0
