"""What is asked of whoever runs the services: supervisord in a checkout, snapd in the snap."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from workload.runtime.status import ServiceEvent


class State(StrEnum):
    """A process's state, in supervisord's words (http://supervisord.org/subprocess.html)."""

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    BACKOFF = "BACKOFF"
    STOPPING = "STOPPING"
    EXITED = "EXITED"
    FATAL = "FATAL"
    UNKNOWN = "UNKNOWN"


ALIVE = frozenset({State.STARTING, State.RUNNING, State.STOPPING})
ENDED = frozenset({State.STOPPED, State.EXITED, State.FATAL, State.UNKNOWN})


@dataclass(frozen=True)
class Process:
    """What is known of a service's process.

    Attributes:
        since: when it came into its state, in seconds since the epoch.
        pid: 0 where there is none.
        deaths: how often it died by itself since it was told to start.
        reason: of the last death, e.g. "exit status 1".
    """

    state: State
    since: float
    pid: int
    deaths: int
    reason: str


class Services(Protocol):
    """The services of the table under whoever runs them. Called by any thread."""

    def processes(self) -> dict[str, Process]:
        """Return every service's process."""
        ...

    def events(self) -> list[ServiceEvent]:
        """Return the changes of state that are remembered, oldest first."""
        ...

    def was_started(self) -> set[str]:
        """Return the services that were started and not stopped, dead ones included."""
        ...

    def apply(self, *, start: Sequence[str], restart: Sequence[str], stop: Sequence[str]) -> None:
        """Make these changes, in the order of the table; return when processes are spawned.

        Raises:
            ServiceError: some services cannot be spawned or stopped; all others were.
        """
        ...

    def stop(self, names: Collection[str]) -> None:
        """Stop those that were started, each before what it builds on; none means all.

        Raises:
            ServiceError: some cannot be stopped; all others were.
        """
        ...
