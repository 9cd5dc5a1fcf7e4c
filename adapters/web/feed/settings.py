"""The keys of a network of feeds in the configuration file."""

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from adapters.web.fetching import Login
from bridge.contract import Secret, Settings


class Show(StrEnum):
    """How much of an item is shown."""

    TITLE = "title"
    SUMMARY = "summary"
    FULL = "full"


class FeedSettings(Settings, hide_input_in_errors=True):
    """Feeds that are read alike. Each group is the address of one."""

    minutes: int = Field(
        default=30, ge=1, le=10_080, strict=True,
        description="How often each feed is looked at: every so many minutes",
    )  # fmt: skip
    show: Show = Field(
        default=Show.SUMMARY,
        description="How much of an item: its title, its summary, or all that the feed has of it",
    )
    files: bool = Field(
        default=True, description="Whether files that belong to an item come along, as recordings"
    )
    quiet: bool = Field(
        default=False, description="Items are notices, for which clients don't ring"
    )
    max_mb: int = Field(
        default=5, ge=1, le=20, strict=True, description="Longest feed that is read, in megabytes"
    )
    user: str | None = Field(
        default=None, min_length=1, max_length=200,
        description="Name for feeds behind HTTP Basic authentication; all feeds of the network "
        "are given it",
    )  # fmt: skip
    password: Secret | None = Field(default=None, description="Password for that name")

    @property
    def login(self) -> Login | None:
        """What feeds are shown, if anything."""
        if self.user is None or self.password is None:
            return None
        return Login(self.user, self.password.get_secret_value())

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.user is None) is not (self.password is None):
            msg = "user and password belong together; write both or neither"
            raise ValueError(msg)
        return self
