"""The key of this installation: in the configuration, or in a file that is made once."""

import base64
import binascii
import os
import secrets
from pathlib import Path
from typing import Final

from bridge.errors import ConfigError

KEY_BYTES: Final = 32

_HEADER: Final = (
    "# The key to the bridge's encryption. Keep it secret, and back it up: it can't be replaced."
)


def parse_key(text: str) -> bytes:
    """A key as it is written: base64 of 32 bytes; lines that begin with # are left out.

    Raises:
        ValueError: it is none.
    """
    lines = (line.strip() for line in text.splitlines())
    written = "".join(line for line in lines if not line.startswith("#"))
    try:
        key = base64.b64decode(written, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        msg = "an encryption key is 44 characters of base64; make one with: openssl rand -base64 32"
        raise ValueError(msg)
    return key


def read_key(path: Path) -> bytes | None:
    """The key in a file, None if there is no such file.

    Raises:
        ConfigError: it can't be read, or holds no key.
    """
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(
            f"The encryption key in {path} can't be read: {reason}.",
            "Let the bridge's user read it, or restore it from a backup.",
        ) from error
    try:
        return parse_key(text)
    except ValueError as error:
        raise ConfigError(
            f"The file {path} holds no encryption key.", "Restore it from a backup."
        ) from error


def make_key(path: Path) -> bytes:
    """Make a key and write it, readable by its owner alone.

    Raises:
        ConfigError: it can't be written.
    """
    key = secrets.token_bytes(KEY_BYTES)
    content = f"{_HEADER}\n{base64.b64encode(key).decode()}\n".encode()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigError(
            f"The encryption key can't be written to {path}: {error.strerror}.",
            "Give the bridge's user write access to that folder, or write key_file under"
            " encryption.",
        ) from error
    return key
