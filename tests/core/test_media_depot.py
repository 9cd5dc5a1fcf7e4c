"""The depot fetches each file once, checks it, lends it out, and keeps within its bounds."""

import asyncio
import io
import stat
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from media_stage import OUTSIDE, Host, attached, fetcher
from PIL import Image

from bridge.contract import Refused, Unreachable
from bridge.errors import ConfigError
from bridge.media.depot import Depot, Limits, Rules
from bridge.media.fetcher import Patience
from bridge.media.refusals import SourceAway, SpoolFull, TooBig, TypeNotTaken, Uncleanable
from bridge.media.sniff import TypePolicy
from bridge.model import Attachment, MediaKind

PDF = b"%PDF-1.7\n"


@dataclass
class Archive:
    """A network with files of its own. Each waits at its gate, if it has one."""

    files: dict[str, Sequence[bytes]] = field(default_factory=dict)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    begun: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    asked: list[str] = field(default_factory=list)
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    under_way: int = 0
    most: int = 0

    @asynccontextmanager
    async def download(self, attachment: Attachment) -> AsyncIterator[AsyncIterator[bytes]]:
        self.asked.append(attachment.source)
        self.under_way += 1
        self.idle.clear()
        self.most = max(self.most, self.under_way)
        try:
            if attachment.source not in self.files:
                msg = "Not there."
                raise Refused(msg)
            yield self._pieces(attachment.source)
        finally:
            self.under_way -= 1
            if not self.under_way:
                self.idle.set()

    async def _pieces(self, source: str) -> AsyncIterator[bytes]:
        first, *others = self.files[source]
        yield first
        self.begun.put_nowait(source)
        if source in self.gates:
            await self.gates[source].wait()
        for piece in others:
            yield piece


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Stage:
    depot: Depot
    archive: Archive
    directory: Path
    clock: Clock

    def gate(self, source: str, *pieces: bytes) -> asyncio.Event:
        self.archive.files[source] = pieces
        self.archive.gates[source] = asyncio.Event()
        return self.archive.gates[source]

    async def taken(self, source: str, cleaned: bool = False, **given: Any) -> bytes:
        limits = given.pop("limits", None)
        attachment = attached(source, **given)
        async with self.depot.fetch("a", attachment, limits=limits, cleaned=cleaned) as file:
            return file.path.read_bytes()

    def files(self) -> list[Path]:
        return sorted(path for path in self.directory.iterdir() if path.name != "lock")


Staged = Callable[..., Any]


@pytest.fixture
async def staged(tmp_path: Path) -> AsyncIterator[Staged]:
    async with AsyncExitStack() as stack:

        async def make(**changes: Any) -> Stage:
            archive, clock = Archive(), Clock()
            rules = {
                "directory": tmp_path / "spool",
                "max_size": 100_000,
                "spool_limit": 300_000,
                "keep_seconds": 60.0,
                "patience": Patience(connect=5, idle=5, total=10),
            } | changes
            depot = Depot(Rules(**rules), {"a": archive}.get, fetcher(), clock)
            await stack.enter_async_context(depot)
            return Stage(depot, archive, rules["directory"], clock)

        yield make


@pytest.fixture
async def stage(staged: Staged) -> Stage:
    return await staged()


async def landed(stage: Stage) -> None:
    """Until no download is under way."""
    async with asyncio.timeout(5):
        await stage.archive.idle.wait()


async def test_a_file_is_lent_with_what_is_true_about_it(stage: Stage) -> None:
    stage.archive.files["mxc://a"] = [PDF[:3], PDF[3:]]
    attachment = attached(
        "mxc://a", kind=MediaKind.IMAGE, name="../x.jpg", mime="image/jpeg", size=3, width=5,
        height=-1, duration_ms=10**15,
    )  # fmt: skip
    async with stage.depot.fetch("a", attachment, cleaned=True) as file:
        assert file.path.read_bytes() == PDF
        assert (file.name, file.mime, file.kind) == ("x.pdf", "application/pdf", MediaKind.FILE)
        assert (file.size, file.width, file.height) == (len(PDF), 5, None)
        assert file.duration_ms is None


async def test_files_and_folder_are_for_the_bridge_alone(stage: Stage) -> None:
    stage.archive.files["mxc://a"] = [PDF]
    await stage.taken("mxc://a")
    assert stat.S_IMODE(stage.directory.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in stage.files()] == [0o600]
    assert "mxc" not in stage.files()[0].name


