"""Names of files as strangers give them, made into names that are safe on every machine."""

import re
import unicodedata
from typing import Final

from bridge.media.sniff import PROGRAMS, UNKNOWN
from bridge.model import MediaKind

LONGEST: Final = 120
"""Characters. Names are cut before their extension."""
LONGEST_BYTES: Final = 200
"""Bytes in UTF-8: file systems take 255, and some programs add to a name."""

_EXTENSIONS: Final = {
    "image/jpeg": ("jpg", "jpeg", "jpe", "jfif"),
    "image/png": ("png", "apng"),
    "image/gif": ("gif",),
    "image/webp": ("webp",),
    "image/tiff": ("tiff", "tif"),
    "image/bmp": ("bmp", "dib"),
    "image/heic": ("heic", "heif"),
    "image/heif": ("heif", "heic"),
    "image/avif": ("avif",),
    "image/svg+xml": ("svg",),
    "image/x-icon": ("ico",),
    "image/jxl": ("jxl",),
    "image/jp2": ("jp2", "j2k"),
    "image/vnd.adobe.photoshop": ("psd",),
    "video/mp4": ("mp4", "m4v"),
    "video/quicktime": ("mov", "qt"),
    "video/3gpp": ("3gp", "3gpp"),
    "video/webm": ("webm",),
    "video/x-matroska": ("mkv",),
    "video/x-msvideo": ("avi",),
    "video/mpeg": ("mpg", "mpeg"),
    "video/ogg": ("ogv", "ogg"),
    "audio/mpeg": ("mp3",),
    "audio/mp4": ("m4a", "mp4", "m4b"),
    "audio/aac": ("aac", "m4a"),
    "audio/ogg": ("ogg", "oga", "opus"),
    "audio/opus": ("opus", "ogg"),
    "audio/wav": ("wav",),
    "audio/flac": ("flac",),
    "audio/amr": ("amr",),
    "audio/aiff": ("aiff", "aif"),
    "audio/webm": ("weba", "webm"),
    "audio/midi": ("mid", "midi"),
    "application/pdf": ("pdf",),
    "application/rtf": ("rtf", "doc"),
    "application/postscript": ("ps", "eps"),
    "application/dicom": ("dcm",),
    "application/x-7z-compressed": ("7z",),
    "application/vnd.rar": ("rar",),
    "text/html": ("html", "htm"),
    "application/vnd.microsoft.portable-executable": ("bin", "exe", "dll", "scr", "com", "sys"),
    "application/x-elf": ("bin", "so", "elf"),
    "application/x-mach-binary": ("bin", "dylib"),
    "application/java-vm": ("class",),
    "application/x-ms-shortcut": ("bin", "lnk"),
    "text/x-shellscript": ("sh", "bash", "py", "pl", "rb"),
}
"""What names of these types end with, the usual one first."""

_OTHERS: Final = (
    "doc docx docm xls xlsx xlsm ppt pptx odt ods odp txt csv xml json zip gz tar"
    " js bat cmd ps1 vbs msi jar apk app htm hta iso img dmg lnk pif reg wsf"
)
_KNOWN: Final = frozenset(_OTHERS.split()) | {e for all_ in _EXTENSIONS.values() for e in all_}
ACTIVE: Final = PROGRAMS | {"text/html", "image/svg+xml", "application/xhtml+xml"}
"""What can act where it is opened."""

_NOT_IN_NAMES: Final = re.compile(r'[<>:"|?*]')
_RESERVED: Final = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])", re.IGNORECASE
)
_PLAIN_NAMES: Final = {
    MediaKind.IMAGE: "photo",
    MediaKind.STICKER: "sticker",
    MediaKind.VIDEO: "video",
    MediaKind.AUDIO: "audio",
    MediaKind.VOICE: "voice",
    MediaKind.FILE: "file",
}


def clean_name(name: str, mime: str, kind: MediaKind = MediaKind.FILE) -> str:
    """A name without path, without tricks, and with an extension that tells what the file is.

    What it gives back it leaves as it is. Never empty, and never a name that Windows keeps to
    itself.

    Args:
        name: what the sender calls the file.
        mime: what it is; see `sniff.settle`.
        kind: how it is shown; names a file that has no name.
    """
    bare = _bare(name)
    stem, extension = _parted(bare)
    allowed = _EXTENSIONS.get(mime, ())
    if allowed and extension.lower() not in allowed:
        stem, extension = _corrected(bare, mime)
    if mime in ACTIVE:
        stem = re.sub(
            rf"\.(?=(?:{'|'.join(sorted(_KNOWN))})(?:\W|$))", "_", stem, flags=re.IGNORECASE
        )
    stem = _bare(stem) or _PLAIN_NAMES[kind]
    if not extension and mime == UNKNOWN:
        return _fitting(_unreserved(stem), "")
    return _fitting(_unreserved(stem), f".{extension}" if extension else "")


def _bare(name: str) -> str:
    """The last part of a path, without what does not print or deceives the eye."""
    part = re.split(r"[/\\]", unicodedata.normalize("NFC", name.rstrip("/\\ ")))[-1]
    seen = "".join(" " if c.isspace() else c for c in part if not _hidden(c) or c.isspace())
    spaced = re.sub(r" {2,}", " ", _NOT_IN_NAMES.sub("_", seen))
    return spaced.lstrip(" .-").rstrip(" .")


def _hidden(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _parted(name: str) -> tuple[str, str]:
    """Stem and extension, which is short and has no spaces."""
    stem, dot, extension = name.rpartition(".")
    if dot and stem and re.fullmatch(r"[^\s.]{1,16}", extension):
        return stem, extension
    return name, ""


def _corrected(name: str, mime: str) -> tuple[str, str]:
    """Without extensions of other types, and with one of its own."""
    allowed = _EXTENSIONS[mime]
    stem, extension = _parted(name)
    while extension.lower() in _KNOWN:
        if extension.lower() in allowed:
            return stem, extension
        if mime in ACTIVE:
            return name, allowed[0]
        name = stem
        stem, extension = _parted(name)
    return name, allowed[0]


def _unreserved(stem: str) -> str:
    """https://learn.microsoft.com/windows/win32/fileio/naming-a-file#naming-conventions."""
    return f"_{stem}" if _RESERVED.fullmatch(stem.partition(".")[0].strip()) else stem


def _fitting(stem: str, ending: str) -> str:
    room = LONGEST_BYTES - len(ending.encode())
    cut = stem[: LONGEST - len(ending)].encode()[:room].decode(errors="ignore")
    return f"{cut.rstrip(' .')}{ending}"
