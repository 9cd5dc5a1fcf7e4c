"""`consilium check`: one line for each part, with what to do."""

import asyncio
import textwrap
from typing import TYPE_CHECKING

import typer

from bridge.commands.options import ConfigOption, VerboseOption, invocation

if TYPE_CHECKING:
    from bridge.contract import Finding


def check(
    context: typer.Context, config: ConfigOption = None, verbose: VerboseOption = False
) -> None:
    """Try every part once, and say what to do about those that are not well.

    The configuration, the database, the homeserver, and every network with its groups. Nothing is
    changed, and the bridge may be running meanwhile. The exit status is 0 only if all is well.

    \b
    Examples:
      consilium check
      consilium -c /etc/consilium/config.yaml check -v
    """
    asked = invocation(context)
    asked.update(config, verbose=verbose)

    from bridge.config.load import load
    from bridge.config.schema import Log, LogLevel
    from bridge.operations.logs import configure_logging

    loaded = load(asked.config)
    level = LogLevel.DEBUG if asked.verbose else LogLevel.ERROR
    configure_logging(Log(level=level), loaded.secrets())

    from bridge.check import Probes
    from bridge.check import check as check_all
    from bridge.probes.database import database
    from bridge.probes.homeserver import homeserver

    parts = Probes(database=database, homeserver=homeserver)
    if not asyncio.run(check_all(loaded, parts, _tell)):
        raise typer.Exit(1)
    typer.echo("All is well.")


def _tell(finding: "Finding") -> None:
    mark = typer.style("ok     ", fg="green") if finding.ok else typer.style("PROBLEM", fg="red")
    typer.echo(f"{mark}  {finding.subject:<12}  {finding.sentence}")
    if finding.advice:
        typer.echo(textwrap.indent(finding.advice, " " * 23))
