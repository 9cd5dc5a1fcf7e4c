"""Sizes as people write them: `500kB`, `50MB`, `2GB`."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer

_UNITS: Final = {"kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_LARGEST: Final = 10**13
_SHOW: Final = "write a number and a unit, as in 500kB, 50MB or 2GB"


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """A number of bytes, which prints as it is written in the configuration."""

    bytes: int

    def __str__(self) -> str:
        units = sorted(_UNITS.items(), key=lambda each: -each[1])
        unit = next(each for each, size in units if self.bytes % size == 0)
        return f"{self.bytes // _UNITS[unit]}{unit}"


def parse_size(written: Any) -> Size:  # noqa: ANN401 - whatever the file holds
    """Read a size in decimal units.

    Raises:
        ValueError: it is none, is nothing, or is more than 10 TB.
    """
    if isinstance(written, Size):
        return written
    if isinstance(written, int) and not isinstance(written, bool):
        msg = f"the unit is missing: {_SHOW}"
        raise ValueError(msg)  # noqa: TRY004 - pydantic takes only these for findings
    found = (
        re.fullmatch(r"([0-9]{1,9}) ?([A-Za-z]{2})", written) if isinstance(written, str) else None
    )
    units = {unit.lower(): size for unit, size in _UNITS.items()}
    if found is None or found[2].lower() not in units:
        msg = f"this is no size: {_SHOW}"
        raise ValueError(msg)
    count = int(found[1]) * units[found[2].lower()]
    if not 0 < count <= _LARGEST:
        msg = "this must be more than nothing, and at most 10TB"
        raise ValueError(msg)
    return Size(count)


Amount = Annotated[Size, BeforeValidator(parse_size), PlainSerializer(str)]
"""A field that holds a `Size`."""
