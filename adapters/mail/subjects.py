"""Subjects: what is left of them without "Re:" and the list's tag."""

import re
from typing import Final

_ANSWER: Final = r"(?:re|aw|antw|antwoord|sv|vs|odp|ynt|ref|rif|res|r|回复|答复)"
_FORWARD: Final = r"(?:fwd?|wg|tr|i|enc|rv|doorst|doorgestuurd|vl|vb|pd|转发)"
_COUNT: Final = r"(?:\s*[\[(]\d{1,3}[\])]|\^\d{1,3})?"
_TAG: Final = re.compile(r"\s*\[[^\]\[]{1,60}\]\s*")
_PREFIX: Final = re.compile(rf"\s*({_ANSWER}|{_FORWARD}){_COUNT}\s*[:\uff1a]\s*", re.IGNORECASE)
_IS_FORWARD: Final = re.compile(rf"{_FORWARD}$", re.IGNORECASE)
_LONGEST: Final = 500
_SPACES: Final = re.compile(r"\s+")


def bare(subject: str) -> str:
    """The subject without prefixes and tags; what it began with when it was new."""
    return _parsed(subject)[0]


def untagged(subject: str, group: str) -> str:
    """The subject without the name of the list that stands before it in brackets."""
    found = _TAG.match(subject)
    name = group.partition("@")[0].casefold()
    if found is None or found[0].strip(" []").casefold() != name:
        return subject
    return subject[found.end() :] or subject


def answers(subject: str) -> bool:
    """Whether it says that the mail is an answer."""
    return any(not _IS_FORWARD.match(each) for each in _parsed(subject)[1])


def forwards(subject: str) -> bool:
    """Whether it says that the mail passes another one on."""
    prefixes = _parsed(subject)[1]
    return bool(prefixes) and bool(_IS_FORWARD.match(prefixes[0]))


def _parsed(subject: str) -> tuple[str, list[str]]:
    rest = _SPACES.sub(" ", subject[:_LONGEST]).strip()
    prefixes: list[str] = []
    while True:
        prefix = _PREFIX.match(rest)
        tag = None if prefix else _TAG.match(rest)
        found = prefix or tag
        if found is None or found.end() >= len(rest):
            if prefix is not None:
                return "", [*prefixes, prefix[1]]
            return rest, prefixes
        if prefix is not None:
            prefixes.append(prefix[1])
        rest = rest[found.end() :]
