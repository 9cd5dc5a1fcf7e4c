"""Files, both ways, and how large they may be."""

import asyncio
import urllib.request
from pathlib import Path
from typing import Final

import pytest

from bridge.contract import Feature, LocalFile, MediaSource, Refused
from bridge.model import Attachment, MediaKind, Message
from bridge.testing.base import Part, hears, receiving, shows
from bridge.testing.lab import File, Lab, Words
from bridge.testing.stage import Copied, Stage, said

_MOST: Final = 64_000_000
"""Bytes. A file that is larger than this is not made to try a limit."""


class Files(Part):
    """What is sent along."""

    @shows(Feature.FILE)
    async def test_a_file_is_shown_there(
        self, lab: Lab, stage: Stage, group: str, tmp_path: Path
    ) -> None:
        await stage.enter(group)
        path = tmp_path / "a file"
        path.write_bytes(lab.file.data)
        text = "Look at the left lung on this picture" if stage.can(group).captions else ""
        await _send(stage, group, path, lab.file, text)

        async def look() -> bytes | None:
            seen = [each.file for each in await lab.shown(group) if text in each.text]
            return next((file for file in seen if file is not None), None)

        assert await stage.until_there(look, "the file") == lab.file.data

    @shows(Feature.FILE)
    async def test_a_file_that_is_too_large_is_refused(
        self, lab: Lab, stage: Stage, group: str, tmp_path: Path
    ) -> None:
        await stage.enter(group)
        limit = stage.can(group).max_file
        if limit is None or limit >= _MOST:
            return
        path = tmp_path / "a file"
        with path.open("wb") as file:
            file.write(lab.file.data)
            file.truncate(limit + 1)
        with pytest.raises(Refused) as refused:
            await _send(stage, group, path, lab.file, "")
        assert refused.value.sentence
        await stage.say(group, "After the file that was too large")

    @hears(Feature.FILE)
    async def test_a_file_is_heard_and_can_be_had(self, lab: Lab, stage: Stage, group: str) -> None:
        await stage.enter(group)
        await lab.say(group, Words("", file=lab.file))
        heard = await stage.until(
            lambda: [each for each in _messages(stage, group) if each.attachments], "a file"
        )
        (attachment,) = heard[0].attachments
        assert attachment.name == lab.file.name
        assert attachment.mime in {"", lab.file.mime}
        assert await _bytes(stage, attachment) == lab.file.data

    @hears(Feature.FILE)
    @receiving
    async def test_a_file_that_is_not_there_is_refused(self, stage: Stage) -> None:
        if not isinstance(stage.network, MediaSource):
            return
        for source in ("", "nothing of this kind", "../../etc/passwd"):
            with pytest.raises(Refused):
                await _bytes(stage, Attachment(MediaKind.FILE, source, "file"))


def _messages(stage: Stage, group: str) -> list[Message]:
    return stage.ears.of(Message, group)


async def _send(stage: Stage, group: str, path: Path, file: File, text: str) -> Copied:
    size = await asyncio.to_thread(lambda: path.stat().st_size)
    local = LocalFile(path, file.name, file.mime, size, _kind(file))
    attachment = Attachment(local.kind, "mxc://hospital.example/x", file.name, file.mime)
    return await stage.send(group, said(text, attachments=(attachment,)), file=local)


def _kind(file: File) -> MediaKind:
    return MediaKind.IMAGE if file.mime.startswith("image/") else MediaKind.FILE


async def _bytes(stage: Stage, attachment: Attachment) -> bytes:
    """The file, as the core would fetch it."""
    if attachment.source.startswith(("http://", "https://")):
        return await asyncio.to_thread(_fetch, attachment.source)
    assert isinstance(stage.network, MediaSource), "nobody can resolve this reference"
    async with asyncio.timeout(stage.lab.patience), stage.network.download(attachment) as pieces:
        return b"".join([piece async for piece in pieces])


def _fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - the lab's own
        return bytes(answer.read())
