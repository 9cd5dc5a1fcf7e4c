"""The section `policy` of a link: what crosses, when, and how much of it."""

import re
from datetime import time
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from bridge.portals.policy import BYLINE, Carried

_SPAN: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


def _byline(written: str) -> str:
    """Raises ValueError for one that does not tell who speaks."""
    if written.count("{name}") != 1 or re.search(r"[{}\n]", written.replace("{name}", "")):
        msg = 'write {name} once, where the author is to stand, and no other braces: "{name}:"'
        raise ValueError(msg)
    return written


def _span(written: Any) -> Any:  # noqa: ANN401 - whatever the file holds
    """Raises ValueError for what is no span of the day."""
    if written is None or isinstance(written, tuple):
        return written
    found = _SPAN.fullmatch(written) if isinstance(written, str) else None
    if found is None:
        msg = 'write it as "22:00-07:00", in quotation marks'
        raise ValueError(msg)
    begin, end = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
    if begin == end:
        msg = "the two times are the same, so nothing would ever be sent"
        raise ValueError(msg)
    return begin, end


class LinkPolicy(BaseModel):
    """What a link asks for beyond its direction."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    carry: tuple[Carried, ...] = Field(
        default=tuple(Carried),
        description="What crosses this link, either way",
        examples=["[messages, edits, deletions]"],
    )
    byline: Annotated[str, StringConstraints(max_length=60), AfterValidator(_byline)] = Field(
        default=BYLINE,
        description="What stands before each text where one account speaks for all",
        examples=['"[{name}]"'],
    )
    quiet: Annotated[tuple[time, time] | None, BeforeValidator(_span)] = Field(
        default=None,
        description="When nothing is sent to the group, in the zone of status.timezone",
        examples=['"22:00-07:00"'],
    )
    most_per_hour: Annotated[int, Field(strict=True, ge=1, le=10_000)] | None = Field(
        default=None,
        description="How many messages the group gets within an hour; the rest comes as a digest",
        examples=["30"],
    )
