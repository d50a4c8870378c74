"""What jobs share: where the configuration is, and how a failure is told."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from workload.layout import SnapLayout, under_snapd

SHORT = 10
LONG = 5
"""Niceness of migrations. Where all run at once, two give way to none: the job that makes
Keystone's accounts, as everybody waits for it, and Nova's, as it takes longest."""

AUTOGROUP = Path("/proc/self/autogroup")


def common(*parts: str) -> Path:
    """Return a path below `$SNAP_COMMON`."""
    return Path(os.environ["SNAP_COMMON"], *parts)


def snap() -> Path:
    """Return `$SNAP` by a name that outlives a refresh."""
    return SnapLayout().snap if under_snapd() else Path(os.environ["SNAP"])


def etc(*parts: str) -> Path:
    """Return a path below the rendered configuration."""
    return common("etc", *parts)


def give_way(niceness: int) -> None:
    """Leave the processor to what is more urgent.

    A job has a session of its own. Where the kernel schedules by session, niceness counts within
    one alone, and the session has its own (sched(7), "The autogroup feature").
    """
    os.nice(niceness)
    with suppress(OSError):
        AUTOGROUP.write_text(str(niceness))


def run(job: Callable[[], None]) -> None:
    """Run a job; end the process with 0, or with 1 and one line on stderr."""
    # As services have it: in the caller's, OpenStack would look for configuration. There is none
    # yet where a job is part of the installation.
    if home := os.environ.get("SNAP_DATA"):
        os.environ["HOME"] = home
    try:
        job()
    except Exception as error:
        reason = str(error).strip().splitlines() or [""]
        print(f"error: {type(error).__name__}: {reason[0]}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
