"""What became of services, kept on disk: the embedded snapd may be killed like any process."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict
from pathlib import Path

from workload import atomic
from workload.runtime.status import ServiceEvent

REMEMBERED = 2000
"""Events; the file is shortened to the latest of them at each start."""


class History:
    """The changes of services' states. Its methods are to be called by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._events = deque(_read(path), maxlen=REMEMBERED)
        atomic.write(path, "".join(map(_line, self._events)).encode())

    @property
    def events(self) -> list[ServiceEvent]:
        """The events that are remembered, oldest first."""
        return list(self._events)

    def add(self, event: ServiceEvent) -> None:
        """Remember an event."""
        self._events.append(event)
        with self._path.open("a") as stream:
            stream.write(_line(event))


def _line(event: ServiceEvent) -> str:
    return json.dumps(asdict(event)) + "\n"


def _read(path: Path) -> list[ServiceEvent]:
    if not path.exists():
        return []
    events: list[ServiceEvent] = []
    for line in path.read_text(errors="replace").splitlines():
        try:
            events.append(ServiceEvent(**json.loads(line)))
        except (ValueError, TypeError):
            continue  # a line that a power cut left half, or one of another release
    return events
