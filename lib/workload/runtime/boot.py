"""Start and stop the appliance on a host without systemd: supervisord and all that it runs."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import socket
import subprocess
import sys
import xmlrpc.client
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from tenacity import RetryError, Retrying, retry_if_not_result, stop_after_delay, wait_fixed

from workload import atomic, render
from workload.layout import ROOT_VARIABLE, Layout
from workload.programs import digests
from workload.runtime import home, processes
from workload.runtime.client import Client, ClientError
from workload.runtime.logs import last_lines
from workload.runtime.programs import (
    CODE,
    LISTENER,
    PATH,
    Program,
    marker,
    supervisord_conf,
    write_launchers,
)
from workload.runtime.supervisor import call
from workload.service_table import ServiceTable, TableError

logger = logging.getLogger(__name__)

START_TIMEOUT = 120.0
"""Seconds for supervisord and the appliance's own programs to answer: much on a busy machine."""


ENDED = frozenset({"EXITED", "FATAL", "STOPPED"})
"""States that supervisord leaves only when it is told to (supervisord.org/subprocess.html)."""

CODE_FILES = ("*.py", "*.j2")

STOP_TIMEOUT = 60.0
"""Seconds for supervisord to end once its services have."""


class BootError(Exception):
    """The appliance cannot be started or stopped; the message says what was awaited."""


def start(
    layout: Layout,
    programs: Sequence[Program] = (),
    *,
    components: str = "workload.components",
    templates: Path = render.TEMPLATES,
    options: Sequence[str] = (),
) -> None:
    """Start supervisord, the embedded snapd and further programs; do nothing where they run.

    Services whose config is complete are started by the embedded snapd, in the background.

    Args:
        layout: `layout.snap` must be there already.
        programs: what else runs as part of the appliance, such as the machine agent.
        components: module with the components' declarations in `ALL`, by name.
        templates: folder of their templates.
        options: program that takes the options of charms in snap config.

    Raises:
        BootError: something does not answer in time, or snapcraft.yaml cannot be used.
    """
    _check_length(layout)
    render.make_folders(layout)
    with _exclusively(layout):
        try:
            table = ServiceTable.load(layout.snapcraft)
            listener = _listener(layout, table, components, templates, options)
            conf = supervisord_conf(layout, table, listener, programs)
        except TableError as error:
            raise BootError(str(error)) from None
        atomic.write(layout.supervisor_config, conf.encode())
        write_launchers(layout, table)
        home.make(layout, table)
        if was_running := is_running(layout):
            _update(layout)
            _start_again(layout, [listener, *programs])
        else:
            _end_leftovers(layout, table)
            _start_supervisord(layout)
        for program in (listener, *programs):
            if program.socket:
                _await(program.name, program.socket, layout.log / f"{program.name}.log")
        if was_running:
            _await_code(layout, listener)


def stop(layout: Layout) -> None:
    """Stop everything in reverse order, guests included, and see that nothing is left.

    Raises:
        BootError: processes that cannot be ended.
    """
    if not layout.run.is_dir():
        return
    with _exclusively(layout):
        try:
            daemon = processes.supervisord(layout)
            if is_running(layout):
                _stop_services(layout)
                processes.end(processes.of_appliance(layout))
                call(layout, "shutdown")
                processes.wait([process.pid for process in daemon], STOP_TIMEOUT)
            processes.end([*daemon, *processes.of_appliance(layout)])
        except processes.ProcessesLeftError as error:
            raise BootError(str(error)) from None
    for path in (layout.supervisor_socket, layout.snapd_socket):
        path.unlink(missing_ok=True)


def is_running(layout: Layout) -> bool:
    """Return whether this root's supervisord answers."""
    return answers(layout.supervisor_socket)


def _listener(
    layout: Layout,
    table: ServiceTable,
    components: str,
    templates: Path,
    options: Sequence[str],
) -> Program:
    code = fingerprint(Path(render.__file__).parent, templates)
    of_services = json.dumps(digests(table, layout.snap), sort_keys=True)
    argv = [sys.executable, "-m", "workload.runtime"]
    argv += ["--components", components, "--templates", str(templates)]
    return Program(
        LISTENER,
        [*argv, *(["--options", *options] if options else [])],
        {
            ROOT_VARIABLE: str(layout.root),
            CODE: hashlib.sha256(f"{code}{of_services}".encode()).hexdigest(),
            **_python_path(),
        },
        layout.snapd_socket,
    )


def _python_path() -> dict[str, str]:
    """Return where this process found its modules, for a child of the same project."""
    library = Path(render.__file__).parent.parent
    given = [Path(entry) for entry in os.environ.get("PYTHONPATH", "").split(":") if entry]
    paths = dict.fromkeys(str(path.absolute()) for path in (library, *given))
    return {"PYTHONPATH": ":".join(paths)}


def _check_length(layout: Layout) -> None:
    # sun_path of unix(7), and the process id that supervisord appends for a moment.
    longest = len(os.fsencode(layout.supervisor_socket)) + len(".4194304")
    if longest >= 108:
        raise BootError(f"{layout.root}: too long a path for sockets, choose a shorter one")


@contextmanager
def _exclusively(layout: Layout) -> Generator[None]:
    try:
        with FileLock(layout.run / "boot.lock", timeout=STOP_TIMEOUT):
            yield
    except Timeout:
        raise BootError("another command is starting or stopping MicroStack") from None


