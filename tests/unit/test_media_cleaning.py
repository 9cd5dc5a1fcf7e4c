"""Pictures and films leave without what tells where and when they were taken, else unchanged."""

import io
from collections.abc import Callable
from pathlib import Path

import picture_files as files
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from bridge.media.clean_image import clean, is_cleaned, measure
from bridge.media.formats import film, gif, heif, jpeg, png, tiff, webp
from bridge.media.formats.reading import MalformedError
from bridge.media.refusals import Uncleanable
from bridge.media.sniff import sniff

PICTURES: dict[str, Callable[[], bytes]] = {
    "jpeg": files.jpeg,
    "progressive jpeg": lambda: files.jpeg(progressive=True),
    "grey jpeg": lambda: files.jpeg(mode="L"),
    "cmyk jpeg": lambda: files.jpeg(mode="CMYK"),
    "png": files.png,
    "apng": files.apng,
    "webp": files.webp,
    "lossless webp": lambda: files.webp(lossless=True),
    "animated webp": files.animated_webp,
    "gif": files.gif,
    "tiff": files.tiff,
    "lzw tiff": lambda: files.tiff(compression="tiff_lzw"),
    "avif": files.avif,
}
OTHERS: dict[str, Callable[[], bytes]] = {
    "heic": files.heic,
    "mp4": files.mp4,
    "mov": lambda: files.mp4(brand=b"qt  "),
}
MODULES = {"jpeg": jpeg, "png": png, "webp": webp, "gif": gif, "tiff": tiff, "avif": heif,
           "heic": heif, "mp4": film}  # fmt: skip
EVERYTHING = PICTURES | OTHERS


def cleaned(content: bytes, directory: Path) -> bytes:
    source, target = directory / "source", directory / "target"
    source.write_bytes(content)
    target.unlink(missing_ok=True)
    mime = sniff(content[:4096])
    assert mime
    assert is_cleaned(mime)
    assert clean(source, target, mime) == target.stat().st_size
    assert target.stat().st_mode & 0o777 == 0o600
    return target.read_bytes()


def frames(content: bytes) -> list[tuple[bytes, object]]:
    with Image.open(io.BytesIO(content)) as image:
        return [
            (frame.convert("RGBA").tobytes(), frame.info.get("duration"))
            for frame in ImageSequence.Iterator(image)
        ]


@pytest.mark.parametrize("name", EVERYTHING)
def test_nothing_that_must_not_leave_is_in_the_copy(name: str, tmp_path: Path) -> None:
    content = EVERYTHING[name]()
    assert any(secret in content for secret in files.SECRETS)
    copy = cleaned(content, tmp_path)
    assert [secret for secret in files.SECRETS if secret in copy] == []


@pytest.mark.parametrize("name", PICTURES)
def test_a_clean_picture_shows_the_same_bit_by_bit(name: str, tmp_path: Path) -> None:
    content = PICTURES[name]()
    assert frames(cleaned(content, tmp_path)) == frames(content)


@pytest.mark.parametrize("name", PICTURES)
def test_a_clean_picture_has_no_exif_but_its_orientation(name: str, tmp_path: Path) -> None:
    content = PICTURES[name]()
    with Image.open(io.BytesIO(content)) as before:
        orientation = before.getexif().get(0x0112, 1)
    with Image.open(io.BytesIO(cleaned(content, tmp_path))) as after:
        exif = after.getexif()
        assert exif.get_ifd(0x8825) == {}
        assert exif.get_ifd(0x8769) == {}
        told = [after.info.get(key, b"") for key in ("xmp", "comment", "XML:com.adobe.xmp")]
        assert [text for text in told if text.strip()] == []
        if "avif" not in name:  # there it is a property of the picture
            assert exif.get(0x0112, 1) == orientation
        if "tiff" not in name:
            assert set(exif) <= {0x0112}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("make", [files.jpeg, files.png, files.webp])
