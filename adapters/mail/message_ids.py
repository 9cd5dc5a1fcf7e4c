"""What mails are called: Message-IDs (RFC 5322, section 3.6.4), without their brackets."""

import hashlib
import re
from typing import Final

from adapters.mail.header import Header

_BRACKETED: Final = re.compile(r"<\s*([^<>]*?)\s*>")
_UNSAFE: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f<>]+")
_LONGEST: Final = 250
_MOST: Final = 100
_KEY: Final = re.compile(r"[a-z2-7]{26}(?:\.\d+)?")
_FINGERPRINT: Final = ("From", "Date", "Subject", "To", "Cc", "In-Reply-To", "References")

OWN_HEADER: Final = "X-Consilium"
"""Marks mails of a bridge: its address, and the key of the copy."""
KEY_HEADER: Final = "X-Consilium-Key"
_ORIGINAL: Final = ("X-Original-Message-ID", "X-Google-Original-Message-ID")


def normalised(raw: str) -> str:
    """One Message-ID in its one spelling; empty where there is none. One that is too long gets a
    shorter name, always the same.
    """
    found = _BRACKETED.search(raw)
    plain = _UNSAFE.sub("", found[1] if found else raw)
    if len(plain) > _LONGEST:
        return f"{_digest(plain)}@long.invalid"
    return plain


def all_of(raw: str) -> list[str]:
    """The Message-IDs in a field, in order, each once; of very many the first and the last."""
    found = _BRACKETED.findall(raw)
    chosen = found if len(found) <= _MOST else [found[0], *found[1 - _MOST :]]
    ids = dict.fromkeys(normalised(f"<{each}>") for each in chosen)
    ids.pop("", None)
    if not ids and "@" in raw and len(raw.split()) == 1:
        return [normalised(raw)]
    return list(ids)


def id_of(header: Header) -> str:
    """What the mail is called. One without a Message-ID gets a name from what it says, so that it
    is the same whenever it is read.
    """
    return normalised(header.first("Message-ID")) or f"{fingerprint(header)}@missing.invalid"


def fingerprint(header: Header) -> str:
    """Tells mails apart that bear the same Message-ID."""
    return _digest("\0".join(header.first(field) for field in _FINGERPRINT))


def again(message_id: str, header: Header) -> str:
    """A name for another mail that bears a Message-ID which is taken."""
    return f"{_digest(message_id + fingerprint(header))}@repeated.invalid"


def former_ids(header: Header) -> list[str]:
    """What a mail was called before its list renamed it."""
    found = (normalised(header.first(field)) for field in _ORIGINAL)
    return [each for each in dict.fromkeys(found) if each]


def own_id(key: str, domain: str) -> str:
    """What a copy that the bridge makes is called."""
    return f"{key}@{domain}"


def key_in(message_id: str, domain: str) -> str:
    """The key of an own copy, empty where it is none."""
    local, _, host = message_id.rpartition("@")
    return local if host.lower() == domain and _KEY.fullmatch(local) else ""


def is_key(text: str) -> bool:
    """Whether it looks like the key of a copy."""
    return bool(_KEY.fullmatch(text))


def can_be_sent(message_id: str) -> bool:
    """Whether it can stand in a header: not so for names that were made here for others' mails."""
    return (
        bool(message_id)
        and message_id.isascii()
        and not message_id.endswith(".invalid")
        and not _UNSAFE.search(message_id)
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
