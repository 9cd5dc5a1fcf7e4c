"""The avatar of those who were given none."""

import io
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bridge.pictures.badge import CONTRAST_MIN, SIDE, Badge, contrast
from bridge.pictures.picture import media_type_of

WHITE = (255, 255, 255)
BLACK = (0, 0, 0)

network_ids = st.from_regex(r"[a-z][a-z0-9-]{0,30}", fullmatch=True)


def opened(badge: Badge) -> Image.Image:
    return Image.open(io.BytesIO(badge.render().content))


@pytest.mark.parametrize(
    ("name", "id_", "letters"),
    [
        ("Hospital B", "hospital-b", "HB"),
        ("Consilium", "consilium", "C"),
        ("Society of Oncology", "society", "SO"),
        ("klinikum rechts der isar", "isar", "KI"),
        ("Ward 7", "w", "W7"),
        ("Ärztehaus Köln-Süd", "a", "AS"),
        ("  (Hospital)  B. ", "x", "HB"),
        ("St. Mary's", "x", "SS"),
        ("", "hospital-b", "HB"),
        ("协和医院", "peking-union", "PU"),
        ("Больница 7", "seven", "7"),
        ("مستشفى", "cairo", "C"),
        ("🚑🏥", "rescue", "R"),
        ("\u202e\u0000\n", "odd", "O"),
        ("…", "_._", "?"),
    ],
)
def test_the_letters_are_initials_of_the_name_or_else_of_the_id(
    name: str, id_: str, letters: str
) -> None:
    assert Badge.of(name, id_).letters == letters


@given(st.text(max_size=60), network_ids)
def test_any_name_gives_a_badge_that_can_be_read(name: str, id_: str) -> None:
    badge = Badge.of(name, id_)
    assert 1 <= len(badge.letters) <= 2
    assert badge.letters.isascii()
    assert badge.letters.isalnum()
    assert badge.letters == badge.letters.upper()
    assert contrast(badge.colour, WHITE) >= CONTRAST_MIN


def test_contrast_is_measured_as_the_guidelines_say() -> None:
    assert contrast(BLACK, WHITE) == pytest.approx(21)
    assert contrast(WHITE, WHITE) == 1
    assert contrast((119, 119, 119), WHITE) == pytest.approx(4.48, abs=0.005)


def test_it_is_a_square_png_with_white_letters_in_its_middle() -> None:
    badge = Badge.of("Hospital B", "hospital-b")
    picture = badge.render()
    assert picture.media_type == media_type_of(picture.content) == "image/png"
    assert len(picture.content) < 20_000
    image = opened(badge)
    assert image.size == (SIDE, SIDE)
    assert image.getpixel((0, 0)) == badge.colour
    letters = image.convert("L").point(lambda light: 255 if light > 200 else 0)
    left, top, right, bottom = letters.getbbox() or (0, 0, 0, 0)
    assert right - left > SIDE / 3
    assert abs(left - (SIDE - right)) <= 2
    assert abs(top - (SIDE - bottom)) <= 2


@pytest.mark.parametrize("letters", ["W", "WW", "MW", "I", "QJ", "?"])
def test_the_widest_letters_stay_inside_the_circle_that_clients_cut_out(letters: str) -> None:
    image = opened(Badge(letters, BLACK)).convert("L")
    left, top, right, bottom = image.getbbox() or (0, 0, 0, 0)
    half = SIDE / 2
    farthest = max(half - left, right - half) ** 2 + max(half - top, bottom - half) ** 2
    assert farthest < half**2


def test_it_is_the_same_in_every_process() -> None:
    here = Badge.of("Hospital B", "hospital-b")
    script = (
        "import hashlib, bridge.pictures.badge as b; x = b.Badge.of('Hospital B', 'hospital-b');"
        "print(x.fingerprint, hashlib.sha256(x.render().content).hexdigest())"
    )
    there = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert there.stdout.decode().split() == [here.fingerprint, here.render().fingerprint]


def test_networks_of_one_name_differ_in_colour() -> None:
    one, other = Badge.of("Hospital", "north"), Badge.of("Hospital", "south")
    assert one.colour != other.colour
    assert one.fingerprint != other.fingerprint


def test_the_fingerprint_is_known_without_drawing() -> None:
    script = (
        "import sys, bridge.pictures.badge as b; b.Badge.of('A', 'a').fingerprint;"
        "sys.exit('PIL' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