async def test_a_url_is_fetched_for_a_network_without_files_of_its_own(stage: Stage) -> None:
    async with Host.at(OUTSIDE) as host:
        host.serves("/a.pdf", PDF)
        async with stage.depot.fetch("b", attached(host.url("/a.pdf")), cleaned=False) as file:
            assert file.path.read_bytes() == PDF
        with pytest.raises(Refused, match="not there any more"):
            async with stage.depot.fetch("b", attached(host.url("/b")), cleaned=False):
                pass


async def test_those_who_want_the_same_file_at_once_share_one_download(stage: Stage) -> None:
    gate = stage.gate("mxc://a", PDF, b"end")
    wanted = [asyncio.create_task(stage.taken("mxc://a")) for _ in range(5)]
    await stage.archive.begun.get()
    gate.set()
    assert await asyncio.gather(*wanted) == [PDF + b"end"] * 5
    assert await stage.taken("mxc://a") == PDF + b"end"
    assert stage.archive.asked == ["mxc://a"]


async def test_files_that_differ_in_network_or_key_are_different(stage: Stage) -> None:
    stage.archive.files["mxc://a"] = [PDF]
    await stage.taken("mxc://a")
    await stage.taken("mxc://a", key="k")
    with pytest.raises(Refused):
        async with stage.depot.fetch("b", attached("mxc://a"), cleaned=False):
            pass
    assert stage.archive.asked == ["mxc://a"] * 2


async def test_who_goes_away_takes_no_file_from_those_who_still_wait(stage: Stage) -> None:
    gate = stage.gate("mxc://a", PDF, b"end")
    first = asyncio.create_task(stage.taken("mxc://a"))
    await stage.archive.begun.get()
    second = asyncio.create_task(stage.taken("mxc://a"))
    await asyncio.sleep(0)
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    gate.set()
    assert await second == PDF + b"end"
    assert stage.archive.asked == ["mxc://a"]


async def test_a_download_that_nobody_waits_for_ends_and_leaves_nothing(stage: Stage) -> None:
    stage.gate("mxc://a", PDF, b"end")
    only = asyncio.create_task(stage.taken("mxc://a"))
    await stage.archive.begun.get()
    only.cancel()
    with suppress(asyncio.CancelledError):
        await only
    await landed(stage)
    assert stage.files() == []
    assert stage.depot.used == 0
    stage.archive.gates.clear()
    assert await stage.taken("mxc://a") == PDF + b"end"


async def test_a_fault_is_told_to_all_who_wait_and_tried_anew_for_the_next(stage: Stage) -> None:
    wanted = [asyncio.create_task(stage.taken("mxc://a")) for _ in range(3)]
    found = await asyncio.gather(*wanted, return_exceptions=True)
    assert [type(each) for each in found] == [Refused] * 3
    assert stage.archive.asked == ["mxc://a"]
    stage.archive.files["mxc://a"] = [PDF]
    assert await stage.taken("mxc://a") == PDF


# --- size ---------------------------------------------------------------------------------------


async def test_a_file_that_is_declared_too_big_is_not_asked_for(stage: Stage) -> None:
    with pytest.raises(TooBig, match="larger than 100 kB"):
        await stage.taken("mxc://a", size=100_001)
    with pytest.raises(TooBig, match="larger than 1 kB"):
        await stage.taken("mxc://a", size=1_001, limits=Limits(max_size=1_000))
    assert stage.archive.asked == []


async def test_a_file_that_is_larger_than_declared_is_not_read_to_its_end(stage: Stage) -> None:
    read = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal read
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                await response.write(bytes(10_000))
                read += 10_000
        return response

    async with Host.at(OUTSIDE) as host:
        host.handlers["/a"] = endless
        with pytest.raises(TooBig, match="100 kB"):
            async with stage.depot.fetch("b", attached(host.url("/a"), size=5), cleaned=False):
                pass
    assert read < 100_000_000
    assert stage.files() == []
    assert stage.depot.used == 0


async def test_a_place_that_takes_less_does_not_stop_the_download_for_the_others(
    stage: Stage,
) -> None:
    gate = stage.gate("mxc://a", bytes(500), bytes(600))
    small = asyncio.create_task(stage.taken("mxc://a", limits=Limits(max_size=1_000)))
    await stage.archive.begun.get()
    large = asyncio.create_task(stage.taken("mxc://a"))
    await asyncio.sleep(0)
    gate.set()
    assert len(await large) == 1_100
    with pytest.raises(TooBig, match="1 kB"):
        await small
    assert stage.archive.asked == ["mxc://a"]
    with pytest.raises(TooBig, match="1 kB"):
        await stage.taken("mxc://a", limits=Limits(max_size=1_000))


