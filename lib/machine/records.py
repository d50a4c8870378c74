"""What happened, as the agent tells it: lines of the debug log, and hooks that ran.

Apart from `store`, so that clients start without reading the model's code.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LogLine:
    """One line of the debug log; `entity` is `unit-mysql-0` or `machine-0`."""

    time: float
    entity: str
    level: str
    module: str
    message: str


@dataclass(frozen=True)
class HookRecord:
    """One run of a hook. `outcome` is running, done, failed or killed."""

    unit: str
    hook: str
    started: float
    ended: float | None = None
    outcome: str = "running"
    id: int = 0
