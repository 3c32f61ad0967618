"""Become another program that dies with its parent: `spawn.py SIGNAL PARENT UID GID program args...`.

The ids may be `-`. A small program of its own rather than a hook run between fork and exec, which is unsafe
in a process with threads. Only Linux knows the death signal; elsewhere the recorded pids are the net.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(number: str, parent: str, uid: str, gid: str, *command: str) -> None:
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != int(parent):
            sys.exit("The parent ended before its child began.")
    os.execvp(command[0], command)  # noqa: S606 - replacing this process is its whole purpose


if __name__ == "__main__":
    main(*sys.argv[1:])
