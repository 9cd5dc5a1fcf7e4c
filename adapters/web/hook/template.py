"""Templates that make a text of a JSON payload, in Jinja's language.

The template is the admin's, the payload anyone's. So a template sees the payload and nothing else,
calls nothing, and can't multiply.
"""

from typing import Any, Final

from jinja2 import ChainableUndefined, TemplateError
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

_LONGEST: Final = 100_000
_FILTERS: Final = frozenset(
    {
        "abs", "capitalize", "d", "default", "first", "float", "int", "join", "last", "length",
        "list", "lower", "reverse", "round", "selectattr", "rejectattr", "map", "sort", "string",
        "striptags", "sum", "title", "tojson", "trim", "truncate", "unique", "upper",
    }
)  # fmt: skip
_OF_LOOPS: Final = frozenset({"index", "index0", "first", "last", "length"})
_FAULTS: Final = (
    TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError,
    RecursionError,
)  # fmt: skip


class UnusableError(Exception):
    """A template can't be filled with this payload."""


class _Environment(ImmutableSandboxedEnvironment):
    """Where templates live: only fields of the payload, and the harmless filters."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=ChainableUndefined, keep_trailing_newline=False)
        self.globals.clear()
        self.filters = {name: self.filters[name] for name in _FILTERS}

    def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401 - whatever JSON holds
        """A field of an object; never a method, whatever the field is called."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:  # noqa: ANN401
        """A field of an object or an element of a list."""
        if isinstance(obj, dict) and argument in obj:
            return obj[argument]
        if isinstance(obj, list) and isinstance(argument, int) and -len(obj) <= argument < len(obj):
            return obj[argument]
        if isinstance(obj, LoopContext) and argument in _OF_LOOPS:
            return getattr(obj, argument)
        return self.undefined(obj=obj, name=argument)

    def call_binop(
        self,
        context: Any,  # noqa: ANN401, ARG002 - as Jinja calls it
        operator: str,
        left: Any,  # noqa: ANN401, ARG002
        right: Any,  # noqa: ANN401, ARG002
    ) -> Any:  # noqa: ANN401
        """Texts can be multiplied until the memory is full; so nothing is."""
        msg = f"a template can't use {operator}"
        raise ValueError(msg)

    def is_safe_callable(self, obj: Any) -> bool:  # noqa: ANN401, ARG002
        """Nothing is called."""
        return False


_ENVIRONMENT: Final = _Environment()


class Template:
    """One template.

    Raises:
        ValueError: it can't be read; the text says why.
    """

    def __init__(self, source: str) -> None:
        try:
            self._template = _ENVIRONMENT.from_string(source)
        except TemplateError as error:
            msg = f"this template can't be read ({error})"
            raise ValueError(msg) from None

    def fill(self, payload: object) -> str:
        """The text that a payload makes; at most 100,000 characters.

        Raises:
            UnusableError: it makes none.
        """
        length, pieces = 0, []
        try:
            for piece in self._template.generate(payload=payload):
                pieces.append(piece)
                length += len(piece)
                if length > _LONGEST:
                    break
        except _FAULTS as error:
            raise UnusableError(str(error)) from None
        return "".join(pieces)[:_LONGEST].strip()
