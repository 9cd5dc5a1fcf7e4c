"""`consilium encryption`: what an admin may have to do by hand about encrypted rooms."""

import asyncio
import sys

import typer

from bridge.commands.options import ConfigOption, VerboseOption, invocation
from bridge.errors import ConfigError

encryption = typer.Typer(
    name="encryption",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Show the recovery key of encryption.\n\nExample:\n  consilium encryption recovery-key",
)


@encryption.command(name="recovery-key", short_help="Show the recovery key, on a terminal only")
def recovery_key(
    context: typer.Context, config: ConfigOption = None, verbose: VerboseOption = False
) -> None:
    """Show the recovery key, on a terminal only.

    The identities of the bot and of all ghosts come from it: who has it can speak as the bridge.
    Keep it on paper, or where your other secrets are. It is not logged, and not written anywhere
    else. The bridge may be running meanwhile.

    \b
    Example:
      consilium encryption recovery-key
    """
    asked = invocation(context)
    asked.update(config, verbose=verbose)

    from bridge.config.load import load

    loaded = load(asked.config)
    if not sys.stdout.isatty():
        raise ConfigError(
            "The recovery key is shown on a terminal only, so that it gets into no file or log.",
            "Run the command by hand, without redirecting what it writes.",
        )

    from bridge.probes.encryption import kept

    base = asyncio.run(kept(loaded))
    if base is None:
        raise ConfigError(
            "There is no recovery key yet.",
            "Set encryption.mode and start the bridge once: it makes one.",
        )
    typer.echo(base.recovery.shown())
