"""Drive supervisord: start, stop and restart services in order, and know what became of them.

Commands go over supervisord's XML-RPC socket; what happens comes back as events on this process's
standard input (http://supervisord.org/events.html), so nothing here asks twice.
"""

from __future__ import annotations

import logging
import re
import threading
import time
import xmlrpc.client
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any, cast

from supervisor.xmlrpc import (  # pyright: ignore[reportMissingTypeStubs]
    Faults,
    SupervisorTransport,
)

from workload.configure import ServiceError
from workload.layout import Layout
from workload.runtime import processes
from workload.runtime.commands import run_command
from workload.runtime.history import History
from workload.runtime.services import ALIVE, ENDED, Process, State
from workload.runtime.status import ServiceEvent
from workload.service_table import App, ServiceTable

logger = logging.getLogger(__name__)

ONESHOT_TIMEOUT = 120.0
"""Seconds that starting a service waits for the oneshots it is ordered after."""

UNKNOWN_REASON = "for an unknown reason"


@dataclass
class _Deaths:
    count: int = 0
    reason: str = ""


class Supervisor:
    """The services of one layout under supervisord. Its methods may be called by any thread."""

    def __init__(self, layout: Layout, table: ServiceTable) -> None:
        self._layout = layout
        self._table = table
        self._changed = threading.Condition()
        self._history = History(layout.service_events)
        self._deaths = {name: _Deaths() for name in table.services}
        # Starts whose events are still to come, and oneshots that were stopped after their end.
        self._commanded: Counter[str] = Counter()
        self._undone: set[str] = set()
        for event in self._history.events:
            self._recall(event)

    def processes(self) -> dict[str, Process]:
        """Return every service's process."""
        infos = {info["name"]: info for info in self._call("getAllProcessInfo")}
        return {name: self._process(infos[name]) for name in self._table.services}

    def events(self) -> list[ServiceEvent]:
        """Return the changes of state that are remembered, oldest first."""
        with self._changed:
            return self._history.events

    def was_started(self) -> set[str]:
        """Return the services that were started and not stopped, dead ones included."""
        return {name for name, p in self.processes().items() if p.state is not State.STOPPED}

    # -- commands -----------------------------------------------------------------------------

    def apply(self, *, start: Sequence[str], restart: Sequence[str], stop: Sequence[str]) -> None:
        """Make these changes, in the order of the table; return when processes are spawned.

        A service waits for the oneshots it is ordered after to end.

        Raises:
            ServiceError: some services cannot be spawned or stopped; all others were.
        """
        self.stop([*stop, *restart, *start])
        self.start([*start, *restart])

    def start(self, names: Collection[str]) -> None:
        """Spawn services that do not run, each behind those it is ordered after."""
        order = {name: self._table.predecessors(name) & set(names) for name in names}
        _in_order(order, self._start_one)

    def stop(self, names: Collection[str]) -> None:
        """Stop those that were started, and what they left, each before what it builds on."""
        started = self.was_started() & set(names) if names else set[str]()
        order: dict[str, set[str]] = {name: set() for name in started}
        for name in started:
            for predecessor in self._table.predecessors(name) & started:
                order[predecessor].add(name)
        _in_order(order, self._stop_one)

    def _start_one(self, name: str) -> None:
        for predecessor in self._table.predecessors(name):
            if self._table.services[predecessor].oneshot:
                self._await_end(predecessor, ONESHOT_TIMEOUT)
        self._note_start(name)
        try:
            self._call("startProcess", name, False)
        except xmlrpc.client.Fault as fault:
            # SPAWN_ERROR here: it was spawned and is dead already. It will be started again.
            if fault.faultCode != Faults.SPAWN_ERROR:
                self._expect_no_start(name)
            if fault.faultCode not in (Faults.ALREADY_STARTED, Faults.SPAWN_ERROR):
                raise ServiceError(f"{name} cannot be started: {fault.faultString}") from None

    def _stop_one(self, name: str) -> None:
        app = self._table.services[name]
        self._run(app, app.stop_command)
        try:
            self._call("stopProcess", name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != Faults.NOT_RUNNING:
                raise ServiceError(f"{name} cannot be stopped: {fault.faultString}") from None
            self._note(ServiceEvent(time.time(), name, State.STOPPED))
        # Supervisord itself turns to SIGKILL when the time is up.
        if not self._await_end(name, app.stop_timeout + 10):
            raise ServiceError(f"{name} does not stop")
        with self._changed:
            self._undone.add(name)
        if app.stops_children:
            processes.end(processes.of_service(self._layout, name))
        self._run(app, app.post_stop_command)

    def _await_end(self, name: str, timeout: float) -> bool:
        """Wait for a service's process to end; return whether it did within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            # Supervisord looks for dead children once a second, and whenever it is asked.
            info = self._call("getProcessInfo", name)
            if info["statename"] in ENDED:
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if not info["pid"] or not processes.wait([info["pid"]], left):
                with self._changed:
                    self._changed.wait(min(left, 0.1))

    def _run(self, app: App, words: Sequence[str]) -> None:
        if words:
            run_command(self._layout, app, words)

    # -- events -------------------------------------------------------------------------------

    def on_event(self, event: str, payload: Mapping[str, str]) -> None:
        """Take note of an event of supervisord.

        Args:
            event: e.g. `PROCESS_STATE_EXITED`.
            payload: its fields, e.g. `processname` and `pid`.
        """
        name = payload.get("processname", "")
        if name not in self._table.services:
            return
        state = State(event.removeprefix("PROCESS_STATE_"))
        died = state is State.BACKOFF or (state is State.EXITED and payload.get("expected") == "0")
        reason = (self._last_words(name) or UNKNOWN_REASON) if died else ""
        if state is State.STARTING and self._commanded[name]:
            self._expect_no_start(name)
            return
        pid = int(payload.get("pid", 0))
        self._note(ServiceEvent(time.time(), name, state, pid, reason))

    def _note_start(self, name: str) -> None:
        # Noted here, when it happens: supervisord's events may come a second later.
        self._note(ServiceEvent(time.time(), name, State.STARTING, asked=True))
        with self._changed:
            self._commanded[name] += 1

    def _expect_no_start(self, name: str) -> None:
        """One of the starts that were asked for has had its event, or will have none."""
        with self._changed:
            self._commanded[name] -= 1
            self._changed.notify_all()

    def _note(self, event: ServiceEvent) -> None:
        with self._changed:
            self._recall(event)
            self._history.add(event)
            self._changed.notify_all()

    def _recall(self, event: ServiceEvent) -> None:
        """Count a death, forget those before a start that was asked for."""
        if event.service not in self._deaths:
            return
        if event.asked:
            self._deaths[event.service] = _Deaths()
            self._undone.discard(event.service)
        elif event.detail:
            before = self._deaths[event.service].count
            self._deaths[event.service] = _Deaths(before + 1, event.detail)
        elif event.state == State.STOPPED:
            self._undone.add(event.service)

    def _process(self, info: Mapping[str, Any]) -> Process:
        state = State(info["statename"])
        deaths = self._deaths[info["name"]]
        if state in ENDED and info["name"] in self._undone:
            state = State.STOPPED
        since = float(info["start"] if state in ALIVE else info["stop"])
        reason = deaths.reason
        if state is State.EXITED and info["exitstatus"]:
            reason = f"exit status {info['exitstatus']}"
        return Process(state, since, info["pid"], deaths.count, reason)

    def _last_words(self, name: str) -> str:
        """Return why a process died; supervisord says so in its log alone."""
        with suppress(xmlrpc.client.Error, OSError):
            log = cast("str", self._call("readLog", -8192, 0))
            found = re.findall(rf"exited: {re.escape(name)} \((.*?); (?:not )?expected\)", log)
            return found[-1] if found else ""
        return ""

    def _call(self, method: str, *arguments: Any) -> Any:
        return call(self._layout, method, *arguments)


def call(layout: Layout, method: str, *arguments: Any) -> Any:
    """Call a method of supervisord (http://supervisord.org/api.html).

    Raises:
        xmlrpc.client.Fault: supervisord refuses.
        OSError: it does not run.
    """
    # A proxy of its own for each call: they are not thread-safe, and connecting is cheap.
    transport = SupervisorTransport(serverurl=f"unix://{layout.supervisor_socket}")
    with xmlrpc.client.ServerProxy("http://localhost", transport) as proxy:
        return getattr(proxy.supervisor, method)(*arguments)


def _in_order(order: Mapping[str, Collection[str]], act: Callable[[str], None]) -> None:
    """Call `act` for each name once it was called for those before it; otherwise in parallel.

    Raises:
        ServiceError: what went wrong, of all names; the rest was done nevertheless.
    """
    if not order:
        return
    sorter = TopologicalSorter(order)
    sorter.prepare()
    failures: list[str] = []
    with ThreadPoolExecutor(max_workers=min(len(order), 32)) as pool:
        pending: dict[Future[None], str] = {}
        while sorter.is_active():
            pending |= {pool.submit(act, name): name for name in sorter.get_ready()}
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                sorter.done(pending.pop(future))
                failure = future.exception()
                if failure is None:
                    continue
                if not isinstance(failure, ServiceError | processes.ProcessesLeftError):
                    raise failure
                failures.append(str(failure))
    if failures:
        raise ServiceError("; ".join(failures))
