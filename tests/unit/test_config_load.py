"""A configuration file is taken whole or refused with everything that is wrong with it."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.config.load import LoadedConfig, load
from bridge.config.problem import UnusableConfig
from bridge.model import Direction

Write = Callable[[str], Path]

HEAD = """\
homeserver:
  url: http://localhost:8008/
  domain: example.org
appservice:
  url: http://localhost:29300
  as_token: as-hunter2
  hs_token: hs-hunter2
"""
GOOD = (
    HEAD
    + """\
networks:
  aviary:
    type: parrot
    name: The Aviary
    key: key-hunter2
  cage:
    type: parrot
    key: key-hunter3
portals:
  - room: "#board:example.org"
    links:
      - {network: aviary, group: Seeds, direction: both}
      - network: cage
        group: nuts
"""
)


def refused(path: Path) -> str:
    """What is said about a file that can't be used."""
    with pytest.raises(UnusableConfig) as caught:
        load(path)
    return str(caught.value)


def lines(path: Path) -> list[str]:
    """The same, line by line, without the folder."""
    return refused(path).replace(f"{path.parent}/", "").splitlines()


def test_a_good_file_gives_networks_and_links_ready_to_use(config_file: Write) -> None:
    loaded = load(config_file(GOOD))

    assert loaded.config.homeserver.url == "http://localhost:8008"
    assert {id_: found.name for id_, found in loaded.networks.items()} == {
        "aviary": "The Aviary",
        "cage": "cage",
    }
    assert loaded.networks["aviary"].adapter.__name__ == "ParrotAdapter"
    assert loaded.networks["aviary"].settings.key.get_secret_value() == "key-hunter2"
    assert loaded.groups("aviary") == ("seeds",)


def test_a_link_without_direction_only_lets_in(config_file: Write) -> None:
    (portal,) = load(config_file(GOOD)).config.portals

    assert [link.direction for link in portal.links] == [Direction.BOTH, Direction.IN]


