"""Which parts of a mail are what its author says, and which are files."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from adapters.mail.structure import Part

_SIGNATURES: Final = frozenset(
    {
        "application/pgp-signature", "application/pkcs7-signature",
        "application/x-pkcs7-signature",
    }
)  # fmt: skip
_SEALED: Final = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_TEXTS: Final = frozenset({"text/plain", "text/html", "text/enriched", "text/x-amp-html"})


class Seal(StrEnum):
    """How a mail is closed to the bridge. The value is for people."""

    PGP = "OpenPGP"
    SMIME = "S/MIME"


@dataclass(frozen=True, slots=True)
class Body:
    """Something that is said, in one form or in both."""

    text: Part | None = None
    html: Part | None = None


@dataclass(slots=True)
class Plan:
    """What to fetch of a mail.

    `bodies` are read one after the other. `files` go with it, and `calendar` is an invitation.
    `sealed`: it is encrypted, and among the files is what can be opened elsewhere.
    """

    bodies: list[Body] = field(default_factory=list)
    files: list[Part] = field(default_factory=list)
    calendar: Part | None = None
    sealed: Seal | None = None


def plan_of(mail: Part) -> Plan:
    """Decide about each part."""
    plan = Plan()
    _take(mail, plan)
    return plan


def _take(part: Part, plan: Plan) -> None:
    match part.kind:
        case "multipart/alternative":
            _take_one_form(part, plan)
        case "multipart/encrypted":
            plan.sealed = Seal.PGP
            sealed = [each for each in _leaves(part) if each.kind != "application/pgp-encrypted"]
            plan.files += sealed
        case kind if kind.startswith("multipart/"):
            for child in part.parts:
                _take(child, plan)
        case _:
            _take_leaf(part, plan)


def _take_leaf(part: Part, plan: Plan) -> None:
    if part.kind in _SIGNATURES:
        return
    if part.kind in _SEALED:
        plan.sealed = Seal.SMIME
        plan.files.append(part)
    elif part.kind == "text/calendar":
        if plan.calendar is None:
            plan.calendar = part
        if part.name:
            plan.files.append(part)
    elif part.kind in _TEXTS and part.disposition != "attachment" and not part.name:
        plan.bodies.append(Body(html=part) if part.kind == "text/html" else Body(text=part))
    else:
        plan.files.append(part)


def _take_one_form(part: Part, plan: Plan) -> None:
    """The same thing several times: the plain and the formatted one are one body."""
    inner = Plan()
    for child in part.parts:
        _take(child, inner)
    text = next((each.text for each in inner.bodies if each.text), None)
    html = next((each.html for each in inner.bodies if each.html), None)
    if text or html:
        plan.bodies.append(Body(text, html))
    plan.files += inner.files
    plan.calendar = plan.calendar or inner.calendar
    plan.sealed = plan.sealed or inner.sealed


def _leaves(part: Part) -> Iterator[Part]:
    if not part.kind.startswith("multipart/"):
        yield part
    for child in part.parts:
        yield from _leaves(child)
