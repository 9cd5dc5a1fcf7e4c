"""What a room or server refuses, in words for people."""

from typing import Final
from xml.etree.ElementTree import Element

from adapters.xmpp.xml import STANZAS, first, names
from bridge.contract import Refused, Unreachable

WAIT_SECONDS: Final = 30.0
"""How long to leave a room alone that asks to wait: stanza errors can't say for how long."""

_ERROR = names("error")
_LONGEST_TEXT = 200


class StanzaError(Exception):
    """An error stanza (RFC 6120, section 8.3).

    Args:
        kind: its type (`wait`, `auth`, …).
        condition: the defined condition (`forbidden`, …).
        text: what the other side adds in its own words.
    """

    def __init__(self, kind: str, condition: str, text: str = "") -> None:
        super().__init__(condition)
        self.kind = kind
        self.condition = condition
        self.text = text

    @classmethod
    def of(cls, stanza: Element) -> "StanzaError":
        """Read an error stanza; hostile or empty ones give `undefined-condition`."""
        error = first(stanza, _ERROR)
        if error is None:
            return cls("cancel", "undefined-condition")
        condition, text = "undefined-condition", ""
        for child in error:
            namespace, _, local = child.tag.rpartition("}")
            if namespace != "{" + STANZAS:
                continue
            if local == "text":
                text = " ".join((child.text or "").split())[:_LONGEST_TEXT]
            else:
                condition = local
        return cls(error.get("type", "cancel"), condition, text)

    def __str__(self) -> str:
        words = self.condition.replace("-", " ")
        return f"{words}: {self.text}" if self.text else words


GONE: Final = frozenset({"item-not-found", "gone"})
_AWAY: Final = frozenset({"remote-server-not-found", "remote-server-timeout"})
NOT_INSIDE: Final = "not-acceptable"
"""What a room answers to someone who is not in it (XEP-0045, section 7.4)."""


def _unreachable(room: str, error: StanzaError) -> Unreachable | None:
    """The faults that may pass by themselves, whatever was tried."""
    if error.condition in GONE:
        return Unreachable(f"The room {room} does not exist any more.")
    if error.condition in _AWAY:
        return Unreachable(f"The server of the room {room} is not reachable.")
    if error.kind == "wait" or error.condition in {"resource-constraint", "internal-server-error"}:
        return Unreachable(f"The room {room} asks to wait ({error}).", retry_after=WAIT_SECONDS)
    return None


_JOINING: Final = {
    "forbidden": (
        "{who} is banned from the room {room}.", "Ask an owner of the room to lift the ban.",
    ),
    "registration-required": (
        "The room {room} is for members only, and {who} is not one.",
        "Ask an owner of the room to make the bridge's address a member.",
    ),
    "not-authorized": (
        "The room {room} asks for a password.",
        "Make the bridge's address a member of the room, or remove the password.",
    ),
    "not-acceptable": (
        "The room {room} lets {who} use only a registered nick.",
        "Ask an owner of the room to allow other nicks.",
    ),
    "jid-malformed": (
        'The room {room} does not accept the nick "{who}".', "Choose another name.",
    ),
}  # fmt: skip


def cannot_join(room: str, who: str, error: StanzaError) -> Unreachable | Refused:
    """Why `who` could not enter the room (XEP-0045, section 7.2)."""
    passing = _unreachable(room, error)
    if passing is not None:
        return passing
    if error.condition == "service-unavailable":
        return Unreachable(f"The room {room} is full or not in service.")
    sentence, advice = _JOINING.get(
        error.condition,
        ("The room {room} does not let {who} in ({error}).", "Ask an owner of it."),
    )
    return Refused(sentence.format(room=room, who=who, error=error), advice)


def cannot_say(room: str, who: str, error: StanzaError) -> Unreachable | Refused:
    """Why the room did not take a message (XEP-0045, section 7.4)."""
    passing = _unreachable(room, error)
    if passing is not None:
        return passing
    match error.condition:
        case "not-acceptable":
            return Unreachable(f"{who} was not in the room {room} any more.")
        case "service-unavailable":
            return Unreachable(f"The room {room} is not in service.")
        case "forbidden":
            return Refused(
                f"{who} has no voice in the moderated room {room}.",
                f'Ask a moderator of the room to give voice to "{who}".',
            )
    return Refused(f"The room {room} did not take the message ({error}).")


def cannot_set_subject(room: str, error: StanzaError) -> Unreachable | Refused:
    """Why the room did not take a new subject (XEP-0045, section 8.1)."""
    passing = _unreachable(room, error)
    if passing is not None:
        return passing
    if error.condition == NOT_INSIDE:
        return Unreachable(f"The bridge was not in the room {room} any more.")
    if error.condition == "forbidden":
        return Refused(
            f"Only moderators may change the subject of the room {room}.",
            "Ask an owner of the room to make the bridge a moderator.",
        )
    return Refused(f"The room {room} did not take the subject ({error}).")


def cannot_moderate(room: str, error: StanzaError) -> Unreachable | Refused:
    """Why the room did not delete what somebody else wrote (XEP-0425)."""
    if error.condition in GONE:
        return Refused(f"The room {room} does not know the message any more.")
    passing = _unreachable(room, error)
    if passing is not None:
        return passing
    if error.condition in {"forbidden", "not-allowed"}:
        return Refused(
            f"Only moderators may delete what others wrote in the room {room}.",
            "Ask an owner of the room to make the bridge a moderator.",
        )
    return Refused(f"The room {room} did not delete the message ({error}).")


def cannot_configure(room: str, what: str, error: StanzaError) -> Unreachable | Refused:
    """Why the room did not take a new name or picture (XEP-0045, section 10.2)."""
    passing = _unreachable(room, error)
    if passing is not None:
        return passing
    if error.condition in {"forbidden", "not-allowed", "not-authorized"}:
        return Refused(
            f"Only owners may change the {what} of the room {room}.",
            "Ask an owner of the room to make the bridge one, too.",
        )
    return Refused(f"The room {room} did not take the {what} ({error}).")
