"""Which links are let through, and how they are told where none can be made."""

import re
from typing import Final

_SCHEMES: Final = frozenset({"http", "https", "mailto", "xmpp", "matrix", "tel", "geo"})
_MAX_URL: Final = 4_000
_SCHEME: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):(?=.)")
# WHATWG URL, "basic URL parser": a browser takes these out before it looks for the scheme.
_DROPPED_INSIDE: Final = re.compile(r"[\t\n\r]")
_UNFIT: Final = re.compile(
    r"[\x00-\x20\x7f-\xa0\"<>\\^`{|}\u2000-\u200f\u2028-\u202f\u2060-\u206f]"
)
_AROUND: Final = "".join(map(chr, range(0x21)))


def safe_url(url: str) -> str | None:
    """The URL, if its scheme is one that can't run anything; what is unfit in it percent-encoded.

    Relative URLs are none: they mean nothing away from the page they are on.
    """
    url = _DROPPED_INSIDE.sub("", url.strip(_AROUND))
    found = _SCHEME.match(url)
    if not found or len(url) > _MAX_URL:
        return None
    scheme = found[1].lower()
    if scheme not in _SCHEMES:
        return None
    rest = url[found.end() :]
    if scheme in {"http", "https"}:
        rest = "//" + rest.lstrip("/\\")
        if len(rest) == 2:
            return None
    return f"{scheme}:{_UNFIT.sub(_encoded, rest)}"


def _encoded(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "replace"))


def told(text: str, url: str) -> str:
    """A link in plain words: "text (url)", or the text alone where it says the same."""
    shown = text.strip()
    if shown in {url, url.removesuffix("/")} or not shown:
        return url if not shown else text
    scheme, _, rest = url.partition(":")
    bare = rest.removeprefix("//").removesuffix("/")
    if shown.removesuffix("/") == bare and scheme in {"mailto", "xmpp", "tel", "https"}:
        return text
    return f"{text} ({url})"
