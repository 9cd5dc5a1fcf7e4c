"""`consilium demo`: see it work, with servers of its own."""

import typer

from bridge.errors import ConsiliumError


def demo(context: typer.Context) -> None:
    """Start throwaway servers and the bridge, hold a short consult, and show it.

    With --once it checks that every message arrived everywhere, and ends. All options are passed on.

    \b
    Examples:
      consilium demo
      consilium demo --once
    """
    try:
        from sandbox.demo import main
    except ModuleNotFoundError as error:
        if error.name not in {"sandbox", "sandbox.demo"}:
            raise
        raise ConsiliumError(
            "The demo is not part of this installation.", "Run it from the source: make demo"
        ) from error
    raise typer.Exit(main(context.args))
