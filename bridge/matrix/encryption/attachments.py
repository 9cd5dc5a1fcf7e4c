"""Files of encrypted rooms: encrypted before they are uploaded, decrypted while they are fetched.

https://spec.matrix.org/v1.19/client-server-api/#sending-encrypted-attachments. Neither holds a file
in memory. The hash is of what is encrypted, so a file that was changed on its way is found out at
its end: what `decrypting` has given until then must not be used before it has ended.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from Crypto.Cipher import AES
from Crypto.Cipher._mode_ctr import CtrMode

from bridge.contract import Refused
from bridge.matrix.encryption.signing import from_unpadded, unpadded
from bridge.matrix.raw import JsonObject, object_at, text_at

_CHUNK_BYTES: Final = 256 * 1024
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 8
_COUNTER_BYTES: Final = 8

EncryptedFile = JsonObject
"""The keys `key`, `iv`, `hashes` and `v` of an `EncryptedFile`; `url` is added after the upload."""


@dataclass(frozen=True, slots=True)
class _Keys:
    key: bytes
    counter: bytes
    sha256: bytes


def opened(file: JsonObject) -> str:
    """The content URI of an `EncryptedFile` of any shape, if it can be decrypted.

    Raises:
        Refused: it can't.
    """
    _keys(file)
    return text_at(file, "url")


async def decrypting(stream: AsyncIterator[bytes], file: JsonObject) -> AsyncIterator[bytes]:
    """Decrypt a file piece by piece.

    Args:
        stream: what was uploaded.
        file: the event's `file`, of any shape.

    Raises:
        Refused: it can't be decrypted, or (at the end) is not what was sent.
    """
    keys = _keys(file)
    cipher = _cipher(keys.key, keys.counter)
    digest = hashlib.sha256()
    async for piece in stream:
        digest.update(piece)
        yield cipher.decrypt(piece)
    if not hmac.compare_digest(digest.digest(), keys.sha256):
        raise Refused("The encrypted file is not the one that was sent.", "Send it again.")


async def encrypt_file(path: Path) -> tuple[Path, EncryptedFile]:
    """Encrypt a file to another one beside it, whose name ends with `.encrypted`.

    Args:
        path: the file; it is left as it is.

    Returns:
        The encrypted file, which the caller uploads and deletes, and what the event's `file` is to
        hold beside its `url`.

    Raises:
        OSError: the file can't be read, or there is no space for the other one.
    """
    return await asyncio.to_thread(_encrypt, path)


def _encrypt(path: Path) -> tuple[Path, EncryptedFile]:
    key = secrets.token_bytes(_KEY_BYTES)
    counter = secrets.token_bytes(_NONCE_BYTES) + bytes(_COUNTER_BYTES)
    target = path.with_name(f"{path.name}.encrypted")
    try:
        with path.open("rb") as source, target.open("xb") as sealed:
            digest = _through(source, sealed, key, counter)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    web_key = {
        "kty": "oct",
        "key_ops": ["encrypt", "decrypt"],
        "alg": "A256CTR",
        "k": unpadded(key).replace("+", "-").replace("/", "_"),
        "ext": True,
    }
    hashes = {"sha256": unpadded(digest)}
    return target, {"v": "v2", "key": web_key, "iv": unpadded(counter), "hashes": hashes}


def _through(source: IO[bytes], sealed: IO[bytes], key: bytes, counter: bytes) -> bytes:
    cipher, digest = _cipher(key, counter), hashlib.sha256()
    while piece := source.read(_CHUNK_BYTES):
        content = cipher.encrypt(piece)
        digest.update(content)
        sealed.write(content)
    return digest.digest()


def _cipher(key: bytes, counter: bytes) -> CtrMode:
    nonce, start = counter[:_NONCE_BYTES], int.from_bytes(counter[_NONCE_BYTES:], "big")
    return AES.new(key, AES.MODE_CTR, nonce=nonce, initial_value=start)


def _keys(file: JsonObject) -> _Keys:
    """https://spec.matrix.org/v1.19/client-server-api/#extensions-to-mroommessage-msgtypes."""
    web_key = object_at(file, "key")
    try:
        key = from_unpadded(text_at(web_key, "k").replace("-", "+").replace("_", "/"))
        counter = from_unpadded(text_at(file, "iv").rstrip("="))
        sha256 = from_unpadded(text_at(object_at(file, "hashes"), "sha256").rstrip("="))
    except ValueError:
        key = counter = sha256 = b""
    whole = len(key) == _KEY_BYTES and len(counter) == _NONCE_BYTES + _COUNTER_BYTES
    if not whole or len(sha256) != hashlib.sha256().digest_size or file.get("v") != "v2":
        raise Refused("The file is encrypted in a way that the bridge does not know.")
    return _Keys(key, counter, sha256)
