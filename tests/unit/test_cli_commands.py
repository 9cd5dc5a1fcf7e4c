"""The command line: what it writes, what it says when something is wrong, and how it leaves."""

import asyncio
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from bridge.cli import main
from bridge.commands.run import until_stopped
from bridge.config.load import LoadedConfig, load
from bridge.contract import Finding
from bridge.errors import ConsiliumError, StoreError

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs a command line in an empty folder; gives its exit status and what it wrote."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONSILIUM_CONFIG", raising=False)

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(words)
        written = capsys.readouterr()
        return int(left.value.code or 0), written.out, written.err

    return call


# --- help ---------------------------------------------------------------------------------------


def test_help_shows_the_first_steps_and_every_command(cli: Cli) -> None:
    status, out, _ = cli("--help")

    assert status == 0
    for words in ("consilium init --domain", "consilium check", "registration", "run", "demo"):
        assert words in out
    assert "..." not in out.partition("Commands:")[2]


@pytest.mark.parametrize("command", ["init", "registration", "check", "run", "demo"])
def test_each_command_explains_itself_with_an_example(cli: Cli, command: str) -> None:
    status, out, _ = cli(command, "--help")

    assert status == 0
    assert re.search(rf"Examples?:\n  +consilium .*{command}", out)


def test_an_unknown_command_is_refused_in_a_sentence(cli: Cli) -> None:
    status, _, err = cli("chekc")

    assert status == 2
    assert "chekc" in err


@pytest.mark.parametrize(
    "program", [["-m", "bridge"], ["-c", "from bridge.cli import main; main()"]]
)
def test_it_starts_as_a_module_and_tells_its_version(program: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *program, "--version"], capture_output=True, text=True, check=True
    )

    assert re.fullmatch(r"consilium \d+\.\d+\.\d+\n", done.stdout)


# --- init ---------------------------------------------------------------------------------------


def test_init_writes_a_configuration_that_loads_and_is_ready(cli: Cli, tmp_path: Path) -> None:
    status, out, _ = cli("init", "--domain", "example.org")

    loaded = load(tmp_path / "config.yaml").ready()
    assert status == 0
    assert loaded.config.bot_id == "@consilium:example.org"
    assert len({secret.get_secret_value() for secret in loaded.secrets()}) == 2
    assert all(len(secret.get_secret_value()) >= 40 for secret in loaded.secrets())
    assert "consilium -c config.yaml registration" in out


def test_init_never_writes_the_same_token_twice(cli: Cli, tmp_path: Path) -> None:
    for name in ("a", "b"):
        cli("-c", f"{name}.yaml", "init", "--domain", "example.org")

    tokens = {s.get_secret_value() for n in "ab" for s in load(tmp_path / f"{n}.yaml").secrets()}
    assert len(tokens) == 4


def test_only_the_owner_can_read_what_init_wrote(cli: Cli, tmp_path: Path) -> None:
    cli("init", "--domain", "example.org")

    assert stat.S_IMODE((tmp_path / "config.yaml").stat().st_mode) == 0o600


