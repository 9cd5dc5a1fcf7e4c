"""Pictures that a configuration names: taken by their content, or refused with what to do."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bridge.config.load import load
from bridge.config.picture_file import LIMIT_BYTES
from bridge.config.problem import UnusableConfig
from bridge.pictures.picture import Picture, media_type_of

Write = Callable[[str], Path]

TEXT = """\
homeserver: {url: "http://localhost:8008", domain: example.org}
appservice:
  url: http://localhost:29300
  as_token: as-hunter2
  hs_token: hs-hunter2
  bot_avatar: BOT
networks:
  aviary:
    type: parrot
    key: key-hunter2
    avatar: AVIARY
"""


def drawn(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 30, 60)).save(file, kind)
    return file.getvalue()


def refused(path: Path) -> str:
    with pytest.raises(UnusableConfig) as caught:
        load(path)
    return str(caught.value).replace(f"{path.parent}/", "")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_is_taken_for_what_it_holds_whatever_its_name(
    config_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "parrot.txt").write_bytes(drawn(kind))
    path = config_file(TEXT.replace("AVIARY", "pictures/parrot.txt").replace("BOT", "null"))
    monkeypatch.chdir("/")

    config = load(path).config

    assert config.networks["aviary"].avatar == Picture(drawn(kind), f"image/{kind.lower()}")
    assert config.appservice.bot_avatar is None
    assert "avatar" not in config.networks["aviary"].own_keys


def test_the_bot_has_a_picture_of_its_own(config_file: Write, tmp_path: Path) -> None:
    (tmp_path / "bot.png").write_bytes(drawn("PNG"))
    path = config_file(TEXT.replace("BOT", f"{tmp_path}/bot.png").replace("AVIARY", "null"))

    loaded = load(path)

    assert loaded.config.appservice.bot_avatar == Picture(drawn("PNG"), "image/png")
    assert "PNG" not in repr(loaded)


@pytest.mark.parametrize(
    ("written", "content", "said"),
    [
        ("nowhere.png", None, "the picture nowhere.png can't be read (No such file or directory);"),
        (".", None, "is not a file; write the path of a picture (PNG, JPEG, WebP or GIF)."),
        ("/dev/zero", None, "/dev/zero is not a file; write the path of a picture"),
        ("17", None, "write the path of a picture here (PNG, JPEG, WebP or GIF), or delete"),
        ("''", None, "write the path of a picture here (PNG, JPEG, WebP or GIF), or delete"),
        ("[a.png]", None, "write the path of a picture here (PNG, JPEG, WebP or GIF), or delete"),
        ("{content: x}", None, "write the path of a picture here"),
        ('"a\\0b"', None, "write the path of a picture here"),
        ("a.png", b"", "the file a.png is not a picture that Matrix clients show; save it as PNG"),
        ("a.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not a picture that Matrix"),
        ("a.png", b"GIF8 and more", "is not a picture that Matrix clients show"),
        ("a.png", drawn("PNG") + bytes(LIMIT_BYTES), "a.png is larger than 2 MB; make it smaller."),
    ],
)
def test_what_is_no_usable_picture_is_refused_with_its_line(
    config_file: Write, tmp_path: Path, written: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "a.png").write_bytes(content)

    told = refused(config_file(TEXT.replace("AVIARY", written).replace("BOT", written)))

    at_bot, at_network = told.splitlines()
    assert at_bot.startswith("config.yaml:6: appservice.bot_avatar: ")
    assert at_network.startswith("config.yaml:11: networks.aviary.avatar: ")
    assert said in at_bot
    assert said in at_network


@given(st.binary(max_size=64))
def test_any_bytes_are_a_picture_only_if_they_begin_like_one(content: bytes) -> None:
    kind = media_type_of(content)
    assert kind is None or content[:1] in {b"\x89", b"\xff", b"G", b"R"}
    assert media_type_of(b"RIFF\x10\0\0\0WEBP" + content) == "image/webp"
    assert media_type_of(b"RIFF\x10\0\0\0WAVE" + content) is None
