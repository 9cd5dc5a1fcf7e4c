"""Secrets in a configuration: given as they are, by environment variable, or by file."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, SecretStr, ValidationInfo

DIRECTORY: Final = "directory"
"""Key of pydantic's validation context: the folder that relative secret files are in."""

_LIMIT_BYTES = 65_536


def _resolve(value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - whatever the file holds
    """Replace `{env: NAME}` and `{file: PATH}` by what they point to.

    A relative path is taken from the folder in the validation context (the configuration file's),
    or else from the working directory.

    Raises:
        ValueError: the variable is not set, the file can't be read, or it is empty.
    """
    if isinstance(value, SecretStr):
        return value
    match value:
        case {"env": str(name), **rest} if not rest:
            found = os.environ.get(name, "")
            if not found:
                msg = f"the environment variable {name} is not set; set it or write the secret here"
                raise ValueError(msg)
            return found
        case {"file": str(path), **rest} if not rest:
            context = info.context if isinstance(info.context, Mapping) else {}
            return _read(Path(context.get(DIRECTORY, "."), path))
        case str(text) if text.strip():
            return text
        case None | str():
            msg = "the secret is empty; write it as text, or {env: NAME}, or {file: /path}"
            raise ValueError(msg)
        case int() | float():
            msg = "a secret of digits needs quotes around it"
            raise ValueError(msg)
    msg = "write the secret as text, or {env: NAME}, or {file: /path}"
    raise ValueError(msg)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT_BYTES + 1)
        found = content.decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        msg = f"the secret file {path} can't be read ({reason})"
        raise ValueError(msg) from None
    if len(content) > _LIMIT_BYTES:
        msg = f"the secret file {path} is too long to be a secret"
        raise ValueError(msg)
    if not found:
        msg = f"the secret file {path} is empty"
        raise ValueError(msg)
    return found


Secret = Annotated[SecretStr, BeforeValidator(_resolve)]
"""A secret: never shown by `repr`, `str` or a log; `.get_secret_value()` opens it."""
