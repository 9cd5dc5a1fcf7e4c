"""Errors of YAML's syntax in the words of somebody who has never heard of tokens.

Recognised by what libyaml and PyYAML say, which is not passed on: it may repeat a secret.
"""

from collections.abc import Sequence

import yaml

from bridge.config.problem import Problem

PUT_IN_QUOTES = 'Put the value in quotes, as in key: "value".'
_SYNTAX: Sequence[tuple[str, str, str]] = (
    ("cannot start any token", "a value can't begin with this character.", PUT_IN_QUOTES),
    ("mapping values are not allowed", "this colon is in the wrong place.",
     "Check the indentation of this line and the one before, or put the value in quotes."),
    ("sequence entries are not allowed", "this dash is in the wrong place.",
     "Begin each item of a list on a line of its own."),
    ("unexpected end of stream", "a quote is opened here and never closed.",
     "Close it at the end of the value."),
    ("unknown escape", "the text in double quotes holds a backslash that means nothing.",
     "Write single quotes around it, or two backslashes."),
    ("character escape code", "the text in double quotes holds an impossible character code.",
     "Write the character itself."),
    ("',' or ']'", "a list opened with [ is not closed.", "Close it with ]."),
    ("',' or '}'", "a group of keys opened with { is not closed.", "Close it with }."),
    ("expected '-' indicator", "a key stands where the next item of a list should.",
     "Check the indentation of this line."),
    ("expected key", "this line fits neither a key nor the value before it.",
     "Check its indentation, and put values with quotes or special signs wholly in quotes."),
    ("<document start>", "this line is indented differently from those before.",
     "Begin all keys of one section in the same column."),
    ("another document", "a second document begins here (---).", "Keep one document in the file."),
    ("undefined alias", "a value that begins with * refers to something that isn't there.",
     PUT_IN_QUOTES),
    ("maximum nesting", "the values are nested too deeply.", "Follow config.example.yaml."),
    ("could not find expected ':'", "this line has no colon after its key.",
     "Write key: value."),
    ("tag", "a value that begins with ! is not understood.", PUT_IN_QUOTES),
    ("anchor", "a value that begins with & is not understood.", PUT_IN_QUOTES),
)  # fmt: skip


def explain_syntax(error: yaml.MarkedYAMLError, text: str) -> Problem:
    """What stands wrong in `text`, and in which line."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = text.splitlines()
    if line < len(lines) and lines[line][column : column + 1] == "\t":
        return Problem(line + 1, (), "there is a tab.", "Indent with spaces.")
    told = f"{error.problem or ''} {error.context or ''}"
    for sign, sentence, advice in _SYNTAX:
        if sign in told:
            return Problem(line + 1, (), sentence, advice)
    return Problem(
        line + 1, (), "this line can't be read as YAML.",
        "Check the indentation and the quotes here and in the line before.",
    )  # fmt: skip
