"""Pictures and films that carry what must not leave, made as cameras and phones make them."""

import io
import struct
from typing import Any

from PIL import Image, PngImagePlugin

SECRETS = (b"SECRET", b"2024:05:17", b"52.5163", b"Charit")
"""None of these may be in a clean copy."""

GPS = {
    1: "N",
    2: (52.0, 30.0, 58.7),
    3: "E",
    4: (13.0, 22.0, 39.9),
    27: b"SECRETGPS",
    29: "2024:05:17",
}
XMP = b'<?xpacket begin=""?><x:xmpmeta><exif:GPSLatitude>52.5163 SECRETXMP</exif></x:xmpmeta>'


def exif(orientation: int = 6) -> Image.Exif:
    made = Image.Exif()
    made[0x010F] = "SECRETMAKE"
    made[0x0110] = "SECRETMODEL"
    made[0x0112] = orientation
    made[0x0132] = "2024:05:17 10:11:12"
    made[0x013B] = "SECRETARTIST"
    made.get_ifd(0x8769).update({0x9003: "2024:05:17 10:11:12", 0x927C: b"SECRETNOTE" * 20})
    made.get_ifd(0x8825).update(GPS)
    return made


def picture(size: tuple[int, int] = (48, 32), mode: str = "RGB") -> Image.Image:
    """With enough detail for coded data of every sort."""
    width, height = size
    made = Image.new("RGB", size)
    made.putdata(
        [(x * 5 % 256, y * 7 % 256, x * y % 256) for y in range(height) for x in range(width)]
    )
    return made.convert(mode)


def saved(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    (image or picture()).save(file, kind, **options)
    return file.getvalue()


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2) + content


def jpeg(orientation: int = 6, *, progressive: bool = False, mode: str = "RGB") -> bytes:
    """With all that phones, cameras and programs add."""
    profile = b"ICC_PROFILE\0\1\1" + b"a profile of colours"
    plain = saved(
        "JPEG", picture(mode=mode), exif=exif(orientation), xmp=XMP, comment=b"SECRETCOMMENT",
        progressive=progressive, quality=90, restart_marker_rows=1,
    )  # fmt: skip
    more = (
        segment(0xE2, profile)
        + segment(0xE2, b"MPF\0SECRETMPF")
        + segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0e\x1c\x02\x5aSECRETCITY")
        + segment(0xE0, b"JFXX\0\x10" + saved("JPEG", exif=exif()))
        + segment(0xE5, b"SECRETVENDOR")
    )
    film = mp4()
    return plain[:2] + more + plain[2:] + film + b"SECRETSEFT"


def png(orientation: int = 6) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "SECRETTEXT")
    info.add_text("Author", "SECRETZTXT" * 20, zip=True)
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    info.add(b"tIME", struct.pack(">HBBBBB", 2024, 5, 17, 10, 11, 12))
    info.add(b"prVt", b"SECRETPRIVATE")
    made = saved("PNG", picture(mode="RGBA"), pnginfo=info, exif=exif(orientation), dpi=(300, 300))
    return made + b"SECRETTRAILER"


def apng() -> bytes:
    frames = [picture().rotate(angle) for angle in (0, 90, 180)]
    return saved("PNG", frames[0], save_all=True, append_images=frames[1:], exif=exif())


def webp(orientation: int = 6, **options: Any) -> bytes:
    return saved("WEBP", exif=exif(orientation), xmp=XMP, **options)


def animated_webp() -> bytes:
    frames = [picture().rotate(angle) for angle in (0, 90, 180)]
    return webp(1, save_all=True, append_images=frames[1:], duration=100)


def gif() -> bytes:
    frames = [picture(mode="P").rotate(angle) for angle in (0, 90, 180)]
    made = saved(
        "GIF", frames[0], save_all=True, append_images=frames[1:], duration=90, loop=0,
        comment=b"SECRETCOMMENT",
    )  # fmt: skip
    xmp = b"\x21\xff\x0bXMP DataXMP" + XMP + b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    text = b"\x21\xf9\x04\0\0\0\0\0\x21\x01\x0c" + bytes(12) + b"\x0aSECRETTEXT\0"
    at = made.index(b"\x21")
    return made[:at] + xmp + text + made[at:] + b"SECRETTRAILER"


def tiff(**options: Any) -> bytes:
    info = exif()
    info[270] = "SECRETDESCRIPTION"
    info[700] = XMP
    info[33723] = b"\x1c\x02\x5aSECRETCITY"
    return saved("TIFF", exif=info, **options) + b"SECRETTRAILER"


def avif() -> bytes:
    return saved("AVIF", exif=exif(), xmp=XMP, quality=80)


# --- films --------------------------------------------------------------------------------------


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return (len(body) + 8).to_bytes(4) + kind + body


def full(kind: bytes, *content: bytes, version: int = 0) -> bytes:
    return box(kind, bytes((version, 0, 0, 0)), *content)


def u32(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4) for number in numbers)


