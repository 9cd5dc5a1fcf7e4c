"""Files that are no proper YAML are refused in plain words, and nothing else happens."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.config.load import load
from bridge.config.problem import Problem, UnusableConfig
from bridge.config.source import LIMIT_BYTES, read_source

Write = Callable[[str], Path]


def refused(path: Path) -> str:
    with pytest.raises(UnusableConfig) as caught:
        load(path)
    return str(caught.value).replace(f"{path.parent}/", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "config.yaml: the file is empty. Write one with: consilium init"),
        ("# nothing\n", "config.yaml: the file is empty. Write one with: consilium init"),
        ("- a\n", "config.yaml: the file must be made of keys and values."),
        ("hello", "config.yaml: the file must be made of keys and values."),
        ("a: 1\nb: @x\n", "config.yaml:2: a value can't begin with this character."),
        ("a:\n\tb: 1\n", "config.yaml:2: there is a tab. Indent with spaces."),
        ("a: b: c\n", "config.yaml:1: this colon is in the wrong place."),
        ("a: 1\nb: *x\n", "config.yaml:2: a value that begins with * refers to something"),
        ('a: "\\q"\n', "config.yaml:1: the text in double quotes holds a backslash"),
        ('a: "\\uD800"\n', "config.yaml:1: the text in double quotes holds an impossible"),
        ("a: 1\n---\nb: 1\n", "config.yaml:2: a second document begins here (---)."),
        ("a: 1\nb: \x07\n", "config.yaml:2: there is a control character, which YAML forbids."),
        ("ä: ö\nb: \x80\n", "config.yaml:2: there is a control character, which YAML forbids."),
        ("a: [1, 2\nb: 1\n", "config.yaml:2: "),
        ("a: 'x\nb: 1\n", "a quote is opened here and never closed."),
        (" a: 1\nb: 1\n", "config.yaml:2: this line is indented differently"),
        ("a:\n- b\n  c: d\n", "config.yaml:3: this colon is in the wrong place."),
        ("a: " + "[" * 60 + "]" * 60, "the values are nested too deeply."),
        ("a: " + "[" * 100_000, "the values are nested too deeply."),
        ("a: &x [*x]\n", "the values are nested too deeply."),
    ],
)  # fmt: skip
def test_what_is_not_yaml_is_told_in_plain_words(config_file: Write, text: str, said: str) -> None:
    assert said in refused(config_file(text))


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.yaml") == (
        "none.yaml: there is no such file. "
        "Write one with: consilium init, or name another with --config."
    )


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "can't be read (Is a directory)" in refused(tmp_path)


def test_a_file_in_another_encoding_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes("a: 1\nb: Müller\n".encode("latin-1"))

    assert refused(path) == "config.yaml:2: this is not UTF-8 text. Save the file as UTF-8."


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")

    assert read_source(path).data == {"a": 1}


def test_a_huge_file_is_refused(config_file: Write) -> None:
    assert "longer than 5 MB" in refused(config_file("#" * (LIMIT_BYTES + 1)))


def test_aliases_that_multiply_are_stopped(config_file: Write) -> None:
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
    )

    assert "the file holds too many values." in refused(config_file(laughs))


def test_anchors_and_aliases_can_be_used(config_file: Write) -> None:
    source = read_source(config_file("a: &x {b: 1}\nc: *x\n"))

    assert source.data == {"a": {"b": 1}, "c": {"b": 1}}


def test_dates_octals_and_times_are_text(config_file: Write) -> None:
    text = "a: 2026-02-30\nb: 0o17\nc: 12:30:45\nd: 0x1f\ne: 42\nf: 1.5\ng: yes\nh: ~\n"

    assert read_source(config_file(text)).data == {
        "a": "2026-02-30", "b": "0o17", "c": "12:30:45", "d": "0x1f",
        "e": 42, "f": 1.5, "g": True, "h": None,
    }  # fmt: skip


_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.dates(), st.binary(max_size=5),
    st.sampled_from(["parrot", "in", "both", "aviary", "#a:b", "!a", "http://a", "CHANGE-ME"]),
)  # fmt: skip
_KEYS = st.sampled_from(
    ["homeserver", "appservice", "database", "log", "networks", "portals", "url", "domain", "type",
     "as_token", "hs_token", "room", "links", "network", "group", "direction", "aviary", "matrix",
     "key", "port", "name", "password", "level", "env", "file", "<<"]
)  # fmt: skip
_TREES = st.recursive(
    _SCALARS,
    lambda part: st.one_of(
        st.lists(part, max_size=4),
        st.dictionaries(_KEYS | st.text(max_size=5), part, max_size=6),
    ),
    max_leaves=25,
)
_quickly = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _loads_or_is_refused(path: Path) -> None:
    problems: Sequence[Problem] = ()
    try:
        loaded = load(path)
    except UnusableConfig as error:
        problems, loaded = error.problems, None
    assert (loaded is None) is bool(problems)
    assert all(problem.line >= 0 and problem.sentence for problem in problems)


@_quickly
@given(tree=st.dictionaries(_KEYS, _TREES, max_size=6))
def test_any_structure_loads_or_is_refused(config_file: Write, tree: dict[str, object]) -> None:
    _loads_or_is_refused(config_file(yaml.safe_dump(tree, allow_unicode=False)))


@_quickly
@given(text=st.text(alphabet="ab:-[]{}&*!|>'\"%@`#?,.\\~ \n\t\x00\x80é😀<0", max_size=60))
def test_any_text_loads_or_is_refused(config_file: Write, text: str) -> None:
    _loads_or_is_refused(config_file(text))


@_quickly
@given(content=st.binary(max_size=60))
def test_any_bytes_load_or_are_refused(config_file: Write, content: bytes) -> None:
    path = config_file("")
    path.write_bytes(content)
    _loads_or_is_refused(path)
