"""A mail's header, read so that nothing in it can do harm (RFC 5322, RFC 2047)."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import getaddresses, parsedate_to_datetime
from functools import cached_property
from typing import Final

from adapters.mail.charsets import decode

_LONGEST: Final = 16_000
"""Characters of one field that are read."""
_MOST_FIELDS: Final = 1_000
_MOST_ADDRESSES: Final = 100
_FOLD: Final = re.compile(r"\s*[\r\n]+\s*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_SPACES: Final = re.compile(r"\s+")
_COMMENT: Final = re.compile(r"\([^()]*\)")


class Header:
    """The fields of one mail. Names don't mind capitals; what is not there is empty.

    Args:
        raw: the header as it was sent, up to the empty line.
    """

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    @cached_property
    def _fields(self) -> dict[str, list[str]]:
        parsed = BytesHeaderParser(policy=compat32).parsebytes(self._raw)
        found: dict[str, list[str]] = {}
        for number, (name, value) in enumerate(parsed.raw_items()):
            if number >= _MOST_FIELDS:
                break
            text = _FOLD.sub(" ", _as_text(_bounded(str(value)))).strip()
            found.setdefault(name.lower().strip(), []).append(text)
        return found

    def first(self, name: str) -> str:
        """The field as it was sent, on one line."""
        return next(iter(self._fields.get(name.lower(), ())), "")

    def all(self, name: str) -> list[str]:
        """Every field of this name, as sent."""
        return list(self._fields.get(name.lower(), ()))

    def has(self, name: str) -> bool:
        """Whether there is such a field, be it empty."""
        return name.lower() in self._fields

    def words(self, name: str) -> str:
        """The field for people: encoded words read, without control characters."""
        return readable(self.first(name))

    def token(self, name: str) -> str:
        """The first word of a structured field, in small letters: `auto-replied; x=y`."""
        plain = _COMMENT.sub(" ", self.first(name))
        return plain.partition(";")[0].strip().lower()

    def addresses(self, *names: str) -> list[tuple[str, str]]:
        """The people in these fields, as (name, address); the address in small letters."""
        return list(self._addresses(names))

    def _addresses(self, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        values = [value for name in names for value in self.all(name)]
        for name, address in _read_addresses(values)[:_MOST_ADDRESSES]:
            plain = _CONTROL.sub("", address).strip().strip("<>").lower()
            if "@" in plain and not any(letter.isspace() for letter in plain):
                yield readable(name), plain

    @property
    def date(self) -> datetime | None:
        """What the sender says when it was written."""
        try:
            found = parsedate_to_datetime(self.first("date"))
            return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None


def readable(raw: str) -> str:
    """A field with its encoded words read, on one line, without control characters."""
    text = raw
    if "=?" in raw:
        try:
            pieces = decode_header(raw)
        except (HeaderParseError, ValueError):
            pieces = [(raw, None)]
        text = "".join(
            piece if isinstance(piece, str) else decode(piece, charset or "utf-8")
            for piece, charset in pieces
        )
    return _SPACES.sub(" ", _CONTROL.sub(" ", text)).strip()


def _bounded(value: str) -> str:
    """Both ends of a field that is too long: of a list, the first and the last matter most."""
    if len(value) <= _LONGEST:
        return value
    return f"{value[: _LONGEST // 2]} {value[-_LONGEST // 2 :]}"


def _as_text(value: str) -> str:
    """Undo the parser's surrogates, which stand for bytes above ASCII that nobody declared."""
    if value.isascii():
        return value
    return decode(value.encode("utf-8", "surrogateescape"), "utf-8")


def _read_addresses(values: list[str]) -> list[tuple[str, str]]:
    try:
        return getaddresses(values, strict=False)
    except TypeError:  # a Python without the choice: it has only the lenient way
        return getaddresses(values)
