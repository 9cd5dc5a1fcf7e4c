"""`consilium init`: writes a configuration with fresh tokens."""

import json
import os
import secrets
import sys
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Annotated
from urllib.parse import urlsplit

import typer

from bridge.commands.options import ConfigOption, VerboseOption, invocation
from bridge.errors import ConfigError


def init(
    context: typer.Context,
    domain: Annotated[
        str, typer.Option(help="The part after the colon in your Matrix user ids", metavar="NAME")
    ] = "",
    homeserver_url: Annotated[
        str, typer.Option(help="Where the bridge reaches the homeserver", metavar="URL")
    ] = "http://localhost:8008",
    bridge_url: Annotated[
        str, typer.Option(help="Where the homeserver reaches the bridge", metavar="URL")
    ] = "http://localhost:29300",
    config: ConfigOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Write a configuration file with fresh tokens.

    It holds secrets, so only its owner may read it. An existing file is never overwritten.

    \b
    Examples:
      consilium init --domain example.org
      consilium -c /etc/consilium/config.yaml init --domain example.org \\
        --homeserver-url https://matrix.example.org
    """
    asked = invocation(context)
    asked.update(config, verbose=verbose)
    if not domain and sys.stdin.isatty():
        domain = typer.prompt("The domain of your Matrix user ids (after the colon)")
    text = new_config(domain, homeserver_url, bridge_url)
    _write_new(asked.config, text)
    typer.echo(
        f"{asked.config} is written. What comes next:\n"
        f"  1. Add your networks and portals to it: the file says how.\n"
        f"  2. consilium -c {asked.config} registration -o consilium-registration.yaml\n"
        f"     Name that file under app_service_config_files in Synapse's homeserver.yaml,\n"
        f"     and restart Synapse.\n"
        f"  3. consilium -c {asked.config} check\n"
        f"  4. consilium -c {asked.config} run"
    )


def new_config(domain: str, homeserver_url: str, bridge_url: str) -> str:
    """The text of a configuration file with fresh tokens.

    Raises:
        ConfigError: the domain or a URL can't be right.
    """
    from pydantic import TypeAdapter, ValidationError

    from bridge.config.schema import Homeserver, HttpUrl

    if not domain:
        msg = "The domain of your Matrix user ids is missing."
        raise ConfigError(msg, "Add it, as in: consilium init --domain example.org")
    try:
        TypeAdapter(HttpUrl).validate_python(bridge_url)
        Homeserver(url=homeserver_url, domain=domain)
    except ValidationError as error:
        parts = {str(part) for detail in error.errors() for part in detail["loc"]}
        wrong = "The domain" if "domain" in parts else "The URL"
        raise ConfigError(
            f"{wrong} is not written in the right form.",
            "A domain looks like example.org, a URL like http://localhost:8008.",
        ) from None
    template = files("bridge.config").joinpath("new.yaml").read_text(encoding="utf-8")
    return Template(template).substitute(
        domain=json.dumps(domain),
        homeserver_url=json.dumps(homeserver_url),
        bridge_url=json.dumps(bridge_url),
        port=urlsplit(bridge_url).port or 29300,
        as_token=json.dumps(secrets.token_urlsafe(36)),
        hs_token=json.dumps(secrets.token_urlsafe(36)),
    )


def _write_new(path: Path, text: str) -> None:
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise ConfigError(
            f"{path} is already there, and is left as it is.",
            "Name another file with --config, or move it away first.",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{path} can't be written: {error.strerror}.", "Check the folder and its access rights."
        ) from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
