"""Bytes as text, whatever their sender says they are."""

import codecs
from typing import Final

_ALIASES: Final = {
    "": "us-ascii",
    "ansi": "cp1252",
    "ascii": "us-ascii",
    "cp-850": "cp850",
    "default": "us-ascii",
    "iso-8859-8-e": "iso-8859-8",
    "iso-8859-8-i": "iso-8859-8",
    "latin1": "cp1252",
    "iso-8859-1": "cp1252",
    "ks_c_5601-1987": "cp949",
    "unknown-8bit": "us-ascii",
    "utf8": "utf-8",
    "x-unknown": "us-ascii",
    "x-sjis": "cp932",
}
"""What senders write, and what they mean. Who says ISO 8859-1 means Windows-1252, as browsers know
(WHATWG Encoding Standard, section 4.2).
"""
_NO_CHARSETS: Final = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"}
)
"""Codecs of Python that are no character sets; some are slow on hostile input."""


def decode(data: bytes, charset: str) -> str:
    """The text in these bytes. What the charset can't read is taken for UTF-8, and else for
    Windows-1252. Never fails.
    """
    name = _ALIASES.get(charset.strip().strip("\"'").lower(), charset.strip().strip("\"'").lower())
    for each in (name, "utf-8"):
        try:
            if _is_charset(each):
                return data.decode(each)
        except (ValueError, LookupError):
            continue
    return data.decode("cp1252", "replace")


def _is_charset(name: str) -> bool:
    if len(name) > 40 or "\0" in name:
        return False
    info = codecs.lookup(name)
    # Python's own mark for what `bytes.decode` takes; the others turn bytes into bytes
    return info.name not in _NO_CHARSETS and getattr(info, "_is_text_encoding", True)
