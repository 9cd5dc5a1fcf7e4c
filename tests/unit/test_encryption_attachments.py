"""Encrypted files: what goes in comes out again, by other programs, too, unless it was changed."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nio.crypto import decrypt_attachment, encrypt_attachment

from bridge.contract import Refused
from bridge.matrix.encryption.attachments import decrypting, encrypt_file

CONTENT = bytes(range(256)) * 3000


async def pieces(content: bytes, size: int = 50_001) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def plain(content: bytes, file: dict[str, Any]) -> bytes:
    return b"".join([piece async for piece in decrypting(pieces(content), file)])


@pytest.mark.parametrize("content", [b"", b"x", CONTENT], ids=["nothing", "little", "much"])
async def test_a_file_comes_out_as_it_went_in(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "scan.png"
    path.write_bytes(content)
    sealed, file = await encrypt_file(path)
    assert sealed.read_bytes() != content or not content
    assert await plain(sealed.read_bytes(), file) == content
    assert path.read_bytes() == content


async def test_another_program_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "scan.png"
    path.write_bytes(CONTENT)
    sealed, file = await encrypt_file(path)
    found = decrypt_attachment(
        sealed.read_bytes(), file["key"]["k"], file["hashes"]["sha256"], file["iv"]
    )
    assert found == CONTENT


async def test_what_another_program_made_is_read() -> None:
    content, keys = encrypt_attachment(CONTENT)
    assert await plain(content, keys) == CONTENT


async def test_a_file_that_was_changed_on_its_way_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scan.png"
    path.write_bytes(CONTENT)
    sealed, file = await encrypt_file(path)
    content = bytearray(sealed.read_bytes())
    content[1000] ^= 1
    with pytest.raises(Refused, match="not the one that was sent"):
        await plain(bytes(content), file)


async def test_two_files_have_no_key_in_common(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"same")
    (tmp_path / "b").write_bytes(b"same")
    first, second = await encrypt_file(tmp_path / "a"), await encrypt_file(tmp_path / "b")
    assert first[1]["key"]["k"] != second[1]["key"]["k"]
    assert first[0].read_bytes() != second[0].read_bytes()


TEXT = st.text("abAB12=+-_/ \u00e9", max_size=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(file=st.dictionaries(st.sampled_from(["key", "iv", "hashes", "v", "url"]), JSON))
async def test_no_json_is_taken_for_the_keys_of_a_file(file: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        await plain(b"content", file)