def test_every_problem_is_told_at_once_in_the_order_of_the_file(config_file: Write) -> None:
    found = lines(
        config_file(
            HEAD.replace("8008/", "8008\n  prot: 1")
            + """\
database: {url: "mysql://x"}
networks:
  aviary: {type: parrott, key: a}
  cage: {type: parrot, port: 99999}
portals:
  - room: "#board:example.org"
    links:
      - {network: caeg, group: nuts}
      - {network: cage, group: pine nuts, direction: inwards}
"""
        )
    )

    assert found == [
        "config.yaml:3: homeserver.prot: this key is not known. Known here: domain and url.",
        (
            "config.yaml:9: database.url: this is not written in the right form. "
            "sqlite:///file.db or postgresql://user@host/name."
        ),
        (
            "config.yaml:11: networks.aviary.type: no adapter of this type is installed. "
            'Did you mean "parrot"?'
        ),
        "config.yaml:12: networks.cage.key: this key is missing. Add it. The parrot's key.",
        "config.yaml:12: networks.cage.port: this must be at most 65535. Its port.",
        (
            "config.yaml:16: portals[0].links[0].network: "
            'no network of this id is declared under networks. Did you mean "cage"?'
        ),
        (
            "config.yaml:17: portals[0].links[1].direction: "
            'this must be "both", "in" or "out". '
            "in: the room reads the group; out: the group reads the room; both."
        ),
        (
            "config.yaml:17: portals[0].links[1].group: this group's id can't be right: "
            'a group has no spaces, as in "seeds"'
        ),
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        (
            "    key: key-hunter3",
            "    kye: x",
            15,
            'cage.kye: this key is not known. Did you mean "key"?',
        ),
        ("  as_token: as-hunter2\n", "", 4, "appservice.as_token: this key is missing. Add it."),
        ("as-hunter2", "", 6, "as_token: the secret is empty"),
        ("as-hunter2", "''", 6, "as_token: the secret is empty"),
        ("as-hunter2", "12345", 6, "as_token: a secret of digits needs quotes around it."),
        ("as-hunter2", "[x]", 6, "as_token: write the secret as text, or {env: NAME}"),
        ("as-hunter2", "ä b", 6, "as_token: a token may only hold letters"),
        (
            "as-hunter2",
            "{env: CONSILIUM_NOT_SET}",
            6,
            "as_token: the environment variable CONSILIUM_NOT_SET is not set",
        ),
        ("as-hunter2", "{file: nowhere}", 6, "nowhere can't be read (No such file or directory)"),
        ("as-hunter2", "{file: .}", 6, "can't be read (Is a directory)"),
        ("as-hunter2", '{file: "a\\0b"}', 6, "as_token: "),
        ("as-hunter2", "hs-hunter2", 4, "appservice: as_token and hs_token are the same"),
        ("domain: example.org", "domain: https://example.org", 3, "without https://"),
        ("url: http://localhost:8008/", "url: localhost:8008", 2, "Example: http://localhost:8008"),
        (
            "localhost:8008/",
            "localhost:99999",
            2,
            "the host or the port in this URL is impossible.",
        ),
        ("localhost:8008/", "[::1", 2, "the host or the port in this URL is impossible."),
        (
            "domain: example.org",
            "domain: example.org\n  domain: b",
            4,
            "homeserver.domain: this key is already given in line 3. Delete one of them.",
        ),
        (
            "  hs_token",
            "  bot: _consilium_a\n  hs_token",
            4,
            "the bot's name begins like a ghost's",
        ),
        (
            "  hs_token",
            "  port: many\n  hs_token",
            7,
            "appservice.port: this must be a whole number.",
        ),
        ("as-hunter2", "hunter", 6, "appservice.as_token: a token this short can be guessed;"),
        (
            "  hs_token",
            "  port: yes\n  hs_token",
            7,
            "appservice.port: this must be a whole number.",
        ),
        ("  aviary:", "  matrix:", 9, "networks.matrix: this id is reserved for the Matrix side."),
        ("  aviary:", "  Aviary!:", 9, "a letter first"),
        ("    type: parrot\n    name", "    name", 9, "networks.aviary.type: this key is missing."),
        ("type: parrot\n    name", "type: hollow\n    name", 10, "is not an adapter"),
        ("type: parrot\n    name", "type: broken\n    name", 10, "can't be loaded"),
        (
            "type: parrot\n    name",
            "type: smoke-signals\n    name",
            10,
            "Known types: broken, ",
        ),
        (
            "The Aviary",
            "17",
            11,
            "networks.aviary.name: this must be text. Put the value in quotes.",
        ),
        (
            "The Aviary",
            "#x",
            11,
            "this key has no value. Write one (in quotes if it begins with # or !).",
        ),
        (
            '"#board:example.org"',
            "#board:example.org",
            17,
            "portals[0].room: this key has no value.",
        ),
        ('"#board:example.org"', "!board:example.org", 17, "Put the value in quotes"),
        ('"#board:example.org"', '"board"', 17, 'Example: "!abc:example.org"'),
        ("group: nuts", "group: 12", 21, "portals[0].links[1].group: this must be text."),
        (
            "{network: aviary, group: Seeds, direction: both}",
            "seeds",
            19,
            "portals[0].links[0]: this must be keys and values.",
        ),
        ("networks:", "<<: x\nnetworks:", 8, "merge keys (<<) are not supported."),
        ("networks:", "? [a]\n: b\nnetworks:", 8, "a key must be text."),
        (
            "networks:",
            "databse: 1\nnetworks:",
            8,
            'databse: this key is not known. Did you mean "database"?',
        ),
        (
            "networks:",
            'database: {url: "sqlite:///:memory:"}\nnetworks:',
            8,
            "database: the url names no file",
        ),
        ("networks:", "database: {url: sqlite:///a, password: b}\nnetworks:", 8, "has no password"),
        (
            "networks:",
            "database: {url: 'postgresql://a:b@c/d', password: b}\nnetworks:",
            8,
            "the password is given twice",
        ),
        (
            "networks:",
            "database: {url: 'postgresql://h:x/d'}\nnetworks:",
            8,
            "database: the url can't be read",
        ),
    ],
)
def test_a_problem_is_told_with_its_line_key_and_remedy(
    config_file: Write, old: str, new: str, line: int, said: str
) -> None:
    assert old in GOOD
    found = lines(config_file(GOOD.replace(old, new, 1)))

    assert any(told.startswith(f"config.yaml:{line}: ") and said in told for told in found), found


def test_one_mistake_is_one_problem(config_file: Write) -> None:
    for old, new in (
        ('"#board:example.org"', "!board:example.org"),
        ("group: nuts", "group: 12"),
        ("type: parrot\n    name", "type: broken\n    name"),
    ):
        assert len(lines(config_file(GOOD.replace(old, new, 1)))) == 1


def test_two_links_to_one_group_are_refused_however_it_is_spelled(config_file: Write) -> None:
    path = config_file(
        GOOD
        + """\
  - room: "!other"
    links:
      - network: aviary
        group: SEEDS
"""
    )

    assert lines(path) == [
        (
            "config.yaml:25: portals[1].links[0].group: this group is already linked in line 19. "
            "Delete one of the two links: a group belongs to one room."
        )
    ]


def test_one_group_name_on_two_networks_is_two_groups(config_file: Write) -> None:
    loaded = load(config_file(GOOD.replace("nuts", "seeds")))

    assert loaded.groups("cage") == loaded.groups("aviary") == ("seeds",)


