"""A calendar invitation in words (RFC 5545): what, when, where."""

import re
from datetime import datetime
from typing import Final

_FOLD: Final = re.compile(r"\r?\n[ \t]")
_LINE: Final = re.compile(r"^([A-Za-z-]+)((?:;[^:\"\n]*(?:\"[^\"\n]*\")?)*):(.*)$", re.MULTILINE)
_ZONE: Final = re.compile(r';TZID="?([^";:]+)', re.IGNORECASE)
_ESCAPE: Final = re.compile(r"\\([\\;,nN])")
_MOST: Final = 100_000
_LONGEST_VALUE: Final = 500
_METHODS: Final = {
    "REQUEST": "Invitation",
    "CANCEL": "Cancelled",
    "REPLY": "Answer to an invitation",
    "COUNTER": "Other time proposed",
}


def in_words(calendar: str) -> str:
    """One line on its first event; empty where there is none."""
    fields: dict[str, tuple[str, str]] = {}
    text = _FOLD.sub("", calendar[:_MOST])
    before, begun, event = text.partition("BEGIN:VEVENT")
    if not begun:
        return ""
    for line in _LINE.finditer(event.partition("END:VEVENT")[0]):
        name, parameters, value = line[1].upper(), line[2], line[3].strip()
        fields.setdefault(name, (parameters, _ESCAPE.sub(_escaped, value)[:_LONGEST_VALUE]))
    method = next((line[3].strip() for line in _LINE.finditer(before) if line[1] == "METHOD"), "")
    what = fields.get("SUMMARY", ("", ""))[1] or "an event"
    pieces = [f"{_METHODS.get(method.upper(), 'Appointment')}: {what}"]
    if when := _when(fields):
        pieces.append(when)
    if where := fields.get("LOCATION", ("", ""))[1]:
        pieces.append(where)
    return ", ".join(pieces)


def _escaped(match: re.Match[str]) -> str:
    return " " if match[1] in "nN" else match[1]


def _when(fields: dict[str, tuple[str, str]]) -> str:
    begins, ends = _moment(fields, "DTSTART"), _moment(fields, "DTEND")
    if not begins:
        return ""
    return f"{begins} to {ends}" if ends and ends != begins else begins


def _moment(fields: dict[str, tuple[str, str]], name: str) -> str:
    parameters, value = fields.get(name, ("", ""))
    zone = _ZONE.search(parameters)
    for form, shown in (("%Y%m%dT%H%M%S", "%Y-%m-%d %H:%M"), ("%Y%m%d", "%Y-%m-%d")):
        try:
            moment = datetime.strptime(value.rstrip("Z"), form)  # noqa: DTZ007 - told as it is
        except ValueError:
            continue
        said = moment.strftime(shown)
        if value.endswith("Z"):
            return f"{said} UTC"
        return f"{said} ({zone[1]})" if zone else said
    return ""
