"""Become another program, one that cannot outlive the process that started it.

Run as a script: `tether.py PARENT_PID COMMAND ARGUMENT...`. Linux kills the program the moment its
parent is gone, however the parent ended, SIGKILL included; so no test run, interrupted where it may
be, leaves a server behind. Being a program of its own it needs no code between fork and exec in the
parent, where a second thread could hold a lock for ever.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # from <linux/prctl.h>


def main() -> None:
    """Tie this process to its parent, then replace it by the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "cannot tie a child process to its parent")
    if os.getppid() != parent:
        return  # the parent ended before the tie was made: there is nobody to work for
    os.execvp(command[0], command)  # noqa: S606 -- no shell is wanted


if __name__ == "__main__":
    main()
