"""`consilium registration`: writes what the homeserver must know about the bridge."""

import os
from pathlib import Path
from typing import Annotated

import typer

from bridge.commands.options import ConfigOption, VerboseOption, invocation
from bridge.errors import ConfigError


def registration(
    context: typer.Context,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="PATH", help="Where to [default: standard output]"),
    ] = None,
    config: ConfigOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Write the registration file for the homeserver.

    Name it under app_service_config_files in Synapse's homeserver.yaml and restart Synapse. Write
    it anew whenever the section appservice of the configuration changes.

    \b
    Example:
      consilium registration -o consilium-registration.yaml
    """
    asked = invocation(context)
    asked.update(config, verbose=verbose)

    from bridge.config.load import load

    loaded = load(asked.config).ready()

    from bridge.matrix.registration import registration_yaml

    text = registration_yaml(loaded.config)
    if output is None:
        typer.echo(text, nl=False)
        return
    _write(output, text)
    typer.echo(f"{output} is written. It holds secrets: let only Synapse's user read it.", err=True)


def _write(path: Path, text: str) -> None:
    try:
        handle = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(
            f"{path} can't be written: {error.strerror}.", "Check the folder and its access rights."
        ) from error
