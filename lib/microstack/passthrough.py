"""Commands that become another program, with the arguments untouched."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

import typer

from microstack.errors import Failure
from microstack.installation import Installation, program


def openstack(context: typer.Context) -> None:
    """Run OpenStack's own client as the cloud's admin."""
    become_openstack(context.args)


def juju(context: typer.Context) -> None:
    """Juju's own commands, on this host's model."""
    become_juju(context.args)


def become_openstack(arguments: Sequence[str]) -> NoReturn:
    """Replace this process with the OpenStack client.

    Raises:
        Failure: it is not installed, as nothing was brought up yet.
    """
    client = Installation.from_environment().layout.snap / "openstack/bin/openstack"
    if not client.exists():
        raise Failure("the OpenStack client is not installed yet", f"{program()} up")
    from microstack import clouds

    if not clouds.present():
        hint = f"{program()} up makes them" if os.geteuid() == 0 else f"sudo {program()} openstack"
        raise Failure(f"there are no credentials for the cloud in {clouds.path()}", hint)
    os.execve(client, ["openstack", *arguments], clouds.environment(os.environ))  # noqa: S606


def become_juju(arguments: Sequence[str]) -> NoReturn:
    """Replace this process with the machine's Juju-compatible command line."""
    socket = Installation.from_environment().layout.machine_socket
    environment = {**os.environ, "MACHINE_SOCKET": str(socket)}
    os.execve(sys.executable, [sys.executable, "-m", "machine", "juju", *arguments], environment)  # noqa: S606


COMMANDS: Mapping[str, Callable[[Sequence[str]], NoReturn]] = {
    "openstack": become_openstack,
    "juju": become_juju,
}
"""Taken before the command line is parsed, so that not even `--` or `--help` is touched."""