def test_a_turned_picture_stays_turned_and_is_measured_so(
    make: Callable[[int], bytes], orientation: int, tmp_path: Path
) -> None:
    copy = cleaned(make(orientation), tmp_path)
    with Image.open(io.BytesIO(copy)) as image:
        assert image.getexif().get(0x0112, 1) == orientation
    expected = (32, 48) if orientation >= 5 else (48, 32)
    for path in (tmp_path / "source", tmp_path / "target"):
        assert measure(path, str(sniff(copy))) == expected


@pytest.mark.parametrize("name", EVERYTHING)
def test_cleaning_a_second_time_changes_nothing(name: str, tmp_path: Path) -> None:
    once = cleaned(EVERYTHING[name](), tmp_path)
    assert cleaned(once, tmp_path) == once


@pytest.mark.parametrize("name", EVERYTHING)
def test_width_and_height_are_read(name: str, tmp_path: Path) -> None:
    content = EVERYTHING[name]()
    (tmp_path / "a").write_bytes(content)
    turned = name in {"heic", "tiff", "lzw tiff", "apng", "avif"} or (
        "jpeg" in name or name in {"png", "webp", "lossless webp"}
    )
    assert measure(tmp_path / "a", str(sniff(content))) == ((32, 48) if turned else (48, 32))


# --- what belongs to one format -----------------------------------------------------------------


