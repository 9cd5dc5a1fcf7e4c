"""What is wrong with a configuration file: where, what, and what to write instead."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import ConfigError

KeyPath = tuple[str | int, ...]
"""The way to a value: keys of mappings and indexes of lists, as `("portals", 0, "room")`."""

_SHOWN = 100


def written(key: KeyPath) -> str:
    """A key path for people: `portals[0].room`."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to change in the file. `line` counts from 1; 0 means the file as a whole."""

    line: int
    key: KeyPath
    sentence: str
    advice: str = ""

    def told(self, path: Path) -> str:
        """The problem in one line, led by where it is."""
        where = f"{path}:{self.line}" if self.line else str(path)
        key = f"{written(self.key)}: " if self.key else ""
        return f"{where}: {key}{self.sentence} {self.advice}".rstrip()


class UnusableConfig(ConfigError):  # noqa: N818 - the words of the one who meets it
    """A configuration file with problems: all that could be found, in the order of the file."""

    def __init__(self, path: Path, problems: Iterable[Problem]) -> None:
        self.path = path
        self.problems: Sequence[Problem] = tuple(sorted(problems, key=lambda found: found.line))
        lines = [problem.told(path) for problem in self.problems[:_SHOWN]]
        if len(self.problems) > _SHOWN:
            lines.append(f"… and {len(self.problems) - _SHOWN} more.")
        super().__init__("\n".join(lines))
