"""Servers of many processes that end together, however their owner ends."""

import shlex
from collections.abc import Sequence
from pathlib import Path


def enclosed(command: Sequence[str | Path]) -> list[str]:
    """The command in a world of its own (a PID namespace), whose first process takes all others
    with it. Some servers change their user or their session, and so undo any other tie.
    """
    inner = shlex.join(str(word) for word in command)
    # The colon keeps the shell from becoming the command itself
    return ["unshare", "--fork", "--pid", "--kill-child", "sh", "-c", f"{inner}; :"]
