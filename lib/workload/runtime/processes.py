"""Find and end every process of a service, also those that made daemons of themselves.

Three ways lead to a process: it is a descendant of supervisord, which as a subreaper inherits
orphans (prctl(2), PR_SET_CHILD_SUBREAPER); it carries the marker in its environment; it is in the
session of a supervisord that was killed. The last is for programs that show a title of their own:
they write it over their environment.
"""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress

import psutil
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from workload.layout import Layout
from workload.runtime.programs import MARKER, marker

PID_FILE = "supervisord.pid"

GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL for leftovers."""


class ProcessesLeftError(Exception):
    """Processes that even SIGKILL did not end; the message lists them."""


def of_service(layout: Layout, service: str) -> list[psutil.Process]:
    """Return every process that a service left behind or still runs."""
    wanted = marker(layout, service)
    return [process for process in psutil.process_iter() if marker_of(process) == wanted]


def of_appliance(layout: Layout) -> list[psutil.Process]:
    """Return every process of the appliance at this root; this one and its parents excepted."""
    suffix = f"@{layout.root}"
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    marked = {
        process.pid: process
        for process in psutil.process_iter()
        if (marker_of(process) or "").endswith(suffix)
    }
    descendants = {
        child.pid: child
        for process in supervisord(layout)
        for child in process.children(recursive=True)
    }
    orphans = {process.pid: process for process in _orphans(layout)}
    found = {**marked, **descendants, **orphans}
    return [process for pid, process in found.items() if pid not in own]


def _orphans(layout: Layout) -> Sequence[psutil.Process]:
    """Return what is in the session of a supervisord that ended without its services.

    While a process has its number, nothing is: it lives, or somebody else got the number.
    """
    session = recorded_pid(layout)
    if session is None or _runs(session):
        return []
    if (layout.run / PID_FILE).stat().st_mtime < psutil.boot_time():
        return []
    return [p for p in psutil.process_iter() if session_of(p) == session and _runs(p.pid)]


def supervisord(layout: Layout) -> Sequence[psutil.Process]:
    """Return the supervisord of this root: one process, or none."""
    pid = recorded_pid(layout)
    with suppress(psutil.Error):
        if pid and str(layout.supervisor_config) in psutil.Process(pid).cmdline():
            return [psutil.Process(pid)]
    return []


def end(processes: Iterable[psutil.Process], grace: float = GRACE) -> None:
    """End processes: ask, wait, then kill.

    Raises:
        ProcessesLeftError: some are still there.
    """
    alive = list(processes)
    for timeout, ask in ((grace, psutil.Process.terminate), (5.0, psutil.Process.kill)):
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                ask(process)
        left = wait([process.pid for process in alive], timeout)
        alive = [process for process in alive if process.pid in left]
    if alive:
        names = ", ".join(f"{process.pid} ({_name(process)})" for process in alive)
        raise ProcessesLeftError(f"these processes do not end: {names}")


def wait(pids: Iterable[int], timeout: float) -> set[int]:
    """Wait for processes to end, reaped or not; return those that run after `timeout` seconds."""
    waited = list(pids)
    try:
        return _wait_by_descriptor(waited, timeout)
    except PermissionError:
        # snapd 2.57 forbids pidfd_open(2) to a snap.
        return _wait_by_looking(waited, timeout)


def _wait_by_descriptor(pids: Sequence[int], timeout: float) -> set[int]:
    deadline = time.monotonic() + timeout
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for pid in pids:
            with suppress(ProcessLookupError):
                descriptor = os.pidfd_open(pid)
                stack.callback(os.close, descriptor)
                selector.register(descriptor, selectors.EVENT_READ, pid)
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                selector.unregister(key.fileobj)
        return {key.data for key in selector.get_map().values()}


def _wait_by_looking(pids: Sequence[int], timeout: float) -> set[int]:
    started = {pid: _started(pid) for pid in pids}

    def left() -> set[int]:
        return {pid for pid, time in started.items() if time is not None and _started(pid) == time}

    retrying = Retrying(
        retry=retry_if_result(bool), wait=wait_fixed(0.05), stop=stop_after_delay(timeout)
    )
    try:
        return retrying(left)
    except RetryError:
        return left()


def _started(pid: int) -> float | None:
    """Return when a process began, which tells it from a later one; None where it has ended."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return process.create_time()
    return None


def marker_of(process: psutil.Process) -> str | None:
    """Return the marker a process inherited; None where it has none."""
    with suppress(psutil.Error, OSError):
        return process.environ().get(MARKER)
    return None


def session_of(process: psutil.Process) -> int | None:
    """Return the session a process is in; None where it has ended."""
    with suppress(ProcessLookupError):
        return os.getsid(process.pid)
    return None


def recorded_pid(layout: Layout) -> int | None:
    """Return the process id, and session, of the supervisord that ran last."""
    with suppress(OSError, ValueError):
        return int((layout.run / PID_FILE).read_text())
    return None


def _runs(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def _name(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return process.name()
    return "?"
