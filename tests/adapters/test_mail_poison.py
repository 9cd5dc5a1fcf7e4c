"""A server that answers nonsense about one mail, or nothing at all, holds up no other mail."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from mail_lab import QUICK, Bridge, running
from mail_raw import listed

from adapters.mail.settings import MailSettings

GROUP = "ward@lists.test"
PROMPT = replace(QUICK, look=0.05, first_delay=0.01, longest_delay=0.02, answer=0.5, connect=0.5)
PLAIN = b'("TEXT" "PLAIN" NIL NIL NIL "7BIT" 5 1)'


class Scripted:
    """An IMAP server with three mails, which says of the second one what it is told to say."""

    def __init__(self, structure: bytes | None, capabilities: bytes = b"IDLE") -> None:
        self.structure = structure
        self.capabilities = capabilities
        self.mails = {uid: listed(GROUP, "body.", f"mail {uid}") for uid in (1, 2, 3)}
        self.silent = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK hello\r\n")
        try:
            while line := await reader.readline():
                tag, _, command = line.strip().partition(b" ")
                if self.silent:
                    continue
                if command == b"IDLE":
                    writer.write(b"+ idling\r\n")
                    await reader.readline()
                elif not self._answer(command, writer):
                    break
                writer.write(tag + b" OK done\r\n")
        finally:
            writer.close()

    def _answer(self, command: bytes, writer: asyncio.StreamWriter) -> bool:
        words = command.upper().split()
        if words[0] == b"CAPABILITY":
            writer.write(b"* CAPABILITY IMAP4rev1 " + self.capabilities + b"\r\n")
        elif words[0] == b"SELECT":
            writer.write(b"* OK [UIDVALIDITY 7]\r\n* OK [UIDNEXT 1]\r\n")
        elif words[:2] == [b"UID", b"SEARCH"] and words[2] == b"UID":
            first = int(words[3].partition(b":")[0])
            found = b" ".join(b"%d" % uid for uid in self.mails if uid >= first)
            writer.write(b"* SEARCH " + found + b"\r\n")
        elif words[:2] == [b"UID", b"FETCH"]:
            return self._fetch(words, writer)
        return True

    def _fetch(self, words: list[bytes], writer: asyncio.StreamWriter) -> bool:
        low, _, high = words[2].partition(b":")
        for uid in range(int(low), int(high or low) + 1):
            head, _, body = self.mails[uid].partition(b"\r\n\r\n")
            asked = b" ".join(words)
            part = body if b"HEADER" not in asked else head + b"\r\n\r\n"
            name = b"BODY[HEADER]<0>" if b"HEADER" in asked else b"BODY[1]<0>"
            writer.write(b"* %d FETCH (UID %d RFC822.SIZE 9 " % (uid, uid))
            if b"BODYSTRUCTURE" in asked:
                if uid == 2 and self.structure is None:
                    return False
                structure = self.structure if uid == 2 and self.structure else PLAIN
                writer.write(b"BODYSTRUCTURE " + structure + b" ")
            writer.write(b'INTERNALDATE "01-Jun-2026 10:00:00 +0000" ')
            writer.write(name + b" {%d}\r\n" % len(part) + part + b")\r\n")
        return True


@asynccontextmanager
async def served(script: Scripted) -> AsyncIterator[Bridge]:
    serve: Callable[..., Awaitable[None]] = script.serve
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings = MailSettings.model_validate(
            {
                "address": "consilium@hospital.test",
                "password": "secret",
                "imap_host": "127.0.0.1",
                "imap_port": port,
                "imap_tls": "off",
                "smtp_host": "127.0.0.1",
            }
        )
        async with running(settings, PROMPT) as bridge:
            yield bridge


@pytest.mark.parametrize(
    "structure",
    [b"(((", b")", b'("TEXT"', b"{99999999999}", b'"', b"(" * 5_000, None],
    ids=["unfinished", "unbegun", "cut", "endless", "quote", "deep", "hangs up"],
)
async def test_nonsense_about_one_mail_holds_up_no_other(structure: bytes | None) -> None:
    async with served(Scripted(structure)) as bridge:
        await bridge.network.open(GROUP, ())
        await bridge.inlet.message("mail 3")

        first, second, third = bridge.inlet.messages(GROUP)

    assert first.text == "mail 1\n\nbody."
    assert "mail 2" in second.text
    assert "broken" in second.text
    assert third.text == "mail 3\n\nbody."


@pytest.mark.parametrize("structure", [b"NIL", b"()", b"(NIL NIL)", b'("TEXT")', b"((((()))))"])
async def test_a_structure_that_says_little_is_no_fault(structure: bytes) -> None:
    async with served(Scripted(structure)) as bridge:
        await bridge.network.open(GROUP, ())
        await bridge.inlet.message("mail 3")

        assert [message.text[:6] for message in bridge.inlet.messages(GROUP)] == [
            "mail 1", "mail 2", "mail 3",
        ]  # fmt: skip


async def test_a_server_that_says_nothing_is_told_to_be_away() -> None:
    script = Scripted(PLAIN)
    script.silent = True
    async with served(script) as bridge:
        await bridge.network.open(GROUP, ())
        fallen = await bridge.inlet.down()
        script.silent = False
        await bridge.inlet.message("mail 3")

    assert "does not answer" in fallen.reason


async def test_a_server_that_does_not_tell_of_new_mails_is_asked() -> None:
    script = Scripted(PLAIN, capabilities=b"")
    async with served(script) as bridge:
        await bridge.network.open(GROUP, ())
        await bridge.inlet.message("mail 3")
        script.mails[4] = listed(GROUP, "body.", "mail 4")
        await bridge.inlet.message("mail 4")

        assert len(bridge.inlet.messages(GROUP)) == 4