MATRIX = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
TURNED = u32(0, 0x10000, 0, 0xFFFF0000, 0, 0, 0, 0, 0x40000000)
TIME = 0xE26D6B9D
VIDEO = b"the pictures of the film"
POSITIONS = b"SECRETPOSITION52.5163"


def track(number: int, handler: bytes, offset: int, length: int, matrix: bytes = MATRIX) -> bytes:
    table = box(
        b"stbl",
        full(b"stsz", u32(0, 2, length - 4, 4)),
        full(b"stsc", u32(1, 1, 2, 1)),
        full(b"stco", u32(1, offset)),
    )
    header = (
        u32(TIME, TIME, number, 0, 100) + bytes(8) + bytes(8) + matrix + u32(48 << 16, 32 << 16)
    )
    return box(
        b"trak",
        full(b"tkhd", header),
        box(
            b"mdia",
            full(b"mdhd", u32(TIME, TIME, 1000, 100) + bytes(4)),
            full(b"hdlr", bytes(4) + handler + bytes(12) + b"SECRETHANDLER\0"),
            box(b"minf", full(b"vmhd", bytes(8)), table),
        ),
        box(b"udta", box(b"name", b"SECRETNAME")),
        box(b"meta", b"SECRETMETA"),
    )


def movie(offset: int, matrix: bytes = MATRIX) -> bytes:
    wide = TIME.to_bytes(8) * 2 + u32(1000) + (100).to_bytes(8) + bytes(80)
    keys = full(b"keys", u32(1), box(b"mdta", b"com.apple.quicktime.location.ISO6709"))
    values = box(b"ilst", box(u32(1), box(b"data", u32(1, 0), b"+52.5163+013.3777/ SECRETAPPLE")))
    return box(
        b"moov",
        full(b"mvhd", wide, version=1),
        track(1, b"vide", offset, len(VIDEO), matrix),
        track(2, b"meta", offset + len(VIDEO), len(POSITIONS)),
        box(b"udta", box(b"\xa9xyz", b"\0\x12\x15\xc7+52.5163+013.3777/"), box(b"loci", b"SECRET")),
        full(b"meta", full(b"hdlr", bytes(4) + b"mdta" + bytes(13)), keys, values),
        box(b"uuid", b"\xbe\x7a\xcf\xcb\x97\xa9\x42\xe8\x9c\x71\x99\x94\x91\xe3\xaf\xac", XMP),
    )


def mp4(matrix: bytes = MATRIX, brand: bytes = b"isom") -> bytes:
    """A film as a phone makes it: with places, times, makers, and a track of positions."""
    begin = box(b"ftyp", brand, u32(512), b"isom") + box(b"free", b"SECRETFREE")
    before = len(begin) + len(movie(0)) + 8
    content = box(b"mdat", VIDEO, POSITIONS)
    return begin + movie(before, matrix) + content + box(b"sefd", b"SECRETSAMSUNG")


# --- HEIC ---------------------------------------------------------------------------------------


def heic(turns: int = 1) -> bytes:
    """A picture as a phone makes it, but for its coded data, which are none."""
    coded, info = (
        b"the coded picture",
        u32(6) + b"Exif\0\0" + exif().tobytes().removeprefix(b"Exif\0\0"),
    )
    inner = b"SECRETINNER 52.5163"
    begin = box(b"ftyp", b"heic", u32(0), b"mif1heic")

    def meta(offset: int) -> bytes:
        def infe(number: int, kind: bytes, more: bytes = b"") -> bytes:
            return full(b"infe", number.to_bytes(2), bytes(2), kind, b"\0", more, version=2)

        def place(number: int, method: int, at: int, length: int) -> bytes:
            return struct.pack(">HHHHII", number, method, 0, 1, at, length)

        return full(
            b"meta",
            full(b"hdlr", bytes(4) + b"pict" + bytes(13)),
            full(b"pitm", (1).to_bytes(2)),
            full(
                b"iinf",
                (3).to_bytes(2),
                infe(1, b"hvc1"),
                infe(2, b"Exif"),
                infe(3, b"mime", b"application/rdf+xml\0"),
            ),
            full(
                b"iloc",
                b"\x44\0",
                (3).to_bytes(2),
                place(1, 0, offset, len(coded)),
                place(2, 0, offset + len(coded), len(info)),
                place(3, 1, 0, len(inner)),
                version=1,
            ),
            box(
                b"iprp",
                box(
                    b"ipco",
                    full(b"ispe", u32(48, 32)),
                    box(b"irot", bytes((turns,))),
                    full(b"udes", b"de\0SECRETNAME\0"),
                ),
                full(b"ipma", u32(1), (1).to_bytes(2), b"\x03\x81\x82\x03"),
            ),
            box(b"idat", inner),
        )

    content = box(b"mdat", coded, info)
    made = begin + meta(len(begin) + len(meta(0)) + 8) + content
    return made + box(b"mpvd", mp4()) + b"SECRETSEFT trailer"
