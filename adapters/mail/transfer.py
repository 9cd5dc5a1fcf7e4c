"""Content-Transfer-Encodings, undone piece by piece (RFC 2045, section 6)."""

import binascii
import quopri
import re
from typing import Final, Protocol

_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/=]+")


class Decoder(Protocol):
    """Takes what was sent, and gives what was meant."""

    def feed(self, data: bytes) -> bytes:
        """The next piece, as far as it is complete."""
        ...

    def end(self) -> bytes:
        """What is left."""
        ...


class _Plain:
    def feed(self, data: bytes) -> bytes:
        return data

    def end(self) -> bytes:
        return b""


class _Base64:
    """Skips what is no base64, as RFC 2045 (section 6.8) asks. Ends at the first padding."""

    def __init__(self) -> None:
        self._rest = b""
        self._over = False

    def feed(self, data: bytes) -> bytes:
        if self._over:
            return b""
        clean = self._rest + _NOT_BASE64.sub(b"", data)
        body, padding, _ = clean.partition(b"=")
        if padding:
            self._over = True
            self._rest = b""
            return _base64(body)
        whole = len(body) - len(body) % 4
        self._rest = body[whole:]
        return _base64(body[:whole])

    def end(self) -> bytes:
        rest, self._rest = self._rest, b""
        return b"" if self._over else _base64(rest)


class _QuotedPrintable:
    """Decodes whole lines, as an escape never spans two but by a soft break."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        whole, newline, self._rest = (self._rest + data).rpartition(b"\n")
        return quopri.decodestring(whole + newline)

    def end(self) -> bytes:
        rest, self._rest = self._rest, b""
        return quopri.decodestring(rest)


def decoder(encoding: str) -> Decoder:
    """A decoder for this encoding; what is not known is taken as it is."""
    match encoding.strip().lower():
        case "base64":
            return _Base64()
        case "quoted-printable":
            return _QuotedPrintable()
    return _Plain()


def undo(data: bytes, encoding: str) -> bytes:
    """All of it at once. Never fails."""
    tool = decoder(encoding)
    return tool.feed(data) + tool.end()


def _base64(body: bytes) -> bytes:
    surplus = len(body) % 4
    if surplus == 1:
        body = body[:-1]
    elif surplus:
        body += b"=" * (4 - surplus)
    return binascii.a2b_base64(body)
