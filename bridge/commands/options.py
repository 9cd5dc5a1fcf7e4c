"""What every command takes: which configuration file, and how much to tell."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CONFIG = Path("config.yaml")


@dataclass(slots=True)
class Invocation:
    """What was asked for on the command line, before and after the command's name."""

    config: Path = DEFAULT_CONFIG
    verbose: bool = False

    def update(self, config: Path | None, *, verbose: bool) -> None:
        """Take over what was given; what comes later on the line wins."""
        self.config = config or self.config
        self.verbose = verbose or self.verbose


def invocation(context: typer.Context) -> Invocation:
    """The invocation that belongs to a command's context."""
    return context.ensure_object(Invocation)


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", metavar="PATH", show_default=False,
        help="The configuration file [default: config.yaml, or $CONSILIUM_CONFIG]",
    ),
]  # fmt: skip
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Tell more, with tracebacks", show_default=False)
]
