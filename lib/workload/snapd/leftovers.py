"""Processes that the snap's services leave when they stop: guests, which libvirt spares."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from workload.layout import SNAP_NAME
from workload.runtime import processes

PROC = Path("/proc")


def end(proc: Path = PROC) -> None:
    """End them: ask, wait, then kill.

    Raises:
        processes.ProcessesLeftError: some are still there.
    """
    found: list[psutil.Process] = []
    for pid in pids(proc):
        with suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(pid))
    processes.end(found)


def pids(proc: Path = PROC) -> Iterator[int]:
    """Yield the processes in the control groups of this snap's services.

    A group is named after its unit, `snap.microstack.libvirtd.service`; that of a hook begins
    with `snap.microstack.hook.`, and that is this process.
    """
    for path in proc.glob("[0-9]*/cgroup"):
        with suppress(OSError):
            groups = path.read_text()
            service = any(
                part.startswith(f"snap.{SNAP_NAME}.") and part.endswith(".service")
                for line in groups.splitlines()
                for part in line.split("/")
            )
            if service and f"snap.{SNAP_NAME}.hook." not in groups:
                yield int(path.parent.name)
