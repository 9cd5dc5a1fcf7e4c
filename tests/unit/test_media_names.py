"""Names of files are safe on every machine, and tell what the file is."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.media.names import LONGEST, LONGEST_BYTES, clean_name
from bridge.media.sniff import PROGRAMS, UNKNOWN
from bridge.model import MediaKind

PE = "application/vnd.microsoft.portable-executable"
MIMES = ["image/jpeg", "image/png", "application/pdf", "audio/ogg", "text/html", UNKNOWN, "a/b", PE]


@pytest.mark.parametrize(
    ("name", "mime", "clean"),
    [
        ("photo.jpg", "image/jpeg", "photo.jpg"),
        ("Röntgen Thorax 2024.JPEG", "image/jpeg", "Röntgen Thorax 2024.JPEG"),
        ("../../etc/passwd", UNKNOWN, "passwd"),
        ("C:\\Windows\\win.ini", UNKNOWN, "win.ini"),
        ("/etc/", UNKNOWN, "etc"),
        ("a\0b\r\nc.pdf", "application/pdf", "ab c.pdf"),
        ("\u202egpj.exe", "image/jpeg", "gpj.jpg"),
        ("a\u200b\u2066b\ufeff.pdf", "application/pdf", "ab.pdf"),
        ("a:b|c?.pdf", "application/pdf", "a_b_c_.pdf"),
        ('x" onclick="y.pdf', "application/pdf", "x_ onclick=_y.pdf"),
        ("CON", UNKNOWN, "_CON"),
        ("nul.txt", "text/plain", "_nul.txt"),
        ("com1.tar.gz", "application/gzip", "_com1.tar.gz"),
        ("consilium.txt", "text/plain", "consilium.txt"),
        ("report.pdf.exe", "application/pdf", "report.pdf"),
        ("report.exe", "application/pdf", "report.pdf"),
        ("picture.png", "image/jpeg", "picture.jpg"),
        ("v1.2", "image/jpeg", "v1.2.jpg"),
        ("befund", "application/pdf", "befund.pdf"),
        ("photo.jpg", PE, "photo_jpg.bin"),
        ("photo.jpg.exe", PE, "photo_jpg.exe"),
        ("setup.exe", PE, "setup.exe"),
        ("page.pdf", "text/html", "page_pdf.html"),
        (".htaccess", UNKNOWN, "htaccess"),
        ("-rf.txt", "text/plain", "rf.txt"),
        ("name. . .", UNKNOWN, "name"),
        ("a  \u00a0 b.pdf", "application/pdf", "a b.pdf"),
        ("archive.tar.gz", "application/gzip", "archive.tar.gz"),
        ("", UNKNOWN, "file"),
        ("", "application/pdf", "file.pdf"),
        ("...", "image/png", "file.png"),
        (".jpg", "image/jpeg", "jpg.jpg"),
    ],
)
def test_a_name_is_cleaned(name: str, mime: str, clean: str) -> None:
    assert clean_name(name, mime) == clean


@pytest.mark.parametrize(
    ("kind", "mime", "name"),
    [
        (MediaKind.IMAGE, "image/jpeg", "photo.jpg"),
        (MediaKind.VIDEO, "video/mp4", "video.mp4"),
        (MediaKind.VOICE, "audio/ogg", "voice.ogg"),
        (MediaKind.FILE, "application/pdf", "file.pdf"),
    ],
)
def test_a_file_without_a_name_is_called_by_what_it_is(
    kind: MediaKind, mime: str, name: str
) -> None:
    assert clean_name("", mime, kind) == name
    assert clean_name("\u202e/..//", mime, kind) == name


def test_a_long_name_is_cut_before_its_extension() -> None:
    assert clean_name("a" * 500 + ".pdf", "application/pdf") == "a" * (LONGEST - 4) + ".pdf"
    long = clean_name("ö" * 500 + ".pdf", "application/pdf")
    assert len(long.encode()) <= LONGEST_BYTES
    assert long.endswith("ö.pdf")


odd = st.text(st.sampled_from("ab.. /\\:\u202e\u200d\0\n~-éß日🧑\u0301CONnul1jpgexe"), max_size=40)


@given(st.text(max_size=300) | odd, st.sampled_from(MIMES), st.sampled_from(MediaKind))
def test_every_name_becomes_one_that_is_safe_and_stays_as_it_is(
    name: str, mime: str, kind: MediaKind
) -> None:
    clean = clean_name(name, mime, kind)
    assert clean
    assert clean == clean.strip()
    assert clean[0] not in ".-"
    assert clean[-1] != "."
    assert not set(clean) & set('/\\:*?"<>|\0')
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs"} for char in clean)
    assert len(clean) <= LONGEST
    assert len(clean.encode()) <= LONGEST_BYTES
    assert clean.partition(".")[0].strip().lower() not in {"con", "nul", "aux", "prn", "com1"}
    if mime == "image/jpeg":
        assert clean.rpartition(".")[2].lower() in {"jpg", "jpeg", "jpe", "jfif"}
    if mime in PROGRAMS:
        assert clean.rpartition(".")[2].lower() not in {"jpg", "pdf"}
    assert clean_name(clean, mime, kind) == clean
