"""The section `media` of the configuration file: files on their way between places."""

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    model_validator,
)

from bridge.config.duration import Duration, Span
from bridge.config.size import Amount, Size
from bridge.media.addresses import checked_allowed
from bridge.secret import DIRECTORY, Secret

_SHORTEST_KEY: Final = 16
_SQLITE: Final = "sqlite:///"


def _located(path: Path, info: ValidationInfo) -> Path:
    context = info.context if isinstance(info.context, Mapping) else {}
    return Path(context.get(DIRECTORY, "."), path)


def _pattern(written: str) -> str:
    """Raises ValueError for what can't be compared with a media type."""
    pattern = written.strip().lower()
    if not re.fullmatch(r"[a-z0-9.+*_-]+/[a-z0-9.+*_-]+", pattern):
        msg = "write a media type such as application/pdf, or a pattern such as image/*"
        raise ValueError(msg)
    return pattern


def _public(url: str) -> str:
    """Raises ValueError for a URL whose host or port is impossible."""
    try:
        possible = bool(urlsplit(url).hostname) and urlsplit(url).port != 0
    except ValueError:
        possible = False
    if not possible:
        msg = "the host or the port in this URL is impossible"
        raise ValueError(msg)
    return url.rstrip("/")


def _long_enough(key: SecretStr) -> SecretStr:
    """Raises ValueError for a key that can be guessed."""
    if len(key) < _SHORTEST_KEY:
        msg = f"a key this short can be guessed; write at least {_SHORTEST_KEY} random characters"
        raise ValueError(msg)
    return key


TypePattern = Annotated[str, AfterValidator(_pattern)]


class MediaConfig(BaseModel):
    """Files on their way; see docs/media.md."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    directory: Annotated[Path, AfterValidator(_located)] | None = Field(
        default=None, description="Folder for files on their way, for the bridge alone"
    )
    max_size: Amount = Field(
        default=Size(50_000_000),
        description="The largest file that is passed on",
        examples=["50MB"],
    )
    spool_limit: Amount = Field(
        default=Size(1_000_000_000),
        description="How much all files on their way may take on the disk",
        examples=["1GB"],
    )
    keep: Span = Field(
        default=Duration(3_600),
        description="How long a file stays on the disk that nobody asks for any more",
        examples=["1h"],
    )
    remove_metadata: bool = Field(
        default=True,
        description="Take places and times out of pictures and films that leave for a network",
    )
    allow: tuple[TypePattern, ...] = Field(
        default=(), description="Media types that are passed on; empty: all", examples=['"image/*"']
    )
    deny: tuple[TypePattern, ...] = Field(
        default=(), description="Media types that are not passed on", examples=['"video/*"']
    )
    allow_hosts: tuple[Annotated[str, AfterValidator(checked_allowed)], ...] = Field(
        default=(),
        description="Hosts and networks that files may be fetched from though they are not public",
        examples=["files.hospital.example, or 10.1.0.0/16"],
    )
    public_url: (
        Annotated[
            str,
            StringConstraints(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"),
            AfterValidator(_public),
        ]
        | None
    ) = Field(
        default=None,
        description="Where the public reaches the bridge, for links to files",
        examples=["https://bridge.example.org"],
    )
    link_ttl: Span = Field(
        default=Duration(7 * 86_400), description="How long a link works", examples=["7d"]
    )
    link_key: Annotated[Secret, AfterValidator(_long_enough)] | None = Field(
        default=None, description="What links are signed with; made from as_token when left out"
    )

    @model_validator(mode="after")
    def _roomy(self) -> Self:
        if self.spool_limit.bytes < 3 * self.max_size.bytes:
            msg = "spool_limit must have room for three files of max_size at least"
            raise ValueError(msg)
        return self

    def spool(self, database_url: str, bot_id: str) -> Path:
        """The folder for files: the configured one, or one beside an SQLite database, or else in
        the system's folder for temporary files.

        Args:
            database_url: as `Database.url`, located.
            bot_id: tells bridges on the same machine apart.
        """
        if self.directory is not None:
            return self.directory
        if database_url.startswith(_SQLITE):
            database = Path(database_url.removeprefix(_SQLITE).partition("?")[0])
            return database.with_name(f"{database.name}-media")
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", bot_id).strip("-")
        return Path(tempfile.gettempdir(), f"consilium-media-{os.geteuid()}-{name}")
