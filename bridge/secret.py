"""Secrets in a configuration: given as they are, by environment variable, or by file."""

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, SecretStr


def _resolve(value: Any) -> Any:  # noqa: ANN401 - whatever the file holds
    """Replace `{env: NAME}` and `{file: PATH}` by what they point to.

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
            return _read(Path(path))
        case str(text) if text:
            return text
    msg = "write the secret as text, or {env: NAME}, or {file: /path}"
    raise ValueError(msg)


def _read(path: Path) -> str:
    try:
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        msg = f"the secret file {path} can't be read ({reason})"
        raise ValueError(msg) from error
    if not found:
        msg = f"the secret file {path} is empty"
        raise ValueError(msg)
    return found


Secret = Annotated[SecretStr, BeforeValidator(_resolve)]
"""A secret: never shown by `repr`, `str` or a log; `.get_secret_value()` opens it."""
