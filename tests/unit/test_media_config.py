"""The section `media`: sizes, hosts and types as people write them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.load import load
from bridge.config.media import MediaConfig
from bridge.config.problem import UnusableConfig
from bridge.config.size import Size, parse_size

Write = Callable[[str], Path]

TEXT = """\
homeserver: {url: "http://localhost:8008", domain: example.org}
appservice: {url: "http://localhost:29300", as_token: as-hunter2, hs_token: hs-hunter2}
media:
"""


def test_nothing_needs_to_be_written(config_file: Write) -> None:
    media = load(config_file(TEXT.removesuffix("media:\n"))).config.media
    assert (media.max_size.bytes, media.spool_limit.bytes) == (50_000_000, 1_000_000_000)
    assert media.remove_metadata
    assert media.public_url is None


def test_everything_can_be_written(config_file: Write) -> None:
    path = config_file(
        f"{TEXT}  directory: spool\n  max_size: 500 kb\n  spool_limit: 2GB\n  keep: 10m\n"
        '  remove_metadata: false\n  allow: ["Image/*"]\n  deny: [image/tiff]\n'
        '  allow_hosts: [Files.Example, "*.b.example", 10.0.0.0/8]\n'
        "  public_url: https://bridge.example.org/c/\n  link_ttl: 1d\n"
        "  link_key: 0123456789abcdef\n"
    )
    loaded = load(path)
    media = loaded.config.media
    assert media.directory == path.parent / "spool"
    assert media.spool("sqlite:////srv/c.db", "@b:c") == path.parent / "spool"
    assert (media.max_size.bytes, media.spool_limit.bytes) == (500_000, 2_000_000_000)
    assert media.keep.seconds == 600
    assert (media.allow, media.deny) == (("image/*",), ("image/tiff",))
    assert media.allow_hosts == ("files.example", "*.b.example", "10.0.0.0/8")
    assert media.public_url == "https://bridge.example.org/c"
    assert media.link_key in loaded.secrets()


def test_files_are_beside_the_database_or_in_the_folder_for_temporary_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/tmp")
    media = MediaConfig()
    assert media.spool("sqlite:////srv/c.db", "@b:c") == Path("/srv/c.db-media")
    one = media.spool("postgresql://localhost/c", "@b:c.example")
    assert one.parent == Path("/tmp")
    assert one != media.spool("postgresql://localhost/c", "@b:d.example")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("max_size: 50", "the unit is missing"),
        ("max_size: 50 beds", "this is no size"),
        ("max_size: 0MB", "more than nothing"),
        ("max_size: 900MB", "room for three files"),
        ("allow: [jpeg]", "write a media type such as application/pdf"),
        ("allow_hosts: [10.0.0.1/8]", "this is no network"),
        ("allow_hosts: [http://a.example]", "write a host"),
        ("public_url: bridge.example.org", "not written in the right form"),
        ("public_url: https://a:99999999/", "impossible"),
        ("link_key: short", "can be guessed"),
        ("keep: 1y", "no length of time"),
    ],
)
def test_what_can_not_be_used_is_told(config_file: Write, written: str, said: str) -> None:
    with pytest.raises(UnusableConfig, match=said):
        load(config_file(f"{TEXT}  {written}\n"))


@given(st.integers(1, 10**9))
def test_a_size_can_be_written_out_and_read_again(thousands: int) -> None:
    size = Size(thousands * 1_000)
    assert parse_size(str(size)) == size