def test_init_does_not_overwrite(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("precious")

    status, _, err = cli("init", "--domain", "example.org")

    assert status == 2
    assert "config.yaml is already there, and is left as it is." in err
    assert (tmp_path / "config.yaml").read_text() == "precious"


def test_init_takes_over_what_it_is_told(cli: Cli, tmp_path: Path) -> None:
    cli("init", "--domain", "h.example:8448", "--homeserver-url", "https://m.example/x'y",
        "--bridge-url", "http://bridge:29400", "-c", "c.yaml")  # fmt: skip

    config = load(tmp_path / "c.yaml").config
    assert config.homeserver.domain == "h.example:8448"
    assert config.homeserver.url == "https://m.example/x'y"
    assert config.appservice.url == "http://bridge:29400"
    assert config.appservice.port == 29400


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "The domain of your Matrix user ids is missing."),
        (["--domain", "https://x.org"], "The domain is not written in the right form."),
        (["--domain", 'x"\nevil: 1'], "The domain is not written in the right form."),
        (["--domain", "x.org", "--homeserver-url", "x.org"], "The URL is not written"),
        (["--domain", "x.org", "--bridge-url", "ftp://x"], "The URL is not written"),
        (["--domain", "x.org", "--bridge-url", "http://x:99999"], "The URL is not written"),
        (["--domain", "x.org", "-c", "no/where.yaml"], "no/where.yaml can't be written"),
    ],
)
def test_init_says_what_it_needs(cli: Cli, tmp_path: Path, words: list[str], said: str) -> None:
    status, _, err = cli("init", *words)

    assert status == 2
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_the_networks_in_the_comments_of_a_new_configuration_are_right(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOSPITAL_B_SECRET", "known")
    cli("init", "--domain", "example.org")
    path = tmp_path / "config.yaml"
    text = path.read_text()
    text = text.replace("networks: {}\n", "").replace("portals: []\n", "")
    path.write_text(re.sub(r"(?m)^#(?=\S|  )", "", text))

    assert len(load(path).config.portals) == 1


# --- registration --------------------------------------------------------------------------------


def test_the_registration_is_written_for_its_owner_alone(cli: Cli, tmp_path: Path) -> None:
    cli("init", "--domain", "example.org")
    tokens = {s.get_secret_value() for s in load(tmp_path / "config.yaml").secrets()}

    status, out, _ = cli("registration", "--output", "registration.yaml")

    path = tmp_path / "registration.yaml"
    content = yaml.safe_load(path.read_text())
    assert (status, out) == (0, "")
    assert {content["as_token"], content["hs_token"]} == tokens
    assert content["sender_localpart"] == "_consilium_service"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_registration_can_be_piped(cli: Cli) -> None:
    cli("init", "--domain", "example.org")

    status, out, err = cli("registration")

    assert (status, err) == (0, "")
    assert yaml.safe_load(out)["id"] == "consilium"


def test_a_registration_that_cannot_be_written_is_told(cli: Cli) -> None:
    cli("init", "--domain", "example.org")

    status, _, err = cli("registration", "-o", "no/where.yaml")

    assert status == 2
    assert "no/where.yaml can't be written: No such file or directory." in err


# --- check --------------------------------------------------------------------------------------


@pytest.fixture
def homeserver_that_is(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Puts a homeserver's check in place that finds it well, or not."""

    def put(well: bool) -> None:
        async def homeserver(_loaded: LoadedConfig) -> Sequence[Finding]:
            advice = "" if well else "Start it."
            return [Finding(well, "homeserver", "It runs." if well else "It sleeps.", advice)]

        module = SimpleNamespace(homeserver=homeserver)
        monkeypatch.setitem(sys.modules, "bridge.probes.homeserver", module)

    return put


def test_check_tells_one_line_for_each_part(
    cli: Cli, homeserver_that_is: Callable[[bool], None]
) -> None:
    cli("init", "--domain", "example.org")
    homeserver_that_is(True)

    status, out, err = cli("check")

    assert (status, err) == (0, "")
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["ok", "config"], ["ok", "database"], ["ok", "homeserver"], ["All", "is"],
    ]  # fmt: skip
    assert "\x1b" not in out


def test_check_fails_when_one_part_is_not_well_and_says_what_to_do(
    cli: Cli, homeserver_that_is: Callable[[bool], None]
) -> None:
    cli("init", "--domain", "example.org")
    homeserver_that_is(False)

    status, out, _ = cli("check")

    assert status == 1
    assert out.splitlines()[2].split() == ["PROBLEM", "homeserver", "It", "sleeps."]
    assert out.splitlines()[3].strip() == "Start it."
    assert "All is well" not in out


# --- the demo -----------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [(), ("--once",)])
def test_the_demo_passes_its_options_on_and_its_status_back(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    def main(*, once: bool) -> int:
        return 7 if once else 8

    monkeypatch.setitem(sys.modules, "sandbox.demo", SimpleNamespace(main=main))

    assert cli("demo", *words)[0] == (7 if words else 8)


# --- the example --------------------------------------------------------------------------------


def test_the_example_loads_as_it_is() -> None:
    loaded = load(EXAMPLE)

    assert set(loaded.networks) == {"hospital-b", "society"}
    assert [len(portal.links) for portal in loaded.config.portals] == [2, 1]


@pytest.mark.parametrize("command", ["run", "registration"])
def test_nothing_runs_on_the_secrets_of_the_example(cli: Cli, command: str) -> None:
    status, _, err = cli("-c", str(EXAMPLE), command)

    assert status == 2
    assert [line.split(": ")[1] for line in err.splitlines()] == [
        "appservice.as_token", "appservice.hs_token",
        "networks.hospital-b.secret", "networks.society.password",
    ]  # fmt: skip
    assert err.count("the secret is still the example's.") == 4


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["check", "run", "registration"])
@pytest.mark.parametrize("place", ["before", "after", "environment"])
def test_a_missing_configuration_is_told_in_one_sentence(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, command: str, place: str
) -> None:
    match place:
        case "before":
            found = cli("-c", "none.yaml", command)
        case "after":
            found = cli(command, "--config", "none.yaml")
        case _:
            monkeypatch.setenv("CONSILIUM_CONFIG", "none.yaml")
            found = cli(command)

    assert found == (
        2,
        "",
        (
            "none.yaml: there is no such file. "
            "Write one with: consilium init, or name another with --config.\n"
        ),
    )


@pytest.fixture
def bridge_that_fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Puts a bridge that only fails in the place of the real one."""

    def put(error: BaseException) -> None:
        async def run(_loaded: LoadedConfig) -> None:
            raise error

        monkeypatch.setitem(sys.modules, "bridge.app", SimpleNamespace(run=run))

    return put


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (StoreError("The disk is full.", "Free some."), 1, "The disk is full. Free some.\n"),
        (
            ExceptionGroup("", [ExceptionGroup("", [StoreError("A."), ConsiliumError("B.")])]),
            1,
            "A.\nB.\n",
        ),
        (RuntimeError("hunter2"), 1, "Consilium failed: RuntimeError. See more with -v.\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_an_error_is_told_without_a_traceback(
    cli: Cli,
    bridge_that_fails: Callable[[BaseException], None],
    error: BaseException,
    status: int,
    said: str,
) -> None:
    cli("init", "--domain", "example.org")
    bridge_that_fails(error)

    assert cli("run") == (status, "", said)


def test_verbose_shows_the_traceback(
    cli: Cli, bridge_that_fails: Callable[[BaseException], None]
) -> None:
    cli("init", "--domain", "example.org")
    bridge_that_fails(RuntimeError("the inner reason"))

    for words in (("-v", "run"), ("run", "-v")):
        status, _, err = cli(*words)
        assert status == 1
        assert "Traceback" in err
        assert "the inner reason" in err


# --- stopping -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_the_work_clean_up_and_end_well(number: signal.Signals) -> None:
    began, cleaned = asyncio.Event(), False

    async def work() -> None:
        nonlocal cleaned
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned = True

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(until_stopped(work()))
        await began.wait()
        os.kill(os.getpid(), number)

    assert cleaned


async def test_an_error_while_working_is_passed_on() -> None:
    async def work() -> None:
        msg = "The disk is full."
        raise StoreError(msg)

    with pytest.raises(StoreError):
        await until_stopped(work())


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    began, cleaned = asyncio.Event(), False

    async def work() -> None:
        nonlocal cleaned
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            cleaned = True

    task = asyncio.create_task(until_stopped(work()))
    await began.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned


def test_signals_have_their_usual_effect_again_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)

    async def work() -> None: ...

    asyncio.run(until_stopped(work()))

    assert signal.getsignal(signal.SIGINT) is before
