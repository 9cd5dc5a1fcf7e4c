"""Pictures in a configuration: given as the path of a file, and read when the file is loaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import PlainValidator, ValidationInfo

from bridge.pictures.picture import FORMATS, Picture, media_type_of
from bridge.secret import DIRECTORY

LIMIT_BYTES: Final = 2_000_000


def _resolve(value: Any, info: ValidationInfo) -> Picture:  # noqa: ANN401 - whatever the file holds
    """Replace the path of a picture by the picture.

    A relative path is taken from the folder in the validation context (the configuration file's),
    or else from the working directory.

    Raises:
        ValueError: it can't be read, is too long, or is not a picture of the right kind.
    """
    if isinstance(value, Picture):
        return value
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        msg = f"write the path of a picture here ({FORMATS}), or delete the key"
        raise ValueError(msg)
    context = info.context if isinstance(info.context, Mapping) else {}
    path = Path(context.get(DIRECTORY, "."), value)
    content = _read(path)
    if len(content) > LIMIT_BYTES:
        msg = f"the picture {path} is larger than {LIMIT_BYTES // 10**6} MB; make it smaller"
        raise ValueError(msg)
    media_type = media_type_of(content)
    if media_type is None:
        msg = f"the file {path} is not a picture that Matrix clients show; save it as {FORMATS}"
        raise ValueError(msg)
    return Picture(content, media_type)


def _read(path: Path) -> bytes:
    if path.exists() and not path.is_file():  # opening a pipe would wait for its other end
        msg = f"{path} is not a file; write the path of a picture ({FORMATS})"
        raise ValueError(msg)
    try:
        with path.open("rb") as file:
            return file.read(LIMIT_BYTES + 1)
    except OSError as error:
        reason = error.strerror or "it can't be opened"
        msg = (
            f"the picture {path} can't be read ({reason}); check its name, relative to this file's"
            " folder, and its access rights"
        )
        raise ValueError(msg) from None


PictureFile = Annotated[Picture, PlainValidator(_resolve)]
"""The path of a PNG, JPEG, WebP or GIF file of at most `LIMIT_BYTES`; the value is its content."""
