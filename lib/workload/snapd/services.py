"""The snap's services as snapd runs them.

snapd tells whether a service runs and whether it starts at boot, and no more: how often one died
is in its journal.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from graphlib import TopologicalSorter

from workload.configure import ServiceError
from workload.layout import SNAP_NAME
from workload.runtime.services import Process, State
from workload.runtime.status import ServiceEvent
from workload.service_table import ServiceTable
from workload.snapd import snapctl

REMEMBERED_EVENTS = 2000


class SnapdServices:
    """The services of one snap. A service that may run is enabled, so that it starts at boot."""

    def __init__(self, table: ServiceTable) -> None:
        self._table = table
        self._events: deque[ServiceEvent] = deque(maxlen=REMEMBERED_EVENTS)

    def processes(self) -> dict[str, Process]:
        """Return every service's process, as far as snapd tells of it."""
        listed = self._listed()
        return {
            name: Process(self._state(name, *listed.get(name, (False, False))), 0.0, 0, 0, "")
            for name in self._table.services
        }

    def events(self) -> list[ServiceEvent]:
        """Return what this process had done with services, oldest first."""
        return list(self._events)

    def was_started(self) -> set[str]:
        """Return the services that run, or will by themselves."""
        return {name for name, states in self._listed().items() if any(states)}

    def failed(self, asked: Collection[str]) -> list[str]:
        """Return the services that a hook asked snapd for, and that it could not start.

        Only a oneshot can fail to start, and takes all with it that were to be started at once;
        what else does not run has died since or was stopped by a user.
        """
        if not asked:
            return []
        states = {name: self._state(name, *each) for name, each in self._listed(asked).items()}
        down = [name for name, state in states.items() if state in (State.STOPPED, State.FATAL)]
        return down if any(self._table.services[name].oneshot for name in down) else []

    def enabled(self) -> list[str]:
        """Return the services that start at boot, the appliance's own among them."""
        return [name for name, (enabled, _) in self._asked().items() if enabled]

    def lost(self, noted: Collection[str]) -> list[str]:
        """Return the services that were enabled before, and neither run now nor will."""
        started = self.was_started()
        return [name for name in noted if name in self._table.services and name not in started]

    def enable_again(self, noted: Collection[str]) -> None:
        """Undo that snapd disabled all: what runs is enabled, the appliance's own started too.

        Args:
            noted: what was enabled before.

        Raises:
            ServiceError: snapd cannot start a service.
        """
        names = [
            name
            for name, (enabled, active) in self._asked().items()
            if not enabled and (active or (name in noted and name not in self._table.services))
        ]
        self._control("start", ("--enable",), names)

    def apply(self, *, start: Sequence[str], restart: Sequence[str], stop: Sequence[str]) -> None:
        """Make these changes; snapd orders starts by `after` and `before`.

        Raises:
            ServiceError: snapd cannot start or stop a service.
        """
        if stop:
            self.stop(stop)
        if not start and not restart:
            return
        listed = self._listed([*start, *restart])
        active = {name for name, (_, active) in listed.items() if active}
        # One that a user stopped and disabled stays so; one that died has its second chance.
        again = [name for name in restart if any(listed.get(name, ()))]
        # One that runs may not have read its files.
        self._control("restart", (), [*again, *(name for name in start if name in active)])
        self._control("start", ("--enable",), [name for name in start if name not in active])

    def stop(self, names: Collection[str]) -> None:
        """Stop services, each before what it builds on, and keep them from starting at boot.

        Args:
            names: services; none means all.

        Raises:
            ServiceError: snapd cannot stop a service.
        """
        wanted = {name for name, states in self._listed(names).items() if any(states)}
        for level in reversed(list(self._levels(wanted))):
            self._control("stop", ("--disable",), level)

    def _control(self, action: str, options: Sequence[str], services: Sequence[str]) -> None:
        if not services:
            return
        try:
            snapctl.call(action, *options, *(f"{SNAP_NAME}.{name}" for name in services))
        except snapctl.SnapctlError as error:
            raise ServiceError(f"cannot {action} {', '.join(services)}: {error}") from None
        state = State.STOPPED if action == "stop" else State.STARTING
        self._events.extend(ServiceEvent(time.time(), name, state) for name in services)

    def _levels(self, names: set[str]) -> Iterator[list[str]]:
        """Yield services so that each level builds on those before it alone."""
        order = {name: self._table.predecessors(name) & names for name in names}
        sorter = TopologicalSorter(order)
        sorter.prepare()
        while sorter.is_active():
            level = sorted(sorter.get_ready())
            yield level
            sorter.done(*level)

    def _state(self, name: str, enabled: bool, active: bool) -> State:
        app = self._table.services[name]
        if active:
            # systemd keeps a oneshot that did its work active where there is something to undo.
            return State.EXITED if app.oneshot else State.RUNNING
        if enabled and app.oneshot and not app.stop_command:
            # Of how another one ended snapd tells nothing.
            return State.EXITED
        return State.FATAL if enabled else State.STOPPED

    def _listed(self, names: Collection[str] = ()) -> dict[str, tuple[bool, bool]]:
        """Return for each service whether it is enabled, and whether it is active.

        Args:
            names: services; none means all. snapd asks systemd for one after another.

        Raises:
            ServiceError: snapd does not tell.
        """
        listed = self._asked(names)
        return {name: listed[name] for name in listed if name in self._table.services}

    def _asked(self, names: Collection[str] = ()) -> dict[str, tuple[bool, bool]]:
        """Return the same with the appliance's own services."""
        found: dict[str, tuple[bool, bool]] = {}
        try:
            listed = snapctl.call("services", *(f"{SNAP_NAME}.{name}" for name in names))
        except snapctl.SnapctlError as error:
            raise ServiceError(f"cannot tell which services run: {error}") from None
        for line in listed.splitlines()[1:]:
            full, enabled, active, *_ = line.split()
            name = full.removeprefix(f"{SNAP_NAME}.")
            found[name] = (enabled == "enabled", active == "active")
        return found
