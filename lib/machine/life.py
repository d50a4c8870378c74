"""What everything in the model has: a life, and most of it a status."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Life(StrEnum):
    """Where something is between being made and being gone; what is dead is not in the model."""

    ALIVE = "alive"
    DYING = "dying"


@dataclass(frozen=True)
class Status:
    """A status with the time it was set."""

    current: str
    message: str = ""
    since: float = 0.0
