"""What is a command, and what is not.

In the room of a portal nearly everything is meant for colleagues, so only what is clearly meant
for the bot is taken from them, and whoever wrote it is answered:

- a known command behind the prefix, in a text of one line: "!status";
- a slip of the pen, if the text is as short as commands are: "!statsu";
- whatever follows the prefix and the bot's name: "!consilium status";
- a command addressed to the bot by name, "Consilium: status", or by mentioning it.

All else is ordinary text and goes its way: "!!", "!important", "Consilium: what do you think?".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from bridge.wording import nearest

_LONGEST_LINE: Final = 2_000
_WORDS_OF_A_SLIP: Final = 4
_LIKENESS: Final = 0.75
_PUNCTUATION: Final = ".,:;?!"
_SHOWN: Final = 30


@dataclass(frozen=True, slots=True)
class Spoken:
    """Words to the bot.

    Attributes:
        command: the command's name; empty when there is none of this name.
        arguments: the words that follow.
        written: what stands in the command's place, shortened; empty if nothing does.
        meant: the command most like what was written, when that is none.
    """

    command: str
    arguments: tuple[str, ...] = ()
    written: str = ""
    meant: str | None = None


class Grammar:
    """Tells what is a command.

    Args:
        commands: each command's name, and how many words may follow it.
        prefix: what commands begin with.
        names: how people call the bot.
    """

    def __init__(self, commands: Mapping[str, int], prefix: str, names: Iterable[str]) -> None:
        self._commands = dict(commands)
        self._prefix = prefix
        self._names = sorted({name.strip() for name in names} - {""}, key=len, reverse=True)
        self._folded_names = {name.casefold() for name in self._names}
        self._starts = {start for word in (prefix, *self._names) for start in _cases(word[0])}

    def may_concern(self, text: str) -> bool:
        """Whether it is worth a closer look: False only if `in_room` finds nothing. Quick."""
        return text[:1] in self._starts or text[:1].isspace()

    def in_room(self, text: str, *, mentioned: bool = False) -> Spoken | None:
        """The command in a text said in the room of a portal; None if it is ordinary text.

        Args:
            text: what was said.
            mentioned: whether it mentions the bot as
                https://spec.matrix.org/v1.19/client-server-api/#user-and-room-mentions has it.
        """
        line = _line(text)
        if not line:
            return None
        if line.startswith(self._prefix):
            return self._behind_prefix(line.removeprefix(self._prefix))
        rest = self._behind_name(line, mentioned=mentioned)
        if rest is None:
            return None
        words = self._words(rest)
        if not words:
            return Spoken("") if mentioned else None
        found = self._likely(words)
        if found and found.command and len(found.arguments) > self._commands[found.command]:
            return None  # "Consilium: help is needed in ward 3"
        return found

    def in_private(self, text: str) -> Spoken:
        """The command in a text said to the bot alone: the prefix may be left out."""
        line = _line(text)
        rest = self._behind_name(line, mentioned=True)
        words = self._words(line if rest is None else rest)
        if words and words[0].casefold() in self._folded_names:
            words = words[1:]
        return self._certain(words)

    def _behind_prefix(self, rest: str) -> Spoken | None:
        if not rest or rest[0].isspace():
            return None
        words = rest.split()
        if words[0].casefold().rstrip(_PUNCTUATION) in self._folded_names:
            return self._certain(words[1:])
        return self._likely(words)

    def _behind_name(self, line: str, *, mentioned: bool) -> str | None:
        """What follows the bot's name at the start of a line; None when the bot is not called."""
        for name in self._names:
            start = line[: len(name)]
            rest = line[len(name) :]
            if start.casefold() != name.casefold():
                continue
            if rest.startswith((":", ",")):
                return rest[1:]
            if mentioned and (not rest or rest[0].isspace()):
                return rest
        return None

    def _words(self, text: str) -> list[str]:
        return text.strip().removeprefix(self._prefix).split()

    def _certain(self, words: list[str]) -> Spoken:
        """Words that are meant for the bot in any case."""
        if not words:
            return Spoken("")
        if known := self._known(words[0]):
            return Spoken(known, tuple(words[1:]), _shown(words[0]))
        return Spoken("", tuple(words[1:]), _shown(words[0]), nearest(words[0], self._commands))

    def _likely(self, words: list[str]) -> Spoken | None:
        """Words that are a command, or very nearly so."""
        found = self._certain(words)
        if found.command:
            return found
        if len(words) > _WORDS_OF_A_SLIP or found.meant is None:
            return None
        word = words[0].casefold().rstrip(_PUNCTUATION)
        alike = SequenceMatcher(None, word[:_SHOWN], found.meant).ratio()
        return found if alike >= _LIKENESS else None

    def _known(self, word: str) -> str | None:
        folded = word.casefold().rstrip(_PUNCTUATION)
        return folded if folded in self._commands else None


def _cases(letter: str) -> tuple[str, str, str]:
    return letter, letter.lower(), letter.upper()


def _line(text: str) -> str:
    """The text, if it is one line of a length that a command can have; else nothing."""
    line = text.strip()
    return line if len(line) <= _LONGEST_LINE and len(line.splitlines()) == 1 else ""


def _shown(word: str) -> str:
    return word if len(word) <= _SHOWN else word[: _SHOWN - 1] + "…"
