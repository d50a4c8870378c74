"""Write supervisord's configuration and the snap's commands from the table of services."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workload.layout import Layout
from workload.service_table import App, Daemon, ServiceTable, TableError

MARKER = "MICROSTACK_SERVICE"
"""Variable that every process of a service inherits; how its leftovers are found."""

LISTENER = "snapd"
"""Name of the program that is the embedded snapd; it is told of every change of state."""

CODE = "MICROSTACK_CODE"
"""Variable that tells the supervisor of changed code: its value is a digest."""

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# A service that dies younger than this counts as failing to start: it is started again after 1,
# 2, 3 ... seconds, and given up after so many attempts. OpenStack's services need seconds for
# their imports alone before they find out what they lack.
START_SECONDS = 10
START_ATTEMPTS = 8

# The appliance's own programs are needed to tell of anything, so they get more of them; one of
# them that was killed twice in a second must not be given up.
OWN_ATTEMPTS = 20


@dataclass(frozen=True)
class Program:
    """A program of the appliance itself, beside the services of the snap.

    Attributes:
        environment: on top of PATH and LANG.
        socket: the UNIX socket it serves once it is ready.
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    socket: Path | None = None
    stop_timeout: float = 30.0


def marker(layout: Layout, service: str) -> str:
    """Return the marker's value; it tells appliances with different roots apart."""
    return f"{service}@{layout.root}"


def base_environment(layout: Layout) -> dict[str, str]:
    """Return what every app finds in its environment before its own variables."""
    return {"PATH": PATH, "LANG": "C.UTF-8", **layout.environment()}


def service_environment(layout: Layout, app: App) -> dict[str, str]:
    """Return the whole environment of a service."""
    base = {**base_environment(layout), "HOME": str(layout.snap_data)}
    return {**app.expanded_environment(base), MARKER: marker(layout, app.name)}


def supervisord_conf(
    layout: Layout, table: ServiceTable, listener: Program, programs: Iterable[Program] = ()
) -> str:
    """Return supervisord's whole configuration.

    Raises:
        TableError: a service that supervisord cannot run, or a value it cannot be told.
    """
    sections = [
        _DAEMON.format(layout=layout),
        _listener_section(layout, listener),
        *(_program_section(layout, program) for program in programs),
        *(_service_section(layout, app) for app in table.services.values()),
    ]
    return "\n".join(sections)


def launcher(layout: Layout, app: App) -> str:
    """Return the script `microstack.<app>` that runs a command of the snap.

    The caller's environment is kept, for the variables that a command's user sets; what would
    make another Python load the caller's modules is not.
    """
    environment = app.expanded_environment(base_environment(layout))
    assignments = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    command = shlex.join(app.argv(environment))
    lines = ["#!/bin/sh", "umask 077", "unset PYTHONPATH PYTHONHOME", *assignments]
    return "\n".join([*lines, f'exec {command} "$@"', ""])


def write_launchers(layout: Layout, table: ServiceTable) -> None:
    """Make `$ROOT/bin` hold one script for each command of the snap and nothing else."""
    layout.bin.mkdir(mode=0o755, exist_ok=True)
    wanted = {f"microstack.{name}": app for name, app in table.commands.items()}
    for entry in layout.bin.iterdir():
        if entry.name not in wanted:
            entry.unlink()
    for name, app in wanted.items():
        path = layout.bin / name
        path.write_text(launcher(layout, app))
        path.chmod(0o755)


_DAEMON = """\
; Written at each start; changes are lost.
[supervisord]
nodaemon = true
silent = true
identifier = microstack
umask = 077
nocleanup = true
logfile = {layout.log}/supervisord.log
logfile_maxbytes = 5MB
logfile_backups = 1
pidfile = {layout.run}/supervisord.pid

[unix_http_server]
file = {layout.supervisor_socket}
chmod = 0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl = unix://{layout.supervisor_socket}
"""


def _listener_section(layout: Layout, program: Program) -> str:
    # Its stdout is the channel to supervisord, so only stderr is a log.
    return _section(
        f"eventlistener:{program.name}",
        {
            **_own_program(layout, program),
            "events": "PROCESS_STATE",
            "buffer_size": "4096",
            "priority": "1",
            **_log("stderr", layout.log / f"{program.name}.log"),
        },
    )


def _program_section(layout: Layout, program: Program) -> str:
    return _section(
        f"program:{program.name}",
        {
            **_own_program(layout, program),
            "priority": "2",
            "redirect_stderr": "true",
            **_log("stdout", layout.log / f"{program.name}.log"),
        },
    )


def _own_program(layout: Layout, program: Program) -> dict[str, str]:
    environment = {
        "PATH": PATH,
        "LANG": "C.UTF-8",
        **program.environment,
        MARKER: marker(layout, program.name),
    }
    return {
        "command": _command(program.argv),
        "directory": str(layout.root),
        "environment": _environment(program.name, environment),
        "autostart": "true",
        "autorestart": "true",
        "startsecs": "1",
        "startretries": str(OWN_ATTEMPTS),
        "stopwaitsecs": f"{program.stop_timeout:.0f}",
        "stopasgroup": "false",
        "killasgroup": "true",
    }


_AUTORESTART = {"on-failure": "unexpected", "always": "true", "never": "false"}


def _service_section(layout: Layout, app: App) -> str:
    if app.daemon is Daemon.FORKING:
        raise TableError(
            f"apps.{app.name}.daemon: forking is not supported, run in the foreground"
        )
    environment = service_environment(layout, app)
    group = str(app.stops_children).lower()
    options = {
        "command": _command(app.argv(environment)),
        "directory": str(layout.snap_data),
        "environment": _environment(app.name, environment),
        "umask": "077",
        "autostart": "false",
        "autorestart": "false" if app.oneshot else _AUTORESTART[app.restart_condition],
        "startsecs": "0" if app.oneshot else str(START_SECONDS),
        "startretries": "0" if app.oneshot else str(START_ATTEMPTS),
        "exitcodes": "0",
        "stopsignal": app.stop_signal,
        "stopwaitsecs": f"{app.stop_timeout:.0f}",
        "stopasgroup": group,
        "killasgroup": group,
        "redirect_stderr": "true",
        **_log("stdout", layout.service_log / f"{app.name}.log"),
    }
    return _section(f"program:{app.name}", options)


def _log(stream: str, path: Path) -> dict[str, str]:
    return {
        f"{stream}_logfile": str(path),
        f"{stream}_logfile_maxbytes": "10MB",
        f"{stream}_logfile_backups": "2",
    }


def _section(name: str, options: Mapping[str, str]) -> str:
    lines = [f"{key} = {value}" for key, value in options.items()]
    return "\n".join([f"[{name}]", *lines, ""])


def _command(argv: Sequence[str]) -> str:
    return shlex.join(argv).replace("%", "%%")


def _environment(program: str, environment: Mapping[str, str]) -> str:
    for name, value in environment.items():
        # Supervisord's file has no way to write these.
        if '"' in value or not value.isprintable() or " ;" in value or " #" in value:
            raise TableError(f"apps.{program}.environment.{name}: has a quote, ' ;' or ' #'")
    return ",".join(
        f'{name}="{value}"'.replace("%", "%%") for name, value in sorted(environment.items())
    )
