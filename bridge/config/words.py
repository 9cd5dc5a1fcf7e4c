"""pydantic's findings in plain words, with the line they are about.

Values are never repeated: any of them may be a secret.
"""

import types
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from bridge.config.problem import KeyPath, Problem
from bridge.config.source import Source
from bridge.wording import listed, nearest

_TYPES = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "frozen": "a list",
    "dict": "keys and values",
    "mapping": "keys and values",
    "model": "keys and values",
    "path": "a path",
}
_LIMITS = {
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    "string_too_short": "at least {min_length} characters long",
    "string_too_long": "at most {max_length} characters long",
    "too_short": "a list of at least {min_length}",
    "too_long": "a list of at most {max_length}",
}


def explain(
    error: ValidationError,
    model: type[BaseModel],
    source: Source,
    at: KeyPath = (),
    also_known: Iterable[str] = (),
) -> Iterator[Problem]:
    """Each of pydantic's findings as a problem.

    Args:
        error: what pydantic raised for the value at `at`.
        model: the model that the value was validated with.
        source: the file.
        at: where in the file the value is.
        also_known: keys of that value that are read by others than `model`.
    """
    for detail in error.errors(include_url=False, include_input=False):
        missing = detail["type"] == "missing"
        line, key = source.trace((*at, *detail["loc"]), missing=missing)
        if any(key[: len(lost)] == lost for lost in source.unreadable):
            continue
        value = source.value(key)
        if detail["type"] == "too_short" and isinstance(value, list) and value:
            continue  # pydantic counts only the items without problems, which are told anyway
        if detail["type"] == "extra_forbidden":
            sentence, advice = _unknown(
                detail, model, also_known if len(detail["loc"]) == 1 else ()
            )
        else:
            sentence, advice = _told(detail, _field(model, detail["loc"]), value)
        yield Problem(line, key, sentence, advice)


def _unknown(
    detail: ErrorDetails, model: type[BaseModel], also_known: Iterable[str]
) -> tuple[str, str]:
    *parents, name = detail["loc"]
    holders = _models(_type_at(model, parents))
    known = sorted({*also_known, *(key for holder in holders for key in holder.model_fields)})
    meant = nearest(str(name), known)
    if meant is not None:
        return "this key is not known.", f'Did you mean "{meant}"?'
    return "this key is not known.", f"Known here: {listed(known)}."


def _told(detail: ErrorDetails, field: FieldInfo | None, value: object) -> tuple[str, str]:
    """A finding's sentence and advice."""
    kind, context, how = detail["type"], detail.get("ctx", {}), _how(field)
    add = f"Add it. {how}".rstrip()
    match kind:
        case "missing":
            return "this key is missing.", add
        case "union_tag_not_found":
            return f"the key {context['discriminator']} is missing in it.", add
        case "value_error" | "assertion_error":
            return _sentence(str(context["error"])), ""
        case _ if value is None:
            advice = "Write one (in quotes if it begins with # or !)."
            return "this key has no value.", f"{advice} {how}".rstrip()
        case "string_type" if isinstance(value, int | float):
            return "this must be text.", "Put the value in quotes."
    return f"this {_must(kind, context)}.", how


def _must(kind: str, context: dict[str, Any]) -> str:
    if kind in {"enum", "literal_error", "union_tag_invalid"}:
        expected = context.get("expected") or context.get("expected_tags")
        return f"must be {str(expected).replace(chr(39), chr(34))}"
    if kind.endswith(("_type", "_parsing", "_from_float")):
        return f"must be {_TYPES.get(kind.partition('_')[0], 'of another kind')}"
    limit = _limit(kind, context)
    return f"must be {limit}" if limit else "is not written in the right form"


def _limit(kind: str, context: dict[str, Any]) -> str | None:
    form = _LIMITS.get(kind)
    return form.format_map(context) if form else None


def _how(field: FieldInfo | None) -> str:
    """How to write a field, from its description and first example."""
    if field is None:
        return ""
    description = _sentence(field.description) if field.description else ""
    example = f"Example: {field.examples[0]}" if field.examples else ""
    return f"{description} {example}".strip()


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "?", "!")) else f"{text}."


# --- finding one's way in models ----------------------------------------------------------------


def _field(model: type[BaseModel], loc: Sequence[str | int]) -> FieldInfo | None:
    if loc and loc[-1] == "[key]":  # pydantic's word for a key of a mapping
        loc = loc[:-2]
    if not loc:
        return None
    *parents, name = loc
    fields = [holder.model_fields.get(str(name)) for holder in _models(_type_at(model, parents))]
    return next((field for field in fields if field is not None), None)


def _type_at(model: Any, loc: Sequence[str | int]) -> Any:  # noqa: ANN401 - a type, of any form
    for part in loc:
        fields = [holder.model_fields.get(str(part)) for holder in _models(model)]
        found = next((field for field in fields if field is not None), None)
        if found is not None:
            model = found.annotation
        elif not _models(model):
            model = next(
                (argument for argument in reversed(get_args(model)) if argument is not Ellipsis),
                None,
            )
    return model


def _models(kind: Any) -> list[type[BaseModel]]:  # noqa: ANN401 - a type, of any form
    """The models that `kind` is, or is a union of."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    origin = get_origin(kind)
    if origin is Annotated:
        return _models(get_args(kind)[0])
    if origin in {Union, types.UnionType}:
        return [model for member in get_args(kind) for model in _models(member)]
    return []