async def test_types_are_refused_by_what_the_file_is(staged: Staged) -> None:
    stage = await staged(types=TypePolicy(deny=("text/html",)))
    stage.archive.files |= {"mxc://a": [b"<html>"], "mxc://b": [PDF]}
    with pytest.raises(TypeNotTaken, match="text/html"):
        await stage.taken("mxc://a", mime="image/png", kind=MediaKind.IMAGE)
    with pytest.raises(TypeNotTaken, match="application/pdf"):
        await stage.taken("mxc://b", limits=Limits(types=TypePolicy(allow=("image/*",))))
    assert await stage.taken("mxc://b") == PDF


# --- room ---------------------------------------------------------------------------------------


async def test_what_was_longest_without_use_makes_room(stage: Stage) -> None:
    for name in "abc":
        stage.archive.files[f"mxc://{name}"] = [name.encode() * 99_000]
        await stage.taken(f"mxc://{name}")
    await stage.taken("mxc://a")
    stage.archive.files["mxc://d"] = [b"d" * 99_000]
    await stage.taken("mxc://d")
    assert stage.depot.used == 3 * 99_000
    assert sorted(path.read_bytes()[:1] for path in stage.files()) == [b"a", b"c", b"d"]
    await stage.taken("mxc://b")
    assert stage.archive.asked[-1] == "mxc://b"


async def test_a_file_in_use_is_not_taken_away(stage: Stage) -> None:
    for name in "abcd":
        stage.archive.files[f"mxc://{name}"] = [name.encode() * 99_000]
    async with AsyncExitStack() as stack:
        files = [
            await stack.enter_async_context(
                stage.depot.fetch("a", attached(f"mxc://{name}"), cleaned=False)
            )
            for name in "abc"
        ]
        with pytest.raises(SpoolFull) as caught:
            await stage.taken("mxc://d")
        assert caught.value.retry_after == 30.0
        assert [file.path.read_bytes()[:1] for file in files] == [b"a", b"b", b"c"]
    assert (await stage.taken("mxc://d"))[:1] == b"d"
    assert stage.depot.used == 3 * 99_000


async def test_what_is_old_is_deleted_unless_it_is_in_use(stage: Stage) -> None:
    stage.archive.files |= {"mxc://a": [b"a"], "mxc://b": [b"b"]}
    await stage.taken("mxc://a")
    async with stage.depot.fetch("a", attached("mxc://b"), cleaned=False) as file:
        stage.clock.now += 59
        await stage.depot.prune()
        assert len(stage.files()) == 2
        stage.clock.now += 1
        await stage.depot.prune()
        assert stage.files() == [file.path]
    await stage.depot.prune()
    assert stage.files() == []
    assert stage.depot.used == 0


async def test_a_full_disk_is_told_as_something_that_passes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    stage.archive.files["mxc://a"] = [PDF]
    with monkeypatch.context() as patched:
        patched.setattr("bridge.media.spool._append", full)
        with pytest.raises(Unreachable, match="no room"):
            await stage.taken("mxc://a")
    assert stage.depot.used == 0
    assert await stage.taken("mxc://a") == PDF


# --- time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("patience", [Patience(1, 0.05, 5), Patience(1, 5, 0.05)])
async def test_a_source_that_falls_silent_is_not_waited_for(
    staged: Staged, patience: Patience
) -> None:
    stage = await staged(patience=patience)
    stage.gate("mxc://a", PDF, b"end")
    with pytest.raises(SourceAway):
        await stage.taken("mxc://a")
    assert stage.files() == []


async def test_one_network_has_four_downloads_under_way_at_most(stage: Stage) -> None:
    gates = [stage.gate(f"mxc://{number}", PDF, b"end") for number in range(9)]
    wanted = [asyncio.create_task(stage.taken(f"mxc://{number}")) for number in range(9)]
    for _ in range(4):
        await stage.archive.begun.get()
    for gate in gates:
        gate.set()
    assert len(await asyncio.gather(*wanted)) == 9
    assert stage.archive.most == 4


# --- beginning and end --------------------------------------------------------------------------


async def test_what_a_crash_left_is_deleted_and_nothing_else(
    staged: Staged, tmp_path: Path
) -> None:
    directory = tmp_path / "spool"
    directory.mkdir(mode=0o700)
    for name in (f"{'a' * 64}.whole", f"{'b' * 64}.clean", f"{'c' * 64}.whole.7.part", "notes.txt"):
        (directory / name).write_bytes(b"left")
    stage = await staged()
    assert [path.name for path in stage.files()] == ["notes.txt"]