def test_a_jpeg_keeps_its_profile_of_colours_and_loses_its_preview(tmp_path: Path) -> None:
    preview = b"JFIF\0\1\2\0\0\x48\0\x48\1\1" + b"abc"
    content = b"\xff\xd8" + files.segment(0xE0, preview) + files.jpeg(1)[2:]
    copy = cleaned(content, tmp_path)
    assert b"a profile of colours" in copy
    assert copy.startswith(b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\2\0\0\x48\0\x48\0\0")
    assert b"Exif" not in copy


def test_a_tiff_keeps_all_pages_but_previews(tmp_path: Path) -> None:
    pages = [files.picture((40 + number, 30)) for number in range(3)]
    pages[1].encoderinfo = {"tiffinfo": {254: 1}}
    content = files.saved("TIFF", save_all=True, append_images=pages)
    with Image.open(io.BytesIO(cleaned(content, tmp_path))) as image:
        sizes = [frame.size for frame in ImageSequence.Iterator(image)]
    assert sizes == [(48, 32), (40, 30), (42, 30)]


def test_what_is_a_raw_file_of_a_camera_is_refused(tmp_path: Path) -> None:
    image = files.exif()
    image[50706] = b"\1\4\0\0"
    for content in (
        files.saved("TIFF", exif=image),
        b"II*\0\x10\0\0\0CR\2\0",
        b"MM\0+" + bytes(40),
        b"8BPS" + bytes(30),
        b"\xff\x0a" + bytes(30),
        files.box(b"ftyp", b"crx ", files.u32(1)) + files.mp4(),
    ):
        with pytest.raises(Uncleanable, match="was not passed on"):
            cleaned(content, tmp_path)


def test_a_film_stays_where_it_is_and_becomes_timeless(tmp_path: Path) -> None:
    content = files.mp4()
    copy = cleaned(content, tmp_path)
    assert len(copy) == len(content)
    assert copy.index(files.VIDEO) == content.index(files.VIDEO)
    assert files.u32(files.TIME) not in copy
    for kept in (b"ftyp", b"mvhd", b"tkhd", b"vide", b"stco"):
        assert copy.index(kept) == content.index(kept)
    for gone in (b"udta", b"\xa9xyz", b"loci", b"meta", b"uuid", b"sefd"):
        assert gone not in copy


def test_a_film_is_measured_as_it_is_turned(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(files.mp4(files.TURNED))
    assert measure(tmp_path / "a", "video/mp4") == (32, 48)


def test_a_track_of_positions_that_is_spread_over_fragments_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Uncleanable):
        cleaned(files.mp4() + files.box(b"moof", files.full(b"mfhd", files.u32(1))), tmp_path)


def test_a_heic_keeps_its_coded_picture_and_its_turn(tmp_path: Path) -> None:
    content = files.heic()
    copy = cleaned(content, tmp_path)
    assert copy.index(b"the coded picture") == content.index(b"the coded picture")
    assert b"irot" in copy
    assert b"isom" not in copy
    (tmp_path / "a").write_bytes(files.heic(turns=2))
    assert measure(tmp_path / "a", "image/heic") == (48, 32)


def test_what_has_no_place_for_such_data_or_is_looked_at_by_nobody_passes() -> None:
    assert not is_cleaned("image/bmp")
    assert not is_cleaned("application/pdf")
    assert not is_cleaned("video/webm")
    assert is_cleaned("image/of-a-kind-to-come")


# --- hostile files ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_truncated_file_is_refused(name: str, tmp_path: Path) -> None:
    whole = cleaned(EVERYTHING[name](), tmp_path)
    if name in OTHERS:  # they end with free space
        whole = whole[: whole.index(b"free", whole.index(b"mdat")) - 4]
    for length in {
        *range(12, 200, 7),
        *range(200, len(whole), len(whole) // 20 + 1),
        len(whole) - 1,
    }:
        (tmp_path / "cut").write_bytes(whole[:length])
        (tmp_path / "target").unlink(missing_ok=True)
        with pytest.raises(Uncleanable):
            clean(tmp_path / "cut", tmp_path / "target", str(sniff(whole[:4096])))


@pytest.mark.parametrize("mime", ["image/jpeg", "image/png", "video/mp4", "image/x-unknown"])
def test_an_empty_file_is_refused(tmp_path: Path, mime: str) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(Uncleanable):
        clean(tmp_path / "a", tmp_path / "b", mime)
    assert measure(tmp_path / "a", mime) is None


BEGINNINGS = {
    "jpeg": b"\xff\xd8", "png": b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", "webp": b"RIFF",
    "gif": b"GIF89a",
    "tiff": b"II*\0", "heic": b"", "mp4": b"", "avif": b"",
}  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(name: str, content: bytes) -> None:
    for data in (content, BEGINNINGS[name] + content):
        for look in (lambda d: b"".join(MODULES[name].pieces(d)), MODULES[name].size):
            try:
                look(data)
            except MalformedError:
                continue


WHOLE = {name: EVERYTHING[name]() for name in MODULES}


@pytest.mark.parametrize("name", MODULES)
@settings(deadline=None)
@given(st.data())
def test_a_file_with_some_other_bytes_is_read_or_refused(name: str, data: st.DataObject) -> None:
    content = bytearray(WHOLE[name])
    place = st.integers(0, min(len(content), 3_000) - 1)
    for at, byte in data.draw(st.lists(st.tuples(place, st.integers(0, 255)), max_size=6)):
        content[at] = byte
    for look in (lambda d: b"".join(MODULES[name].pieces(d)), MODULES[name].size):
        try:
            look(bytes(content))
        except MalformedError:
            continue


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xd8\xff\xda\0\2" + b"\xff" * 4_000_000,
        b"\xff\xd8" + b"\xff\xfe\0\2" * 1_000_000,
        files.png()[:33] + (bytes(4) + b"tEXt" + bytes(4)) * 400_000,
        b"GIF89a" + bytes(7) + b"\x21\xfe" + b"\1a" * 2_000_000,
        files.box(b"ftyp", b"isom", bytes(4)) + files.box(b"free") * 500_000,
    ],
    ids=["fill bytes", "segments", "chunks", "blocks", "boxes"],
)
def test_a_file_that_is_made_to_take_time_or_memory_is_refused(
    content: bytes, tmp_path: Path
) -> None:
    with pytest.raises(Uncleanable):
        cleaned(content, tmp_path)