def test_one_room_in_two_portals_is_refused(config_file: Write) -> None:
    path = config_file(
        GOOD + '  - {room: "#board:example.org", links: [{network: cage, group: corn}]}\n'
    )

    assert lines(path) == [
        (
            "config.yaml:22: portals[1].room: this room already has a portal in line 17. "
            "Put all its links under one portal."
        )
    ]


def test_secrets_come_from_the_environment_and_from_files_beside_the_configuration(
    config_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_AS_TOKEN", "from-environment")
    monkeypatch.chdir("/")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").write_text(" from-file\n")
    text = GOOD.replace("as-hunter2", "{env: TEST_AS_TOKEN}").replace(
        "key-hunter2", "{file: secrets/key}"
    )

    loaded = load(config_file(text))

    assert loaded.config.appservice.as_token.get_secret_value() == "from-environment"
    assert loaded.networks["aviary"].settings.key.get_secret_value() == "from-file"


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"\xff\xfe", "not UTF-8"), (b"x" * 100_000, "too long to be a secret")],
)
def test_a_secret_file_that_holds_no_secret_is_refused(
    config_file: Write, tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "key").write_bytes(content)

    assert said in refused(config_file(GOOD.replace("key-hunter2", "{file: key}")))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sqlite:///data/c.db", "sqlite:///{folder}/data/c.db"),
        ("sqlite:////srv/c.db", "sqlite:////srv/c.db"),
        ("postgresql://u:hunter4@h/d", "postgresql://u:hunter4@h/d"),
    ],
)
def test_a_database_file_is_looked_for_beside_the_configuration(
    config_file: Write, tmp_path: Path, written: str, meant: str
) -> None:
    loaded = load(config_file(f"database: {{url: '{written}'}}\n{GOOD}"))

    assert loaded.config.database.url == meant.format(folder=tmp_path)


def test_the_default_database_is_beside_the_configuration_too(
    config_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = config_file(GOOD)
    monkeypatch.chdir(tmp_path)

    for name in (path, Path("config.yaml")):
        assert load(name).config.database.url == f"sqlite:///{tmp_path}/consilium.db"


def everything_shown(loaded: LoadedConfig) -> str:
    """All that printing a configuration's parts can show."""
    parts = [loaded, loaded.config, loaded.config.networks, loaded.networks]
    return "".join(f"{part}{part!r}" for part in parts)


def test_no_secret_is_shown_by_a_loaded_configuration(config_file: Write) -> None:
    loaded = load(config_file("database: {url: 'postgresql://u:hunter4@h/d'}\n" + GOOD))

    assert "hunter" not in everything_shown(loaded)
    assert {secret.get_secret_value() for secret in loaded.secrets()} == {
        "as-hunter2", "hs-hunter2", "key-hunter2", "key-hunter3", "hunter4",
    }  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        "*hunter9",
        "!hunter9",
        "&hunter9",
        "@hunter9",
        "%hunter9",
        "`hunter9",
        "'hunter9",
        '"\\hunter9"',
        "hunter9: x",
        "[hunter9",
        "{hunter9",
        "hunter9\n key-hunter9",
        "hunter9 \x01",
        "|hunter9",
        "[hunter9]",
        "hunter9 ä",
        "{env: x, hunter: hunter9}",
        "!!python/name:hunter9 x",
        "- hunter9",
    ],
)
def test_no_secret_is_shown_by_a_problem_with_it(config_file: Write, value: str) -> None:
    text = GOOD.replace("as-hunter2", value).replace("The Aviary", "[]").replace("nuts", "pea nuts")

    with pytest.raises(UnusableConfig) as caught:
        load(config_file(text))

    error: BaseException | None = caught.value
    assert "hunter9" not in f"{error}{error!r}{caught.value.problems}"
    while error is not None:  # what `-v` prints
        assert error.__suppress_context__ or error.__context__ is None
        error = error.__cause__


def test_stand_ins_load_but_are_not_ready(config_file: Write) -> None:
    loaded = load(
        config_file(GOOD.replace("hs-hunter2", "change_me_2").replace("key-hunter3", "CHANGE-ME"))
    )

    with pytest.raises(UnusableConfig) as caught:
        loaded.ready()

    assert [(problem.line, problem.key[-1]) for problem in caught.value.problems] == [
        (7, "hs_token"),
        (15, "key"),
    ]


def test_a_configuration_with_real_secrets_is_ready(config_file: Write) -> None:
    loaded = load(config_file(GOOD))

    assert loaded.ready() is loaded


def test_a_thousand_portals_load_in_well_under_a_second(config_file: Write) -> None:
    many = "".join(
        f'  - room: "!room{n}"\n    links:\n'
        f"      - {{network: aviary, group: a{n}}}\n      - {{network: cage, group: a{n}}}\n"
        for n in range(1000)
    )
    path = config_file(GOOD + many)

    began = time.process_time()
    loaded = load(path)

    assert len(loaded.config.portals) == 1001
    assert time.process_time() - began < 1
