"""What a file is, by its content: what its sender says is believed only as far as that goes along.

The table is the bridge's own. Of the libraries without C, puremagic 2 wants a later Python and
guesses between several answers, filetype has had no release since 2022; and what matters here is
a short list that is never wrong. It follows https://mimesniff.spec.whatwg.org/ where that has the
type.
"""

import mimetypes
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from bridge.model import MediaKind

HEAD: Final = 4096
"""Bytes from the beginning of a file that `sniff` wants."""

UNKNOWN: Final = "application/octet-stream"

PROGRAMS: Final = frozenset(
    {
        "application/vnd.microsoft.portable-executable",
        "application/x-elf",
        "application/x-mach-binary",
        "application/java-vm",
        "application/wasm",
        "application/vnd.android.dex",
        "application/x-ms-shortcut",
        "text/x-shellscript",
    }
)
"""What a machine would run."""

_SVG: Final = "image/svg+xml"
_BEGINNINGS: Final = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"II+\0", "image/tiff"),
    (0, b"MM\0+", "image/tiff"),
    (0, b"\0\0\1\0", "image/x-icon"),
    (0, b"8BPS", "image/vnd.adobe.photoshop"),
    (0, b"\xff\x0a", "image/jxl"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (0, b"\xff\x4f\xff\x51", "image/jp2"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"#!AMR", "audio/amr"),
    (0, b"MThd\0\0\0\6", "audio/midi"),
    (0, b".snd", "audio/basic"),
    (0, b"FLV\1", "video/x-flv"),
    (0, b"\0\0\1\xba", "video/mpeg"),
    (0, b"\0\0\1\xb3", "video/mpeg"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"%!PS-Adobe-", "application/postscript"),
    (0, b"{\\rtf", "application/rtf"),
    (128, b"DICM", "application/dicom"),
    (0, b"PK\3\4", "application/zip"),
    (0, b"PK\5\6", "application/zip"),
    (0, b"\x1f\x8b\x08", "application/gzip"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (0, b"\xfd7zXZ\0", "application/x-xz"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (257, b"ustar", "application/x-tar"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"\x7fELF", "application/x-elf"),
    (0, b"\xfe\xed\xfa\xce", "application/x-mach-binary"),
    (0, b"\xfe\xed\xfa\xcf", "application/x-mach-binary"),
    (0, b"\xce\xfa\xed\xfe", "application/x-mach-binary"),
    (0, b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (0, b"\xca\xfe\xba\xbe", "application/java-vm"),
    (0, b"\0asm", "application/wasm"),
    (0, b"dex\n", "application/vnd.android.dex"),
    (0, b"L\0\0\0\x01\x14\x02\0", "application/x-ms-shortcut"),
    (0, b"#!", "text/x-shellscript"),
    (0, b"MZ", "application/vnd.microsoft.portable-executable"),
    (0, b"BM", "image/bmp"),
)
_RIFF: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS: Final = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"heis": "image/heic",
    b"hevc": "image/heic",
    b"hevx": "image/heic",
    b"mif1": "image/heif",
    b"msf1": "image/heif",
    b"crx ": "image/x-canon-cr3",
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
}
_OLD_QUICKTIME: Final = frozenset({b"moov", b"mdat", b"wide", b"pnot", b"skip", b"free"})
_OGG: Final = (
    (b"OpusHead", "audio/ogg"),
    (b"\x01vorbis", "audio/ogg"),
    (b"\x7fFLAC", "audio/ogg"),
    (b"Speex   ", "audio/ogg"),
    (b"\x80theora", "video/ogg"),
)
_BINARY: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_MARKUP: Final = re.compile(
    rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style"
    rb"|title|b|body|br|p|form|meta|object|embed|base|link|img)[\s>/]",
    re.IGNORECASE | re.DOTALL,
)
_XML: Final = re.compile(
    rb"\s*(?:<\?xml\b|<!doctype\b|<svg[\s>:]|<[\w.-]+:svg[\s>])", re.IGNORECASE
)
_SVG_ROOT: Final = re.compile(rb"<(?:[\w.-]+:)?svg[\s>/]|<!doctype\s+svg", re.IGNORECASE)
_XHTML_ROOT: Final = re.compile(rb"<(?:[\w.-]+:)?html[\s>/]", re.IGNORECASE)

_REFINED: Final = {
    "application/zip": (
        "application/vnd.openxmlformats-officedocument.*",
        "application/vnd.oasis.opendocument.*",
        "application/vnd.ms-*",
        "application/epub+zip",
        "application/java-archive",
        "application/vnd.android.package-archive",
        "application/x-zip-compressed",
    ),
    "application/x-ole-storage": (
        "application/msword",
        "application/vnd.ms-*",
        "application/vnd.visio",
        "application/x-msi",
    ),
    "application/gzip": ("application/x-gzip", "application/x-tgz", "application/x-gtar"),
    "application/ogg": ("audio/ogg", "video/ogg", "audio/opus"),
    "audio/ogg": ("audio/opus", "audio/x-opus+ogg"),
    "video/mp4": ("audio/mp4", "audio/x-m4a", "audio/aac", "audio/3gpp*", "video/x-m4v"),
    "video/3gpp": ("audio/3gpp*", "video/3gpp2"),
    "video/webm": ("audio/webm",),
    "video/x-matroska": ("audio/x-matroska",),
    "video/x-ms-asf": ("audio/x-ms-wma", "video/x-ms-wmv"),
    "audio/wav": ("audio/x-wav", "audio/wave", "audio/vnd.wave"),
    "image/heif": ("image/heic",),
    "text/plain": ("text/*", "*+json", "*+xml", "application/json", "application/x-ndjson",
                   "application/yaml", "application/javascript", "application/sql",
                   "application/x-tex", "message/rfc822"),
    "application/xml": ("text/xml", "*+xml"),
}  # fmt: skip
"""Types that a sender may know better: each of those listed looks like the first."""

_NEVER_REFINED: Final = frozenset({_SVG, "application/xhtml+xml"})
_TOP: Final = {
    MediaKind.IMAGE: "image/",
    MediaKind.STICKER: "image/",
    MediaKind.VIDEO: "video/",
    MediaKind.AUDIO: "audio/",
    MediaKind.VOICE: "audio/",
}
_RECOGNISED: Final = frozenset(
    {mime for _, _, mime in _BEGINNINGS}
    | set(_RIFF.values())
    | set(_BRANDS.values())
    | {"image/jpg", "image/apng", "video/mp4", "video/webm", "video/x-matroska", "video/3gpp"}
    | {"audio/ogg", "video/ogg", "application/ogg"}
) - {"audio/mpeg"}
_MIME: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,99}")


@dataclass(frozen=True, slots=True)
class TypePolicy:
    """Which media types are taken, by patterns such as `image/*`. No `allow` allows all; `deny`
    comes first.
    """

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    def takes(self, mime: str) -> bool:
        """Whether files of this type are taken."""
        if _matches(mime, self.deny):
            return False
        return not self.allow or _matches(mime, self.allow)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a file is taken for: never as a picture, film or sound when it is none."""

    mime: str
    kind: MediaKind


def sniff(head: bytes) -> str | None:
    """The media type of a file by its first `HEAD` bytes; None when they tell nothing."""
    for at, beginning, mime in _BEGINNINGS:
        if head.startswith(beginning, at):
            return _closer(mime, head)
    if head[:4] in {b"RIFF", b"RF64"}:
        return _RIFF.get(head[8:12])
    if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
        return "audio/aiff"
    return _container(head) or _text(head) or _frames(head)


def settle(sniffed: str | None, declared: str, name: str, kind: MediaKind) -> Verdict:
    """What to take a file for.

    Args:
        sniffed: what its content says.
        declared: what its sender says.
        name: what its sender calls it.
        kind: how its sender means it.
    """
    mime = _settled(sniffed, [claim for claim in _claims(declared, name) if claim])
    return Verdict(mime, _kind(mime, kind))


def claims_picture(declared: str, name: str) -> bool:
    """Whether a sender says, by type or name, that a file is a picture."""
    return any(claim.startswith("image/") for claim in _claims(declared, name))


def _claims(declared: str, name: str) -> tuple[str, str]:
    plain = declared.partition(";")[0].strip().lower()
    return plain if _MIME.fullmatch(plain) else "", mimetypes.guess_type(f"x{name[-40:]}")[0] or ""


def _settled(sniffed: str | None, claims: list[str]) -> str:
    if sniffed is None:
        honest = (claim for claim in claims if claim not in _RECOGNISED and claim != UNKNOWN)
        return next((claim for claim in honest if not claim.startswith("image/")), UNKNOWN)
    possible = (claim for claim in claims if claim not in _NEVER_REFINED)
    return next((c for c in possible if _matches(c, _REFINED.get(sniffed, ()))), sniffed)


def _kind(mime: str, meant: MediaKind) -> MediaKind:
    if meant is MediaKind.FILE or mime == _SVG:
        return MediaKind.FILE
    if mime.startswith(_TOP[meant]):
        return meant
    shown = {"image": MediaKind.IMAGE, "video": MediaKind.VIDEO, "audio": MediaKind.AUDIO}
    return shown.get(mime.partition("/")[0], MediaKind.FILE)


def _matches(mime: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(mime, pattern) for pattern in patterns)


def _closer(mime: str, head: bytes) -> str | None:
    """The same, or what it is among those that begin alike."""
    match mime:
        case "application/zip":
            # An OpenDocument or EPUB file names its type first, without compression
            named = re.match(
                rb"PK\x03\x04.{22}\x08\0..mimetype([\w./+-]{1,100}?)PK", head, re.DOTALL
            )
            return named[1].decode() if named else mime
        case "image/bmp" if head[6:10] != b"\0\0\0\0":
            return _text(head)
        case "text/x-shellscript" if _BINARY.search(head):
            return None
    return mime


def _container(head: bytes) -> str | None:
    if head[4:8] == b"ftyp":
        return _film(head)
    if head[4:8] in _OLD_QUICKTIME:
        return "video/quicktime"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska"
    if head.startswith(b"OggS\0"):
        packet = head[28:36]
        return next((mime for begin, mime in _OGG if packet.startswith(begin)), "application/ogg")
    return None


def _film(head: bytes) -> str:
    """By the brands of ISO/IEC 14496-12, clause 4.3."""
    end = min(int.from_bytes(head[:4]), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]
    first = _BRANDS.get(brands[0])
    if first == "image/heif":
        closer = (_BRANDS[brand] for brand in brands if brand in _BRANDS)
        return next((mime for mime in closer if mime in {"image/heic", "image/avif"}), first)
    if first is not None:
        return first
    return "video/3gpp" if brands[0][:2] == b"3g" else "video/mp4"


def _text(head: bytes) -> str | None:
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        decoded = head[: len(head) & ~1].decode("utf-16", "replace")
        return _text(decoded.encode()) if decoded.strip("\0\ufeff") else None
    plain = head.removeprefix(b"\xef\xbb\xbf")
    if not plain.strip() or _BINARY.search(plain):
        return None
    if _MARKUP.match(plain):
        return "text/html"
    if _XML.match(plain) or _SVG_ROOT.search(plain[:1024]):
        if _SVG_ROOT.search(plain):
            return _SVG
        return "application/xhtml+xml" if _XHTML_ROOT.search(plain) else "application/xml"
    return "text/plain"


def _frames(head: bytes) -> str | None:
    """MPEG audio without a header, https://mimesniff.spec.whatwg.org/#signature-for-mp3-without-id3."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    layer, rate, frequency = head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    if head[1] & 0xF6 == 0xF0:
        return "audio/aac"
    return "audio/mpeg" if layer and rate not in {0, 15} and frequency != 3 else None
