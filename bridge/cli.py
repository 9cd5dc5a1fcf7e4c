"""The command line: `consilium`, or `python -m bridge`.

Exit status: 0 all is well, 1 something failed, 2 the configuration or the command line is wrong.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated

import typer

from bridge.commands.check import check
from bridge.commands.demo import demo
from bridge.commands.encryption import encryption
from bridge.commands.init import init
from bridge.commands.options import ConfigOption, Invocation, VerboseOption, invocation
from bridge.commands.registration import registration
from bridge.commands.run import run
from bridge.errors import ConfigError, ConsiliumError, leaves

app = typer.Typer(
    name="consilium",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command(short_help="Write a configuration with fresh tokens")(init)
app.command(short_help="Write what the homeserver must know")(registration)
app.command(short_help="Try every part, and say what to do")(check)
app.command(short_help="Bridge, until stopped")(run)
app.command(short_help="See it work, with servers of its own")(demo)
app.add_typer(encryption, short_help="Show the recovery key")


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer hands over the option's value
    if wanted:
        typer.echo(f"consilium {installed_version('consilium-bridge')}")
        raise typer.Exit


@app.callback()
def consilium(
    context: typer.Context,
    config: ConfigOption = None,
    verbose: VerboseOption = False,
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Tell the version")
    ] = False,
) -> None:
    """Mirror Matrix rooms to the discussion groups of other networks.

    \b
    The first steps:
      consilium init --domain example.org    write config.yaml with fresh tokens
      consilium registration -o consilium-registration.yaml
                                             write what the homeserver must know
      consilium check                        try every part; says what to do
      consilium run                          bridge, until stopped

    Or see it work, with servers of its own: consilium demo
    """
    asked = invocation(context)
    from_environment = os.environ.get("CONSILIUM_CONFIG")
    asked.update(config or (Path(from_environment) if from_environment else None), verbose=verbose)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit status.

    Args:
        arguments: the words after the program's name; None for the process's own.
    """
    asked = Invocation()
    try:
        app(arguments, prog_name="consilium", obj=asked)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the last door: nobody is shown a traceback unasked
        sys.exit(_tell(error, verbose=asked.verbose))


def _tell(error: Exception, *, verbose: bool) -> int:
    """Say on standard error what went wrong, in sentences; return the exit status."""
    if verbose:
        typer.echo("".join(traceback.format_exception(error)), err=True)
    status = 2
    for leaf in leaves(error):
        if isinstance(leaf, ConsiliumError):
            typer.echo(f"{leaf}", err=True)
        else:
            typer.echo(f"Consilium failed: {type(leaf).__name__}. See more with -v.", err=True)
        if not isinstance(leaf, ConfigError):
            status = 1
    return status