async def test_nothing_is_left_at_the_end(tmp_path: Path) -> None:
    archive = Archive({"mxc://a": [PDF]})
    rules = Rules(tmp_path / "spool", 1_000, 10_000, 60.0)
    async with (
        Depot(rules, {"a": archive}.get, fetcher()) as depot,
        depot.fetch("a", attached("mxc://a"), cleaned=False) as file,
    ):
        assert file.path.exists()
    assert [path.name for path in (tmp_path / "spool").iterdir()] == ["lock"]


async def test_who_waits_when_it_ends_is_told(tmp_path: Path) -> None:
    archive = Archive({"mxc://a": [PDF, b"end"]}, {"mxc://a": asyncio.Event()})
    rules = Rules(tmp_path / "spool", 1_000, 10_000, 60.0)
    async with Depot(rules, {"a": archive}.get, fetcher()) as depot:
        waiting = asyncio.create_task(
            depot.fetch("a", attached("mxc://a"), cleaned=False).__aenter__()
        )
        await archive.begun.get()
    with pytest.raises(SourceAway):
        await waiting


async def test_two_bridges_do_not_share_a_folder(stage: Stage) -> None:
    other = Depot(Rules(stage.directory, 1, 1, 1), {}.get, fetcher())
    with pytest.raises(ConfigError, match="Another bridge"):
        await other.__aenter__()


async def test_a_folder_that_others_can_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(tmp_path / "own")
    (tmp_path / "own").mkdir(mode=0o700)
    (tmp_path / "file").write_text("")
    for name in ("open", "link", "file"):
        with pytest.raises(ConfigError, match=r"media\.directory"):
            await Depot(Rules(tmp_path / name, 1, 1, 1), {}.get, fetcher()).__aenter__()


async def test_what_claims_to_be_a_picture_and_is_none_is_never_sent_uncleaned(
    stage: Stage,
) -> None:
    stage.archive.files["mxc://a"] = [b"\1\2\3\4 Exif GPS"]
    for claims in ({"mime": "image/x-raw"}, {"name": "IMG_1.HEIC"}):
        with pytest.raises(Uncleanable, match="was not passed on"):
            await stage.taken("mxc://a", cleaned=True, **claims)
        assert await stage.taken("mxc://a", **claims)


# --- cleaning -----------------------------------------------------------------------------------


def photograph(size: tuple[int, int] = (48, 32)) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x0110] = "SECRETMODEL"
    file = io.BytesIO()
    Image.new("RGB", size).save(file, "JPEG", exif=exif)
    return file.getvalue()


async def test_a_picture_is_fetched_once_and_lent_clean_and_as_it_is(stage: Stage) -> None:
    content = photograph()
    stage.archive.files["mxc://a"] = [content]
    claims = {"kind": MediaKind.IMAGE, "width": 1, "height": 1}
    copies = await asyncio.gather(
        *(stage.taken("mxc://a", cleaned, **claims) for cleaned in (True, False, True, True))
    )
    assert copies[1] == content
    assert b"SECRET" in content
    assert copies[0] == copies[2] == copies[3]
    assert b"SECRET" not in copies[0]
    assert stage.archive.asked == ["mxc://a"]
    assert stage.depot.used == sum(path.stat().st_size for path in stage.files())
    assert [stat.S_IMODE(path.stat().st_mode) for path in stage.files()] == [0o600, 0o600]
    async with stage.depot.fetch("a", attached("mxc://a", **claims), cleaned=True) as file:
        assert (file.width, file.height, file.size) == (32, 48, len(copies[0]))


async def test_a_picture_that_can_not_be_cleaned_is_refused_and_leaves_no_part(
    stage: Stage,
) -> None:
    content = photograph()[:-20]
    stage.archive.files["mxc://a"] = [content]
    with pytest.raises(Uncleanable):
        await stage.taken("mxc://a", cleaned=True)
    assert [path.read_bytes() for path in stage.files()] == [content]
    assert stage.depot.used == len(content)
    assert await stage.taken("mxc://a") == content


async def test_a_picture_too_large_to_be_shown_is_a_mere_file(stage: Stage) -> None:
    header = (13).to_bytes(4) + b"IHDR" + (60_000).to_bytes(4) * 2 + b"\x08\0\0\0\0" + bytes(4)
    bomb = b"\x89PNG\r\n\x1a\n" + header + bytes(4) + b"IDAT" + bytes(8) + b"IEND" + bytes(4)
    stage.archive.files["mxc://a"] = [bomb]
    async with stage.depot.fetch(
        "a", attached("mxc://a", kind=MediaKind.IMAGE, name="a.png"), cleaned=True
    ) as file:
        assert (file.kind, file.mime, file.width) == (MediaKind.FILE, "image/png", 60_000)
