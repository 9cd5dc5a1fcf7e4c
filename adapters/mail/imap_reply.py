"""What an IMAP server answers, as values (RFC 3501, section 9). Nothing of it is trusted.

A list is a `list`, NIL is None, and all else is bytes: numbers, too, as only who asked for one
knows that it is one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

Value: TypeAlias = bytes | list["Value"] | None

MAX_DEPTH: Final = 200
_TOKEN: Final = re.compile(
    rb"""
      (?P<open>\() | (?P<close>\))
    | "(?P<quoted>(?:[^"\\]|\\.)*)"
    | ~?\{(?P<literal>\d+)\+?\}$
    | (?P<atom>(?:[^\s()"\[\]{]|\[[^\]]*\]|\{(?!\d+\}$)|\])+)
    """,
    re.VERBOSE,
)
_ESCAPED: Final = re.compile(rb"\\(.)")
LITERAL: Final = re.compile(rb"~?\{(\d+)\+?\}\r?\n?$")
"""The end of a line that goes on with so many bytes."""


class Unreadable(ValueError):  # noqa: N818 - said of the answer
    """The server's answer is no IMAP."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A string that came with its length before it."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """One untagged answer.

    `word` is its name in capitals ("FETCH"), `number` what stands before it, `values` what
    follows; `text` is the raw line, for answers that are words for people.
    """

    word: str
    number: int | None
    values: list[Value]
    text: str

    def items(self) -> Mapping[str, Value]:
        """The named values of a FETCH; empty for any other answer."""
        if self.word != "FETCH" or not self.values or not isinstance(self.values[0], list):
            return {}
        found, pairs = {}, iter(self.values[0])
        for name, value in zip(pairs, pairs, strict=False):
            if isinstance(name, bytes):
                found[name.decode("ascii", "replace").upper()] = value
        return found


def read_values(pieces: Sequence[bytes | Literal]) -> list[Value]:
    """Read a whole answer: its lines, each literal between the lines that it joins.

    Raises:
        Unreadable: it is no IMAP, or nests too deep.
    """
    top: list[Value] = []
    stack = [top]
    literals = iter([piece.data for piece in pieces if isinstance(piece, Literal)])
    for piece in pieces:
        if isinstance(piece, Literal):
            continue
        position = 0
        line = piece.rstrip(b"\r\n")
        while position < len(line):
            if line[position] in b" \t":
                position += 1
                continue
            token = _TOKEN.match(line, position)
            if token is None:
                raise Unreadable("a line of the answer can't be read")
            position = token.end()
            _take(token, stack, literals)
    if len(stack) != 1:
        raise Unreadable("a list in the answer does not end")
    return top


def _take(token: re.Match[bytes], stack: list[list[Value]], literals: Iterator[bytes]) -> None:
    match token.lastgroup:
        case "open":
            if len(stack) > MAX_DEPTH:
                raise Unreadable("the answer nests too deep")
            inner: list[Value] = []
            stack[-1].append(inner)
            stack.append(inner)
        case "close":
            if len(stack) == 1:
                raise Unreadable("a list in the answer never began")
            stack.pop()
        case "quoted":
            stack[-1].append(_ESCAPED.sub(rb"\1", token["quoted"]))
        case "literal":
            data = next(literals, None)
            if data is None:
                raise Unreadable("a text is missing in the answer")
            stack[-1].append(data)
        case _:
            atom = token["atom"]
            stack[-1].append(None if atom.upper() == b"NIL" else atom)


def read_reply(pieces: Sequence[bytes | Literal]) -> Reply:
    """Read an untagged answer, the asterisk included.

    Raises:
        Unreadable: it is no IMAP.
    """
    first = pieces[0]
    if not isinstance(first, bytes) or not first.startswith(b"* "):
        raise Unreadable("an untagged answer begins with an asterisk")
    text = first[2:].strip()
    head, _, rest = text.partition(b" ")
    number = int(head) if head.isdigit() and len(head) <= 10 else None
    if number is not None:
        head, _, rest = rest.partition(b" ")
    word = head.decode("ascii", "replace").upper()
    plain = text.decode("utf-8", "replace")
    if word in _FOR_PEOPLE:
        return Reply(word, number, [], plain)
    return Reply(word, number, read_values([rest, *pieces[1:]]), plain)


_FOR_PEOPLE: Final = frozenset({"OK", "NO", "BAD", "BYE", "PREAUTH"})
