"""Which list a mail came through (RFC 2919, RFC 2369)."""

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import unquote

from adapters.mail.header import Header

_LIST_ID: Final = re.compile(r"<\s*([^<>\s]+)\s*>")
_POST: Final = re.compile(r"<\s*mailto:([^<>?\s]+)", re.IGNORECASE)
_NAMING: Final = ("X-Been-There", "X-BeenThere", "X-Mailing-List", "X-List-Address")
_RECIPIENTS: Final = ("To", "Cc", "Resent-To", "Resent-Cc")
_DELIVERED: Final = ("X-Original-To", "Envelope-To", "Delivered-To", "X-Envelope-To")

FIELDS: Final = ("List-Id", "List-Post", *_NAMING, *_RECIPIENTS, *_DELIVERED)
"""What has to be known of a mail to tell."""


def list_of(header: Header, groups: Collection[str], *, loosely: bool) -> str | None:
    """The list among `groups` that the mail came through, or None.

    Args:
        header: the mail's.
        groups: addresses of lists.
        loosely: whether it is enough that the mail names the list as a recipient, which anyone
            can write who knows the mailbox.
    """
    for address in _named_by_the_list(header):
        if address in groups:
            return address
    dotted = list_id(header)
    if dotted:
        for group in groups:
            if group.replace("@", ".") == dotted:
                return group
    if not loosely or dotted:
        return None
    for _, address in header.addresses(*_RECIPIENTS, *_DELIVERED):
        if address in groups:
            return address
    return None


def list_id(header: Header) -> str:
    """The list's id: its address with a dot for the at sign, with most software."""
    raw = header.first("List-Id")
    found = _LIST_ID.search(raw)
    plain = found[1] if found else raw.strip()
    return plain.lower() if " " not in plain else ""


def is_from_a_list(header: Header) -> bool:
    """Whether list software has sent it on."""
    return header.has("List-Id") or header.has("List-Post")


def _named_by_the_list(header: Header) -> list[str]:
    posts = [unquote(each).lower() for each in _POST.findall(header.first("List-Post"))]
    return posts + [address for _, address in header.addresses(*_NAMING)]
