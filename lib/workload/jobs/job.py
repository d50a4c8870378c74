"""What jobs share: where the configuration is, and how a failure is told."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path


def common(*parts: str) -> Path:
    """Return a path below `$SNAP_COMMON`."""
    return Path(os.environ["SNAP_COMMON"], *parts)


def etc(*parts: str) -> Path:
    """Return a path below the rendered configuration."""
    return common("etc", *parts)


def run(job: Callable[[], None]) -> None:
    """Run a job; end the process with 0, or with 1 and one line on stderr."""
    # As services have it: in the caller's, OpenStack would look for configuration.
    os.environ["HOME"] = os.environ["SNAP_DATA"]
    try:
        job()
    except Exception as error:
        reason = str(error).strip().splitlines() or [""]
        print(f"error: {type(error).__name__}: {reason[0]}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
