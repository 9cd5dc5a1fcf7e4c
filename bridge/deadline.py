"""The end of a stop that does not end.

Every part gives up by itself within a few seconds. But a thread that waits for a slow disk, or for
the lock of an SQLite file, can't be cancelled, and Python waits for its threads. Ending the process
there is what a power cut does, and the bridge is made to lose nothing by that.
"""

import os
import sys
import threading
from typing import Final

import structlog

log = structlog.get_logger(__name__)

STOP_SECONDS: Final = 9.0
"""So long a stop may take; whoever asked for it is promised 10 seconds."""


def end_in_time() -> None:
    """Have this process end, with success, in 9 seconds if it did not by then."""
    timer = threading.Timer(STOP_SECONDS, _end)
    timer.daemon = True
    timer.start()


def _end() -> None:
    log.warning("stopped_late", consequence="what is in doubt is looked up at the next start")
    sys.stderr.flush()
    os._exit(0)
