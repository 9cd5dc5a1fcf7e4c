"""`consilium demo`: see it work, with servers of its own."""

from typing import Annotated

import typer

from bridge.errors import ConsiliumError


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Check that everything arrived, and end")
    ] = False,
) -> None:
    """Start throwaway servers and the bridge, hold a short consult, and show it.

    It stays up until Ctrl-C, so that you can join in with Element and an XMPP client.

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
    raise typer.Exit(main(once=once))
