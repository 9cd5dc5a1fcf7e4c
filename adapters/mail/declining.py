"""What is never relayed: what machines say, and what the bridge has sent itself."""

from collections.abc import Collection
from enum import StrEnum
from typing import Final

from adapters.mail.belonging import is_from_a_list
from adapters.mail.header import Header
from adapters.mail.message_ids import KEY_HEADER, OWN_HEADER, id_of, is_key, key_in


class Reason(StrEnum):
    """Why a mail is not relayed. The value stands in the log."""

    OWN = "sent by this bridge"
    OTHER_BRIDGE = "sent by another bridge, which is not in other_bridges"
    AUTOMATIC = "sent by a machine (Auto-Submitted)"
    ANSWERED = "an automatic answer"
    BULK = "sent in bulk (Precedence)"
    BOUNCE = "a report on a mail that did not arrive"
    ADMINISTRATIVE = "a notice of the list software"


FIELDS: Final = (
    f"{OWN_HEADER} {KEY_HEADER} Message-ID From Sender Return-Path Content-Type Auto-Submitted "
    "Precedence X-List-Administrivia X-Autoreply X-Autorespond X-Autoresponder X-Auto-Reply-From"
)
"""What has to be known of a mail to tell."""
_ANSWERING: Final = ("X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Reply-From")
_ANSWERS: Final = frozenset({"auto_reply", "auto-reply"})
_BULK: Final = frozenset({"bulk", "junk"})
_REPORTS: Final = frozenset({"multipart/report", "message/delivery-status"})
_OFFICES: Final = (
    "-owner", "-request", "-bounces", "-bounce", "-confirm", "-join", "-leave", "-admin",
    "-subscribe", "-unsubscribe", "+owner", "+bounces", "+help",
)  # fmt: skip
_DAEMONS: Final = frozenset(
    {"mailer-daemon", "postmaster", "mailman", "mailman-owner", "listserv", "majordomo", "sympa"}
)


def why_not(header: Header, group: str, own: str, trusted: Collection[str] = ()) -> Reason | None:
    """Why this mail is not to be relayed; None if it is.

    Args:
        header: the mail's.
        group: the list that it came through.
        own: the bridge's own address, in small letters.
        trusted: addresses of other bridges whose mails are relayed.
    """
    if is_own(header, own):
        return Reason.OWN
    if bridge := _bridge_that_sent(header):
        return None if bridge in trusted else Reason.OTHER_BRIDGE
    if is_bounce(header):
        return Reason.BOUNCE
    if _is_administrative(header, group):
        return Reason.ADMINISTRATIVE
    return _why_automatic(header)


def _why_automatic(header: Header) -> Reason | None:
    precedence = header.token("Precedence")
    if precedence in _ANSWERS or any(header.has(field) for field in _ANSWERING):
        return Reason.ANSWERED
    if header.token("Auto-Submitted") not in {"", "no"}:
        return Reason.AUTOMATIC
    if precedence in _BULK and not is_from_a_list(header):
        return Reason.BULK
    return None


def is_own(header: Header, own: str) -> bool:
    """Whether this bridge has sent it. Any one mark is enough: lists rewrite ids and addresses,
    and nobody else has a reason to bear one of these.
    """
    if _bridge_that_sent(header) == own:
        return True
    domain = own.rpartition("@")[2]
    if key_in(id_of(header), domain):
        return True
    return any(address == own for _, address in header.addresses("From", "Sender", "Return-Path"))


def own_key(header: Header, own: str) -> str:
    """The key of an own copy that came back; empty where it bears none."""
    marked = header.first(KEY_HEADER).strip()
    if _bridge_that_sent(header) == own and is_key(marked):
        return marked
    return key_in(id_of(header), own.rpartition("@")[2])


def _bridge_that_sent(header: Header) -> str:
    return header.first(OWN_HEADER).strip().lower()


def is_bounce(header: Header) -> bool:
    """Whether it reports on a mail: RFC 3464, and RFC 5321, section 4.5.5."""
    if header.token("Content-Type") in _REPORTS:
        return True
    return header.has("Return-Path") and header.first("Return-Path").strip() in {"<>", ""}


def _is_administrative(header: Header, group: str) -> bool:
    if header.token("X-List-Administrivia") == "yes":
        return True
    name, _, domain = group.rpartition("@")
    for _, address in header.addresses("From", "Sender")[:1]:
        local, _, host = address.rpartition("@")
        if local in _DAEMONS or (host == domain and local in {name + each for each in _OFFICES}):
            return True
    return False
