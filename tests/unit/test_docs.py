"""The documentation says what is so: every key, link, command and sentence in it is there."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
import typer
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.core import TyperGroup

from adapters.xmpp.settings import XmppSettings
from bridge.cli import app
from bridge.config.load import load
from bridge.config.schema import Config

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
CONFIGURATION = ROOT / "docs" / "configuration.md"
DEPLOYMENT = ROOT / "docs" / "deployment.md"
COMMANDS = typer.main.get_command(app)


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


every_page = pytest.mark.parametrize("page", PAGES, ids=page_name)


# --- keys ---------------------------------------------------------------------------------------


def keys_of(model: type[BaseModel], at: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key that holds a value, as docs/configuration.md writes it."""
    for name, field in model.model_fields.items():
        inner, suffix = model_in(field.annotation)
        if inner is None:
            yield f"{at}{name}", field
        else:
            yield from keys_of(inner, f"{at}{name}{suffix}.")


def model_in(kind: Any) -> tuple[type[BaseModel] | None, str]:
    """The model that a type holds, and how a key within it is reached."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind, ""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {Annotated, Union, UnionType}:
        found = (model_in(argument) for argument in arguments)
        return next((each for each in found if each[0]), (None, ""))
    if origin in {tuple, dict}:
        suffix = "[]" if origin is tuple else ".<id>"
        return next((each[0] for each in map(model_in, arguments) if each[0]), None), suffix
    return None, ""


KEYS = dict(keys_of(Config)) | dict(keys_of(XmppSettings, "networks.<id>."))


def documented() -> dict[str, str]:
    """The default of each key, from the rows of the tables."""
    rows = re.findall(r"^\| `([^`]+)` \| (.+?) \| .+ \|$", CONFIGURATION.read_text(), re.MULTILINE)
    return dict(rows)


def test_the_documentation_has_every_key_of_the_configuration_and_no_other() -> None:
    assert set(documented()) == set(KEYS)


@pytest.mark.parametrize("key", sorted(KEYS))
def test_the_documentation_tells_the_default_of(key: str) -> None:
    field = KEYS[key]
    default = None if field.is_required() else field.default
    if key == "networks.<id>.name":
        expected = "the id"
    elif key == "permissions":
        expected = "`<homeserver.domain>: user`"
    elif default is None:
        expected = "none"
    elif isinstance(default, tuple) and default:
        expected = f"`[{', '.join(default)}]`"
    else:
        expected = f"`{default if not isinstance(default, bool) else str(default).lower()}`"
    assert documented()[key] == expected


# --- links --------------------------------------------------------------------------------------


def links_in(page: Path) -> list[str]:
    found = re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text()))
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def without_code(text: str) -> str:
    return re.sub(r"^\s*```.*?^\s*```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors_of(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in links_in(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(link)
    assert broken == []


def test_the_first_page_leads_to_all_the_others() -> None:
    reached = {ROOT / "README.md"}
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        targets = {(page.parent / link.partition("#")[0]).resolve() for link in links_in(page)}
        new = {target for target in targets - reached if target in PAGES}
        reached |= new
        waiting += new
    assert set(PAGES) - reached == set()


# --- commands -----------------------------------------------------------------------------------


def code_in(page: Path) -> list[str]:
    """Everything that is set as code, as single command lines."""
    text = page.read_text()
    blocks = re.findall(r"^\s*```sh\n(.*?)^\s*```", text, re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`([^`\n]+)`", without_code(text))
    return [line for code in (*blocks, *inline) for line in code.replace("\\\n", " ").splitlines()]


def words_after(command: str, page: Path) -> Iterator[list[str]]:
    """The words that follow a command, wherever it begins a command."""
    pattern = (
        rf"(?:^|&& |-u consilium |--rm (?:-v \S+ )?|exec \S+ ){command}(?: ([^#|>&]+))?(?=$|[#|>&])"
    )
    for line in code_in(page):
        for match in re.finditer(pattern, line.strip().removeprefix("sudo ")):
            yield (match[1] or "").split()


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@every_page
def test_every_make_target_is_there(page: Path) -> None:
    asked = {words[0] for words in words_after("make", page) if words}
    assert asked <= make_targets()


@every_page
def test_every_command_and_option_of_the_command_line_is_there(page: Path) -> None:
    assert isinstance(COMMANDS, TyperGroup)
    wrong = []
    for words in words_after("consilium", page):
        known = {option for each in COMMANDS.params for option in each.opts}
        command = next((word for word in words if word in COMMANDS.commands), None)
        if command is not None:
            known |= {opt for each in COMMANDS.commands[command].params for opt in each.opts}
        options = {word for word in words if word.startswith("-")}
        if (words and command is None and not options) or not options <= known | {"--help", "-h"}:
            wrong.append(" ".join(words))
    assert wrong == []


def test_the_first_page_names_the_commands_that_matter() -> None:
    readme = ROOT / "README.md"
    consilium = {word for words in words_after("consilium", readme) for word in words}
    assert {"init", "registration", "check", "run"} <= consilium
    make = {word for words in words_after("make", readme) for word in words}
    assert {"demo", "test"} <= make


@every_page
def test_every_file_of_the_project_that_is_named_is_there(page: Path) -> None:
    named = {
        word
        for line in code_in(page)
        for word in re.findall(
            r"(?:^| )((?:bridge|adapters|sandbox|deploy|docs|scripts)/[\w./-]*\w)", line
        )
    }
    made = {"deploy/local", "deploy/local/bridge/config.yaml", "deploy/local/registration.yaml"}
    assert [name for name in sorted(named - made) if not (ROOT / name).exists()] == []


# --- sentences ----------------------------------------------------------------------------------


def texts_of_the_program() -> set[str]:
    """Every piece of text in the source, docstrings included."""
    return {
        node.value
        for folder in ("bridge", "adapters")
        for file in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def sentences_to_look_up() -> list[str]:
    return re.findall(r'^\| "([^"]+)" \|', DEPLOYMENT.read_text(), re.MULTILINE)


def test_the_bridge_says_every_sentence_that_can_be_looked_up() -> None:
    said = texts_of_the_program()
    sentences = sentences_to_look_up()
    assert len(sentences) > 20

    def is_said(sentence: str) -> bool:
        pieces = [piece.strip() for piece in sentence.split("…")]
        # A value in the sentence splits it, in the source, at the same place
        return all(any(piece in re.sub(r"\{\w+\}", "…", text) for text in said) for piece in pieces)

    assert [sentence for sentence in sentences if not is_said(sentence)] == []


# --- dependencies -------------------------------------------------------------------------------


def test_every_dependency_is_accounted_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[<>=\[; ]", each)[0] for each in wanted}
    page = (ROOT / "docs" / "dependencies.md").read_text()
    told = set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE))
    assert told == names


# --- deployment ---------------------------------------------------------------------------------


@pytest.fixture
def composed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The bridge's configuration as deploy/init.sh makes it, with the secrets it will find."""
    text = (ROOT / "deploy" / "bridge.yaml").read_text()
    for domain in ("MATRIX_DOMAIN", "XMPP_DOMAIN"):
        text = text.replace(f"@{domain}@", f"{domain.partition('_')[0].lower()}.example.org")
    for name in ("AS_TOKEN", "HS_TOKEN", "DB_PASSWORD", "XMPP_SECRET"):
        monkeypatch.setenv(f"CONSILIUM_{name}", f"a-secret-{name}")
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


