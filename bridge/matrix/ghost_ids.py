"""The user ids of ghosts: `@<prefix><network>_<escaped author id>:<domain>`.

An author's id is escaped as the specification recommends, so that it can be read, and read back:
https://spec.matrix.org/v1.19/appendices/#mapping-from-other-character-sets. Ids that would become
too long are replaced by a hash, which is marked by `=-`: no escape looks like that.
"""

import base64
import hashlib
import re
from functools import lru_cache
from typing import Final

from bridge.config.schema import Config
from bridge.errors import ConfigError

MAX_BYTES: Final = 255
"""https://spec.matrix.org/v1.19/appendices/#user-identifiers"""

_READABLE_MAX: Final = 120
_HASH_MARK: Final = "=-"
_HASH_BYTES: Final = 20
_LONGEST_NETWORK: Final = 31
_LONGEST_HASHED: Final = len("@_:") + _LONGEST_NETWORK + len(_HASH_MARK) + _HASH_BYTES * 8 // 5

_SPECIAL = re.compile(rb"[^a-z0-9./+-]")
_ESCAPED = re.compile(rb"=(?P<byte>[0-9a-f]{2})|_(?P<letter>[a-z_])")


class GhostIds:
    """Tells the ids of ghosts, and which users are the bridge's own.

    Raises:
        ConfigError: prefix and domain are so long that no id would fit.
    """

    def __init__(self, config: Config) -> None:
        self.bot = config.bot_id
        self.domain = config.homeserver.domain
        self._start = f"@{config.appservice.ghost_prefix}"
        self._end = f":{self.domain}"
        if _LONGEST_HASHED + len(config.appservice.ghost_prefix) + len(self.domain) > MAX_BYTES:
            raise ConfigError(
                f"The ids of ghosts would be longer than {MAX_BYTES} characters.",
                "Write a shorter ghost_prefix under appservice.",
            )

    def of(self, network: str, author_id: str) -> str:
        """The one user id of this author's ghost.

        Args:
            network: an id of the configuration; it has no underscore.
            author_id: anything.
        """
        head = f"{self._start}{network}_"
        escaped = _escape(author_id)
        if len(escaped) > _READABLE_MAX or len(head) + len(escaped) + len(self._end) > MAX_BYTES:
            escaped = _hashed(author_id)
        return f"{head}{escaped}{self._end}"

    def author(self, user_id: str) -> tuple[str, str] | None:
        """The network and id of the author whose ghost this is.

        Returns:
            None if it is no ghost, or one whose id was too long to be written out.
        """
        if not (user_id.startswith(self._start) and user_id.endswith(self._end)):
            return None
        network, _, escaped = user_id[len(self._start) : -len(self._end)].partition("_")
        if escaped.startswith(_HASH_MARK):
            return None
        author_id = _unescape(escaped)
        if author_id is None or self.of(network, author_id) != user_id:
            return None
        return network, author_id

    def localpart(self, user_id: str) -> str:
        """The name without @ and server, of a user of this homeserver."""
        return user_id[1 : -len(self._end)]

    def owns(self, user_id: str) -> bool:
        """Whether this is a ghost or the bot."""
        return user_id == self.bot or (
            user_id.startswith(self._start) and user_id.endswith(self._end)
        )


@lru_cache(maxsize=4_096)
def _escape(text: str) -> str:
    encoded = text.encode("utf-8", "surrogatepass")
    return _SPECIAL.sub(_escape_byte, encoded).decode("ascii")


def _escape_byte(match: re.Match[bytes]) -> bytes:
    byte = match.group()
    if byte == b"_" or byte.isupper():
        return b"_" + byte.lower()
    return b"=%02x" % byte[0]


def _unescape(escaped: str) -> str | None:
    """What was escaped; None if it is none that could have come of it."""
    if not escaped.isascii():
        return None
    found = _ESCAPED.sub(_unescape_byte, escaped.encode("ascii"))
    try:
        return found.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None


def _unescape_byte(match: re.Match[bytes]) -> bytes:
    if (digits := match["byte"]) is not None:
        return bytes.fromhex(digits.decode("ascii"))
    return match["letter"].upper()


def _hashed(text: str) -> str:
    encoded = text.encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(encoded, digest_size=_HASH_BYTES).digest()
    return _HASH_MARK + base64.b32encode(digest).decode("ascii").lower()
