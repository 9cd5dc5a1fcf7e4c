"""Spans of time as people write them: `90s`, `15m`, `12h`, `3d`, `2w`."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer

_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_LONGEST: Final = 366 * 86_400
_SHOW: Final = "write a number and a unit, as in 90s, 15m, 12h, 3d or 2w"


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A span of whole seconds, which prints as it is written in the configuration."""

    seconds: int

    @property
    def milliseconds(self) -> int:
        """The same in milliseconds."""
        return self.seconds * 1_000

    def __str__(self) -> str:
        units = (unit for unit, size in sorted(_SECONDS.items(), key=lambda each: -each[1]))
        unit = next(each for each in units if each != "w" and self.seconds % _SECONDS[each] == 0)
        return f"{self.seconds // _SECONDS[unit]}{unit}"


def parse_duration(written: Any) -> Duration:  # noqa: ANN401 - whatever the file holds
    """Read a duration.

    Raises:
        ValueError: it is none, is nothing, or is longer than a year.
    """
    if isinstance(written, Duration):
        return written
    if isinstance(written, int) and not isinstance(written, bool):
        msg = f"the unit is missing: {_SHOW}"
        raise ValueError(msg)  # noqa: TRY004 - pydantic takes only these for findings
    found = re.fullmatch(r"([0-9]{1,9}) ?([a-z])", written) if isinstance(written, str) else None
    if found is None or found[2] not in _SECONDS:
        msg = f"this is no length of time: {_SHOW}"
        raise ValueError(msg)
    seconds = int(found[1]) * _SECONDS[found[2]]
    if not 0 < seconds <= _LONGEST:
        msg = "this must be longer than nothing, and at most a year"
        raise ValueError(msg)
    return Duration(seconds)


Span = Annotated[Duration, BeforeValidator(parse_duration), PlainSerializer(str)]
"""A field that holds a `Duration`."""
