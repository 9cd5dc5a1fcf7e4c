"""`consilium run`: bridges until it is told to stop."""

import asyncio
import faulthandler
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace

import typer

from bridge.commands.options import ConfigOption, VerboseOption, invocation


def run(
    context: typer.Context, config: ConfigOption = None, verbose: VerboseOption = False
) -> None:
    """Bridge, until stopped by Ctrl-C or SIGTERM.

    Waits for a homeserver or a network that is not up yet. Stopping takes at most 10 seconds. A
    second Ctrl-C stops at once; nothing is lost by that.

    \b
    Example:
      consilium -c /etc/consilium/config.yaml run
    """
    asked = invocation(context)
    asked.update(config, verbose=verbose)

    from bridge.config.load import load
    from bridge.config.schema import LogLevel
    from bridge.operations.logs import configure_logging

    loaded = load(asked.config).ready()
    if asked.verbose:
        log = loaded.config.log.model_copy(update={"level": LogLevel.DEBUG})
        loaded = replace(loaded, config=loaded.config.model_copy(update={"log": log}))
    configure_logging(loaded.config.log, loaded.secrets())

    import uvloop

    from bridge.app import run as bridge
    from bridge.deadline import end_in_time

    if sys.__stderr__ is not None:  # systemd ends what hangs by SIGABRT: this tells where it hung
        faulthandler.enable(sys.__stderr__)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(until_stopped(bridge(loaded), end_in_time))


async def until_stopped(
    work: Coroutine[None, None, None], on_stop: Callable[[], None] = lambda: None
) -> None:
    """Do `work` until it ends or the process gets SIGINT or SIGTERM, which cancel it.

    After the first signal, of which `on_stop` is told, the next has its usual effect.

    Raises:
        Exception: whatever `work` raises, also while it is stopping.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    stopping = False

    def stop() -> None:
        nonlocal stopping
        stopping = True
        on_stop()
        task.cancel()
        unlisten()

    def unlisten() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not stopping:
            raise
    finally:
        unlisten()
