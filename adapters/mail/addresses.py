"""Who wrote a mail, and how a list's address is spelled."""

import re
from email.utils import parseaddr
from typing import Final

from adapters.mail.header import Header
from bridge.model import Author

_LOCAL: Final = re.compile(r"[!#$%&'*+/=?^_`{|}~a-z0-9.-]{1,64}")
_DOMAIN: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
_LOOKS: Final = "a list looks like ward@lists.example.org"
_VIA: Final = re.compile(r"\s+(?:via|über|par|per)\s+[^<>]{1,200}$", re.IGNORECASE)
_ORIGINAL: Final = ("X-Original-From", "X-Original-Sender", "Original-From", "Reply-To", "Cc")
"""Where lists that put their own address in From leave the writer's, the surest first: Google
Groups and Sympa have fields for it, Mailman uses Reply-To, or Cc where answers go to the list.
"""
_LONGEST_NAME: Final = 200


def list_address(text: str) -> str:
    """The one spelling of a list's address.

    Raises:
        ValueError: it is no mail address.
    """
    plain = text.strip()
    if plain.lower().startswith("mailto:"):
        plain = plain[len("mailto:") :].partition("?")[0]
    elif "<" in plain:
        plain = parseaddr(plain)[1]
    local, at, domain = plain.strip().lower().rpartition("@")
    try:
        host = domain.rstrip(".").encode("idna").decode("ascii")
    except UnicodeError:
        host = ""
    if not at or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(host):
        msg = f"{text!r} is no mailing list: {_LOOKS}"
        raise ValueError(msg)
    return f"{local}@{host}"


def author_of(header: Header, network: str, group: str) -> Author:
    """Who wrote it, even where the list has put its own address into From (as lists do for
    domains whose DMARC policy they would break).
    """
    name, address = next(iter(header.addresses("From", "Sender")), ("", ""))
    if address and address != group:
        return _author(network, name, address)
    shown = _VIA.sub("", name).strip().strip("'\"").strip()
    for field in _ORIGINAL:
        for other, where in header.addresses(field):
            if where != group and (field != "Cc" or other.casefold() == shown.casefold()):
                return _author(network, shown or other, where)
    if shown:
        return Author(network, f"{shown.casefold()} via {group}"[:_LONGEST_NAME], shown)
    return Author(network, address or "unknown", address.partition("@")[0] or "Unknown sender")


def _author(network: str, name: str, address: str) -> Author:
    return Author(network, address, name[:_LONGEST_NAME] or address.partition("@")[0])
