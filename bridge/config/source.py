"""A YAML file as plain values that still know their lines.

Stricter than YAML: text keys only, none twice, no tags, no merge keys, and bounds on size, depth
and the number of values after aliases are followed (https://en.wikipedia.org/wiki/Billion_laughs_attack).
Nothing of the file's values is ever repeated in a problem, because any of them may be a secret.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bridge.config.problem import KeyPath, Problem, UnusableConfig
from bridge.config.syntax import PUT_IN_QUOTES, explain_syntax

LIMIT_BYTES = 5_000_000
_LIMIT_VALUES = 500_000
_LIMIT_DEPTH = 50

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml: 20 times as fast


@dataclass(frozen=True, slots=True)
class Source:
    """One file that was read: `data` is its content, `problems` what could not be taken over.

    `unreadable` are the key paths whose value in `data` is only a stand-in.
    """

    path: Path
    root: yaml.Node = field(repr=False)
    data: dict[str, Any] = field(repr=False)
    problems: Sequence[Problem]
    unreadable: frozenset[KeyPath]

    def trace(self, loc: Sequence[str | int], *, missing: bool = False) -> tuple[int, KeyPath]:
        """Where `loc` is: its line, and the key path without parts that the file doesn't have.

        A model's location may name parts that are not in the file, such as the chosen member of a
        union; the last part is kept when it is the one that is `missing`.
        """
        node, line, key = self.root, self.root.start_mark.line + 1, []
        for position, part in enumerate(loc):
            child = _child(node, part)
            if child is not None:
                node, line = child
                key.append(part)
            elif missing and position == len(loc) - 1:
                key.append(part)
        return line, tuple(key)

    def problem(self, key: KeyPath, sentence: str, advice: str) -> Problem:
        """A problem with what is at `key`."""
        return Problem(self.trace(key)[0], key, sentence, advice)

    def value(self, key: KeyPath) -> Any:  # noqa: ANN401 - whatever the file holds
        """The value at a key path that `trace` gave; None when it isn't there."""
        found: Any = self.data
        for part in key:
            try:
                found = found[part]
            except (KeyError, IndexError, TypeError):
                return None
        return found


def _child(node: yaml.Node, part: str | int) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == part:
                return value, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark.line + 1
    return None


def read_source(path: Path) -> Source:
    """Read a YAML file of keys and values.

    Raises:
        UnusableConfig: it can't be read, is not YAML, or is not made of keys and values.
    """
    text = _text(path)
    root = _compose(path, text)
    if root is None:
        raise _whole(path, "the file is empty.", "Write one with: consilium init")
    if not isinstance(root, yaml.MappingNode):
        raise _whole(
            path, "the file must be made of keys and values.", "Follow config.example.yaml."
        )
    conversion = _Conversion()
    try:
        data = conversion.value(root, ())
    except _TooMuchError as error:
        raise _whole(path, str(error), "Follow config.example.yaml.") from None
    unreadable = frozenset(conversion.unreadable)
    return Source(path, root, data, tuple(conversion.problems), unreadable)


def _whole(path: Path, sentence: str, advice: str) -> UnusableConfig:
    return UnusableConfig(path, [Problem(0, (), sentence, advice)])


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT_BYTES + 1)
    except FileNotFoundError:
        advice = "Write one with: consilium init, or name another with --config."
        raise _whole(path, "there is no such file.", advice) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "impossible name"
        raise _whole(
            path, f"the file can't be read ({reason}).", "Check its name and its access rights."
        ) from None
    if len(content) > LIMIT_BYTES:
        raise _whole(
            path,
            f"the file is longer than {LIMIT_BYTES // 10**6} MB.",
            "Check that it is the right one.",
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = Problem(line, (), "this is not UTF-8 text.", "Save the file as UTF-8.")
        raise UnusableConfig(path, [problem]) from None


def _compose(path: Path, text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise UnusableConfig(path, [explain_syntax(error, text)]) from None
    except yaml.reader.ReaderError as error:
        # libyaml counts bytes and the Python reader characters: look for the culprit instead
        at = next((i for i, char in enumerate(text) if _forbidden(char)), error.position)
        line = text.count("\n", 0, at) + 1
        sentence = "there is a control character, which YAML forbids."
        raise UnusableConfig(path, [Problem(line, (), sentence, "Delete it.")]) from None
    except RecursionError:
        raise _whole(
            path, "the values are nested too deeply.", "Follow config.example.yaml."
        ) from None


def _forbidden(char: str) -> bool:
    return yaml.reader.Reader.NON_PRINTABLE.match(char) is not None


class _TooMuchError(Exception):
    """The file's values are too many or nested too deeply."""


class _Conversion:
    """Nodes to plain values, with the problems met on the way."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.unreadable: list[KeyPath] = []
        self._left = _LIMIT_VALUES

    def value(self, node: yaml.Node, key: KeyPath) -> Any:  # noqa: ANN401 - whatever is there
        self._left -= 1
        if self._left < 0:
            raise _TooMuchError("the file holds too many values.")
        if len(key) > _LIMIT_DEPTH:
            raise _TooMuchError("the values are nested too deeply.")
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if isinstance(node, yaml.MappingNode) and kind == "map":
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode) and kind == "seq":
            return [self.value(child, (*key, index)) for index, child in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and kind in _SCALARS:
            return _scalar(kind, node.value)
        self.unreadable.append(key)
        self._tell(
            node, key, "a value that begins with ! has a special meaning in YAML.", PUT_IN_QUOTES
        )
        return None

    def _mapping(self, node: yaml.MappingNode, key: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for name_node, child in node.value:
            if not isinstance(name_node, yaml.ScalarNode):
                self._tell(name_node, key, "a key must be text.", "Write key: value.")
                continue
            name = name_node.value
            if name == "<<":
                self._tell(
                    name_node, key, "merge keys (<<) are not supported.", "Write the keys out."
                )
            elif name in lines:
                sentence = f"this key is already given in line {lines[name]}."
                self._tell(name_node, (*key, name), sentence, "Delete one of them.")
            else:
                lines[name] = name_node.start_mark.line + 1
                found[name] = self.value(child, (*key, name))
        return found

    def _tell(self, node: yaml.Node, key: KeyPath, sentence: str, advice: str) -> None:
        self.problems.append(Problem(node.start_mark.line + 1, key, sentence, advice))


_SCALARS = frozenset({"str", "null", "bool", "int", "float", "timestamp", "value", "merge"})


def _scalar(kind: str, text: str) -> str | int | float | bool | None:
    """A scalar's value. What YAML 1.1 takes for octal, base 60 or a date is meant as text."""
    match kind:
        case "null":
            return None
        case "bool":
            return text.lower() in {"yes", "true", "on"}
        case "int" | "float":
            try:
                return int(text, 10) if kind == "int" else float(text)
            except ValueError:
                return text
    return text
