"""A file is what its content says, and only then what its sender says."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bridge.media.sniff import HEAD, PROGRAMS, UNKNOWN, TypePolicy, claims_picture, settle, sniff
from bridge.model import MediaKind


def drawn(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 30, 60)).save(file, kind)
    return file.getvalue()


def zipped(first: str, content: str = "") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(first, content)
        archive.writestr("content.xml", "<a/>")
    return file.getvalue()


def film(brand: bytes, *others: bytes) -> bytes:
    brands = brand + b"\0\0\2\0" + b"".join(others)
    return (len(brands) + 8).to_bytes(4) + b"ftyp" + brands + b"\0\0\0\x08mdat"


KINDS = [
    (drawn("PNG"), "image/png"),
    (drawn("JPEG"), "image/jpeg"),
    (drawn("GIF"), "image/gif"),
    (drawn("WEBP"), "image/webp"),
    (drawn("TIFF"), "image/tiff"),
    (drawn("AVIF"), "image/avif"),
    (drawn("BMP"), "image/bmp"),
    (drawn("ICO"), "image/x-icon"),
    (film(b"heic", b"mif1"), "image/heic"),
    (film(b"mif1", b"heic"), "image/heic"),
    (film(b"mif1"), "image/heif"),
    (film(b"crx "), "image/x-canon-cr3"),
    (film(b"isom", b"mp42"), "video/mp4"),
    (film(b"qt  "), "video/quicktime"),
    (film(b"3gp5"), "video/3gpp"),
    (film(b"M4A "), "audio/mp4"),
    (b"\0\0\0\x08wide\0\0\0\x08mdat", "video/quicktime"),
    (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", "video/webm"),
    (b"OggS\0\2" + bytes(22) + b"OpusHead", "audio/ogg"),
    (b"RIFF\x24\0\0\0WAVEfmt ", "audio/wav"),
    (b"ID3\x04\0", "audio/mpeg"),
    (b"\xff\xfb\x90\x64" + bytes(20), "audio/mpeg"),
    (b"%PDF-1.7\n", "application/pdf"),
    (bytes(128) + b"DICM\2\0", "application/dicom"),
    (zipped("a.txt"), "application/zip"),
    (
        zipped("mimetype", "application/vnd.oasis.opendocument.text"),
        "application/vnd.oasis.opendocument.text",
    ),
    (b"MZ\x90\0", "application/vnd.microsoft.portable-executable"),
    (b"\x7fELF\2\1\1", "application/x-elf"),
    (b"#!/bin/sh\nrm -rf /", "text/x-shellscript"),
    (b"  \n<!-- hi -->\n<HTML><script>alert(1)</script>", "text/html"),
    (b"<!DOCTYPE html>", "text/html"),
    ("<html>".encode("utf-16"), "text/html"),
    (b'<?xml version="1.0"?><!-- x --><svg xmlns="http://www.w3.org/2000/svg">', "image/svg+xml"),
    (b"\xef\xbb\xbf<svg onload='alert(1)'/>", "image/svg+xml"),
    (b"<a/><svg></svg>", "text/html"),
    (b"<x/><svg></svg>", "image/svg+xml"),
    (b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">', "application/xhtml+xml"),
    (b'<?xml version="1.0"?><report/>', "application/xml"),
    ("Befund: unauffällig".encode(), "text/plain"),
    (b"\xff\xfeh\0i\0", "text/plain"),
    (b"", None),
    (b"\x01\x02\x03\x04", None),
]


@pytest.mark.parametrize(("content", "mime"), KINDS, ids=[str(mime) for _, mime in KINDS])
def test_a_file_is_what_it_begins_like(content: bytes, mime: str | None) -> None:
    assert sniff(content[:HEAD]) == mime


@given(st.binary(max_size=600))
def test_any_bytes_are_looked_at_without_a_fault(content: bytes) -> None:
    assert (sniff(content) or "a/b").count("/") == 1


@pytest.mark.parametrize(
    ("content", "declared", "name", "kind", "mime", "shown_as"),
    [
        (drawn("JPEG"), "image/png", "a.png", MediaKind.IMAGE, "image/jpeg", MediaKind.IMAGE),
        (drawn("JPEG"), "", "a", MediaKind.FILE, "image/jpeg", MediaKind.FILE),
        (drawn("PNG"), "video/mp4", "a.mp4", MediaKind.VIDEO, "image/png", MediaKind.IMAGE),
        (drawn("WEBP"), "image/webp", "", MediaKind.STICKER, "image/webp", MediaKind.STICKER),
        (film(b"isom"), "image/gif", "a.gif", MediaKind.IMAGE, "video/mp4", MediaKind.VIDEO),
        (film(b"isom"), "audio/mp4", "a.m4a", MediaKind.VOICE, "audio/mp4", MediaKind.VOICE),
        (
            b"MZ\x90\0",
            "image/jpeg",
            "a.jpg",
            MediaKind.IMAGE,
            "application/vnd.microsoft.portable-executable",
            MediaKind.FILE,
        ),
        (b"<html>", "image/jpeg", "a.jpg", MediaKind.IMAGE, "text/html", MediaKind.FILE),
        (b"<html>", "text/plain", "a.txt", MediaKind.FILE, "text/html", MediaKind.FILE),
        (b"<svg>", "image/svg+xml", "a.svg", MediaKind.IMAGE, "image/svg+xml", MediaKind.FILE),
        (b"a svg", "image/svg+xml", "a.svg", MediaKind.IMAGE, "text/plain", MediaKind.FILE),
        (b"a;b", "text/csv", "a.csv", MediaKind.FILE, "text/csv", MediaKind.FILE),
        (b"a;b", "", "a.csv", MediaKind.FILE, "text/csv", MediaKind.FILE),
        (b'{"a": 1}', "application/json", "", MediaKind.FILE, "application/json", MediaKind.FILE),
        (
            zipped("[Content_Types].xml"),
            UNKNOWN,
            "a.docx",
            MediaKind.FILE,
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            MediaKind.FILE,
        ),
        (zipped("a"), "application/pdf", "a.pdf", MediaKind.FILE, "application/zip", "file"),
        (b"\1\2\3\4", "image/jpeg", "a.jpg", MediaKind.IMAGE, UNKNOWN, MediaKind.FILE),
        (b"\1\2\3\4", "image/x-new", "a", MediaKind.IMAGE, UNKNOWN, MediaKind.FILE),
        (b"\1\2\3\4", "application/x-own", "a", MediaKind.FILE, "application/x-own", "file"),
        (b"\1\2\3\4", "a\r\nb: c/d", "a", MediaKind.FILE, UNKNOWN, MediaKind.FILE),
        (b"\1\2\3\4", "Application/X-Own; a=b", "", MediaKind.FILE, "application/x-own", "file"),
        (b"OggS\0\2" + bytes(22) + b"OpusHead", "audio/ogg", "", "voice", "audio/ogg", "voice"),
    ],
)
def test_the_content_wins_over_what_is_declared(  # noqa: PLR0917
    content: bytes, declared: str, name: str, kind: str, mime: str, shown_as: str
) -> None:
    verdict = settle(sniff(content), declared, name, MediaKind(kind))
    assert (verdict.mime, verdict.kind) == (mime, MediaKind(shown_as))


@given(
    st.sampled_from([content for content, _ in KINDS]),
    st.text(max_size=30) | st.sampled_from([mime for _, mime in KINDS if mime]),
    st.text(max_size=20),
    st.sampled_from(MediaKind),
)
def test_what_is_active_is_never_shown_as_a_picture_film_or_sound(
    content: bytes, declared: str, name: str, kind: MediaKind
) -> None:
    sniffed = sniff(content)
    verdict = settle(sniffed, declared, name, kind)
    if sniffed in PROGRAMS | {"text/html", "image/svg+xml", "application/xhtml+xml"}:
        assert verdict.kind is MediaKind.FILE
        assert verdict.mime == sniffed
    if verdict.mime.startswith("image/"):
        assert (sniffed or "").startswith("image/")


def test_who_calls_a_file_a_picture_by_type_or_name_is_heard() -> None:
    assert claims_picture("image/x-new", "")
    assert claims_picture("", "IMG_0001.HEIC")
    assert claims_picture(UNKNOWN, "a.jpeg")
    assert not claims_picture("application/pdf", "a.pdf")


def test_what_is_denied_is_not_taken_even_if_it_is_allowed() -> None:
    policy = TypePolicy(allow=("image/*", "application/pdf"), deny=("image/tiff",))
    taken = {
        mime: policy.takes(mime)
        for mime in ("image/png", "image/tiff", "application/pdf", "video/mp4")
    }
    assert taken == {
        "image/png": True,
        "image/tiff": False,
        "application/pdf": True,
        "video/mp4": False,
    }
    assert TypePolicy().takes("video/mp4")
    assert not TypePolicy(deny=("video/*",)).takes("video/mp4")
