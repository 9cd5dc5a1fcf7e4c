"""Has feeds read by a process of their own, one at a time (see reading.py)."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from yarl import URL

from adapters.web.feed.document import Document
from bridge.contract import Refused, Unreachable

_PROGRAM: Final = Path(__file__).with_name("reading.py")
_SECONDS: Final = 20.0
NOT_A_FEED: Final = 3
"""The exit status for what is no feed. That module is not imported here, to spare its memory."""


class Reader:
    """One for a network."""

    def __init__(self, seconds: float = _SECONDS, program: Path = _PROGRAM) -> None:
        self._seconds = seconds
        self._program = program
        self._turn = asyncio.Lock()

    async def read(self, document: bytes, url: str, content_type: str = "") -> Document:
        """What a feed says.

        Raises:
            Refused: it is no feed, or one that can't be read.
            Unreachable: the process could not be started.
        """
        host = URL(url).host or url
        async with self._turn:
            status, output = await self._run(document, url, content_type)
        if status == NOT_A_FEED:
            raise Refused(
                f"What {host} has there is no feed.", "Look up the address of its RSS or Atom feed."
            )
        if status is None:
            raise Refused(f"The feed of {host} takes too long to read.")
        try:
            return Document.model_validate_json(output)
        except ValidationError:
            raise Refused(f"The feed of {host} can't be read.") from None

    async def _run(self, document: bytes, url: str, content_type: str) -> tuple[int | None, bytes]:
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                str(self._program),
                url,
                content_type,
                stdin=PIPE,
                stdout=PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LANG": "C.UTF-8"},
            )
        except OSError as error:
            raise Unreachable(f"Feeds can't be read now ({error.strerror}).") from None
        try:
            async with asyncio.timeout(self._seconds):
                output, _ = await process.communicate(document)
        except TimeoutError:
            return None, b""
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode, output
