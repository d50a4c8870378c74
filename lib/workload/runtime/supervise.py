"""Become supervisord, as the one to whom orphans of services come home.

A daemon that forks twice leaves its parent; a subreaper inherits it (prctl(2)). The attribute
survives neither a fork nor is it something supervisord sets, so supervisord runs in this process.
"""
# pyright: basic

from __future__ import annotations

import ctypes
import os
import select
import sys
import uuid

from supervisor import poller
from supervisor.supervisord import main as supervisord

PR_SET_CHILD_SUBREAPER = 36


class Poller(poller.PollPoller):
    """Forgets descriptors whose only event is an error.

    A descriptor's number may be registered for reading still when, after a process died, it has
    become the writing end of another one's standard input. Once that process closes its end, every
    poll(2) returns at once with POLLERR, to which supervisord 4.3 does nothing: it would spin.
    """

    def _ignore_invalid(self, fd: int, eventmask: int) -> bool:
        if eventmask & ~select.POLLERR:
            return super()._ignore_invalid(fd, eventmask)
        self._poller.unregister(fd)
        self.readables.discard(fd)
        self.writables.discard(fd)
        return True


def main() -> None:
    """Run supervisord in the foreground with the configuration given as the only argument."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    poller.Poller = Poller
    # To the machine agent this is a boot: all that its units run starts with it.
    os.environ["MACHINE_BOOT_ID"] = uuid.uuid4().hex
    supervisord(["-n", "-c", sys.argv[1]])


if __name__ == "__main__":
    main()