def test_the_configuration_for_compose_can_be_used(composed: Path) -> None:
    loaded = load(composed).ready()
    assert "@" not in loaded.config.homeserver.domain
    assert loaded.groups("colleagues") == ("consult@muc.xmpp.example.org",)


def test_the_services_of_compose_reach_each_other_under_the_names_that_are_configured(
    composed: Path,
) -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    config = load(composed).config
    hosts = {
        config.homeserver.url.split("/")[2].partition(":")[0],
        config.appservice.url.split("/")[2].partition(":")[0],
        config.database.url.partition("@")[2].partition("/")[0],
        str(config.networks["colleagues"].own_keys["host"]),
        yaml.safe_load((ROOT / "deploy" / "synapse.yaml").read_text())["database"]["args"]["host"],
    }
    assert hosts == set(services)


def test_compose_asks_for_no_secret_that_the_init_step_does_not_make() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text()))
    made = re.findall(r"^(\w+)=\$", (ROOT / "deploy" / "init.sh").read_text(), re.MULTILINE)
    assert asked == set(made)


def test_the_image_is_asked_about_its_health_on_the_default_port() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    port = KEYS["appservice.port"].default
    assert f"EXPOSE {port}\n" in dockerfile
    assert f"HTTPConnection('127.0.0.1', {port}," in dockerfile
