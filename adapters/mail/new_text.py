"""What is new in a plain text: without the quotations and signatures that mail programs add.

Cutting too much loses what a doctor wrote, cutting too little only looks untidy. So in doubt a
text is left as it is: nothing is cut from a mail that answers none, quotations with answers
between them stay whole, and of signatures only those go that are marked as such. Where quotations
begin, in several languages, is quotequail's knowledge.
"""

import re
from dataclasses import dataclass
from typing import Final

import quotequail  # type: ignore[import-untyped]

_MOST_LINES: Final = 1_500
_LONGEST_LINE: Final = 2_000
"""Texts beyond are not searched: no person writes such, and the search is slow on them."""
_SIGNATURE: Final = re.compile(r"^-- $", re.MULTILINE)
_FOOTER: Final = re.compile(r"^_{20,}[ \t]*$", re.MULTILINE)
_OF_A_LIST: Final = re.compile(
    r"mailing list|unsubscribe|listinfo|abmelden|afmelden|désabonner", re.IGNORECASE
)
_LONGEST_FOOTER: Final = 12
_DEVICE: Final = re.compile(
    r"\n\s*(?:sent from (?:my |outlook|mail|proton)|get outlook for|gesendet von |von meinem |"
    r"verzonden vanaf |verstuurd vanaf |envoyé de(?:puis)? mon |enviado desde |inviato da |"
    r"skickat från |sendt fra |wysłano z )[^\n]{0,80}\s*\Z",
    re.IGNORECASE,
)
_INTRODUCES: Final = re.compile(r"(?=.*[\d@]).*:\s*$")


@dataclass(frozen=True, slots=True)
class Cut:
    """What is left of a text; `quoted` is whether a quotation was cut off."""

    text: str
    quoted: bool = False


def new_text(text: str, *, answers: bool) -> Cut:
    """The new part of a mail's text.

    Args:
        text: the mail's, with LF at the end of lines.
        answers: whether the mail is an answer: only then anything is a quotation.
    """
    plain = _without_footer(text).strip("\n")
    cut = _without_quotations(plain) if answers else Cut(plain)
    own = _without_signature(cut.text)
    return Cut(own, cut.quoted) if own.strip() else Cut(plain)


def unflowed(text: str, *, delete_space: bool) -> str:
    """Lines that a mail program broke are whole again (RFC 3676)."""
    whole: list[str] = []
    depth_before, open_before = 0, False
    for line in text.split("\n"):
        bare = line.lstrip(">")
        depth = len(line) - len(bare)
        bare = bare.removeprefix(" ")
        flows = bare.endswith(" ") and bare != "-- "
        content = bare[:-1] if flows and delete_space else bare
        if open_before and depth == depth_before and bare != "-- ":
            whole[-1] += content
        else:
            whole.append(f"{'>' * depth}{' ' if depth else ''}{content}")
        depth_before, open_before = depth, flows
    return "\n".join(whole)


def _without_quotations(text: str) -> Cut:
    lines = text.split("\n")
    if len(lines) > _MOST_LINES or any(len(line) > _LONGEST_LINE for line in lines):
        return Cut(text)
    found = quotequail.unwrap(text)
    if not found:
        return Cut(text)
    above, below = found.get("text_top", ""), _without_signature(found.get("text_bottom", ""))
    if any(line.startswith(">") for line in below.split("\n")) and below.strip():
        return Cut(text)  # answers between quotations: each makes sense only with the others
    if found["type"] == "quote":
        above = _without_introduction(above)
    new = "\n\n".join(part for part in (above, below) if part.strip())
    return Cut(new, quoted=True) if new else Cut(text)


def _without_introduction(text: str) -> str:
    """Without a last line that says who wrote what is quoted, in a language nobody knows here."""
    lines = text.rstrip().split("\n")
    for size in (1, 2):
        last = " ".join(lines[-size:])
        if len(last) < 300 and _INTRODUCES.match(last):
            return "\n".join(lines[:-size]).rstrip()
    return text


def _without_signature(text: str) -> str:
    marks = [mark for mark in _SIGNATURE.finditer(text) if text[: mark.start()].strip()]
    if marks:
        text = text[: marks[-1].start()] if len(marks) > 1 else text[: marks[0].start()]
    return _DEVICE.sub("", text).rstrip()


def _without_footer(text: str) -> str:
    """Without the lines that list software puts below every mail."""
    marks = list(_FOOTER.finditer(text))
    if not marks:
        return text
    footer = text[marks[-1].start() :]
    if footer.count("\n") <= _LONGEST_FOOTER and _OF_A_LIST.search(footer):
        return text[: marks[-1].start()].rstrip()
    return text


def is_footer(text: str) -> bool:
    """Whether a text is nothing but what list software adds."""
    plain = text.strip()
    return (
        plain.count("\n") <= _LONGEST_FOOTER
        and bool(_OF_A_LIST.search(plain))
        and bool(_FOOTER.match(plain) or _SIGNATURE.match(plain))
    )