def _start_supervisord(layout: Layout) -> None:
    daemon = _spawn(layout)
    output = layout.log / "supervisord.out"
    _await("supervisord", layout.supervisor_socket, output, lambda: daemon.poll() is None)
    # It outlives this process; nobody here waits for it.
    daemon.returncode = 0


def _spawn(layout: Layout) -> subprocess.Popen[bytes]:
    # None of the caller's environment: services must not depend on who started them.
    with (layout.log / "supervisord.out").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "workload.runtime.supervise", str(layout.supervisor_config)],
            env={"PATH": PATH, "LANG": "C.UTF-8", **_python_path()},
            cwd=layout.root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            umask=0o077,
        )


def wait_for_answer(
    name: str,
    path: Path,
    log: str,
    timeout: float = START_TIMEOUT,
    alive: Callable[[], bool] = lambda: True,
) -> None:
    """Wait until a program answers on its socket, as long as it is alive.

    Args:
        name: what errors call it.
        path: its socket.
        log: where the user finds what it said.
        timeout: seconds.
        alive: whether there is anything to wait for.

    Raises:
        BootError: it did not answer in time.
    """
    failure = f"{name} did not answer on {path} within {timeout:.0f} s; see {log}"
    _wait_until(lambda: answers(path) or not alive(), timeout, failure)


def _wait_until(condition: Callable[[], bool], timeout: float, failure: str) -> None:
    retrying = Retrying(
        retry=retry_if_not_result(bool), wait=wait_fixed(0.02), stop=stop_after_delay(timeout)
    )
    try:
        retrying(condition)
    except RetryError:
        raise BootError(failure) from None


def _await(name: str, path: Path, log: Path, alive: Callable[[], bool] = lambda: True) -> None:
    wait_for_answer(name, path, str(log), alive=alive)
    if not alive():
        raise BootError(f"{name} ended at once: {' '.join(last_lines(log, 3))}; see {log}")


def _await_code(layout: Layout, listener: Program) -> None:
    """Wait until services run by this code: those that another one changes are started anew."""
    code = listener.environment[CODE]
    log = layout.log / f"{listener.name}.log"
    _wait_until(
        lambda: layout.code.exists() and layout.code.read_text() == code,
        START_TIMEOUT,
        f"services were not started by the new code within {START_TIMEOUT:.0f} s; see {log}",
    )


def answers(path: Path) -> bool:
    """Return whether something listens on a UNIX socket."""
    with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
        client.connect(str(path))
        return True
    return False


def _stop_services(layout: Layout) -> None:
    """Stop the programs that give orders, then the services, each before what it builds on."""
    known = ServiceTable.load(layout.snapcraft).services
    for info in call(layout, "getAllProcessInfo"):
        if info["name"] not in known and info["name"] != LISTENER:
            with suppress(xmlrpc.client.Fault):
                call(layout, "stopProcess", info["name"])
    try:
        Client(layout.snapd_socket).stop()
    except ClientError as error:
        # Supervisord ends them all the same when it ends, only in no order.
        logger.warning("the services are not stopped in order: %s", error)
    with suppress(xmlrpc.client.Fault):
        call(layout, "stopProcess", LISTENER)


def _update(layout: Layout) -> None:
    """Make a running supervisord follow its configuration: a newer checkout brings a new one."""
    ((added, changed, removed),) = call(layout, "reloadConfig")
    for name in (*removed, *changed):
        call(layout, "stopProcessGroup", name)
        call(layout, "removeProcessGroup", name)
    # The listener comes last: when it starts, it starts the services that should run.
    for name in sorted({*added, *changed} - {LISTENER}):
        call(layout, "addProcessGroup", name)
    if LISTENER in changed:
        call(layout, "addProcessGroup", LISTENER)
    elif added or changed or removed:
        call(layout, "stopProcess", LISTENER)
        call(layout, "startProcess", LISTENER, False)


def _start_again(layout: Layout, programs: Sequence[Program]) -> None:
    """Start those of the appliance's own programs that supervisord has given up."""
    for program in programs:
        if call(layout, "getProcessInfo", program.name)["statename"] in ENDED:
            call(layout, "startProcess", program.name, False)


def _end_leftovers(layout: Layout, table: ServiceTable) -> None:
    """End what a supervisord that was killed left running, except what a service spares.

    Guests are spared: libvirt puts each into a session of its own.
    """
    sparing = {
        marker(layout, app.name) for app in table.services.values() if not app.stops_children
    }
    session = processes.recorded_pid(layout)
    spared = [
        process
        for process in processes.of_appliance(layout)
        if processes.marker_of(process) in sparing and processes.session_of(process) != session
    ]
    processes.end(process for process in processes.of_appliance(layout) if process not in spared)


def fingerprint(*folders: Path) -> str:
    """Return a digest that changes with the code or the templates in some folders.

    In a program's environment as `CODE`, it lets the supervisor start the program again once its
    code is another.
    """
    digest = hashlib.sha256()
    found = {path for folder in folders for kind in CODE_FILES for path in folder.rglob(kind)}
    for path in sorted(found):
        digest.update(f"{path}\0{path.stat().st_mtime_ns}\0".encode())
    return digest.hexdigest()
