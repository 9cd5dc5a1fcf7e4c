"""Stand-ins for secrets, as the example file has them: they load, but nothing may run on them."""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, SecretStr

from bridge.config.problem import KeyPath, Problem
from bridge.config.source import Source

SIGN = "CHANGE-ME"
"""A secret that begins with this is a stand-in."""


def secrets_in(model: BaseModel, at: KeyPath = ()) -> Iterator[tuple[KeyPath, SecretStr]]:
    """Every secret in a model and the models within it, with its key path."""
    for name in type(model).model_fields:
        yield from _secrets_at(getattr(model, name, None), (*at, name))


def _secrets_at(value: object, at: KeyPath) -> Iterator[tuple[KeyPath, SecretStr]]:
    if isinstance(value, SecretStr):
        yield at, value
    elif isinstance(value, BaseModel):
        yield from secrets_in(value, at)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _secrets_at(part, (*at, key))


def placeholders(source: Source, models: Mapping[KeyPath, BaseModel]) -> Iterator[Problem]:
    """One problem for each stand-in among the secrets of `models`, given by their key paths."""
    for at, model in models.items():
        for key, secret in secrets_in(model, at):
            if secret.get_secret_value().upper().replace("_", "-").startswith(SIGN):
                yield source.problem(
                    key, "the secret is still the example's.",
                    "Write the real one, or {env: NAME}, or {file: /path}.",
                )  # fmt: skip
