"""What the embedded snapd tells of services; light, for clients that must start fast."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceStatus:
    """How one service is.

    Attributes:
        state: `active`, `finished` (a oneshot that did its work), `restarting` (died, waits to be
            started again), `failed` (given up), `stopped` (by a user), `waiting` (for config).
        since: when it came into the state, in seconds since the epoch.
        deaths: how often it died by itself since it was told to start.
        reason: of its last death, e.g. `exit status 1`.
        missing: full keys of snap config it waits for.
        lines: the end of its log, where it is not well.
    """

    name: str
    daemon: str
    enabled: bool
    state: str
    since: float
    pid: int = 0
    deaths: int = 0
    reason: str = ""
    missing: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class ServiceEvent:
    """A change of a service's state, for timelines.

    Attributes:
        time: in seconds since the epoch.
        state: in supervisord's words; `STARTING` is when the process was spawned.
        detail: of a death, e.g. `exit status 1`.
        asked: whether somebody asked for this start; else the supervisor started what had died.
    """

    time: float
    service: str
    state: str
    pid: int = 0
    detail: str = ""
    asked: bool = False
