"""The installation in the snap: snapd runs the services, and all that is needed is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microstack.errors import Failure
from microstack.host import Facts, observe
from microstack.installation import Installation, program

if TYPE_CHECKING:
    from workload.runtime.programs import Program

DAEMONS = ("snap-api", "machine")
"""The appliance's own services, in the order of their start."""

ANSWER_TIMEOUT = 120.0
"""Seconds for a daemon to answer; a slow machine takes tens to load its Python modules."""


class SnapInstallation(Installation):
    """The one installation of the snap on this host."""

    @property
    def contents(self) -> Sequence[Path]:
        """All that the snap keeps; snapd deletes it."""
        return (self.layout.snap_data, self.layout.snap_common)

    @property
    def removed_by(self) -> str:
        """What the user types to remove it."""
        return "snap remove --purge microstack"

    @property
    def running(self) -> bool:
        """Whether its own daemons run."""
        from workload.runtime import boot

        return boot.answers(self.layout.machine_socket)

    def options(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the options of charms that stand in snap config, by application."""
        from workload.snapd.config import SnapConfig

        return SnapConfig(self.layout).document().get("charms", {})

    def observe(self) -> Facts:
        """Return the facts of the host.

        Confinement hides from a snap whose a listening port is, so those of a cloud that runs are
        not looked at.
        """
        facts = observe([self.layout.root], set())
        return replace(facts, listeners=()) if self.running else facts

    def prepare(self, step: Callable[[str], None]) -> None:
        """Do nothing: the snap has everything."""

    def prepare_tests(self, step: Callable[[str], None]) -> None:
        """Do nothing: the snap has Tempest too."""

    def agent(self) -> Program:
        """Return how the machine agent is run; a refresh of the snap brings new charms."""
        program = super().agent()
        return replace(program, argv=[*program.argv, "--charms", str(self.checkout / "charms")])

    def start(self) -> None:
        """Start the appliance's own daemons, and every service whose config is complete.

        Raises:
            Failure: snapd refuses, or a daemon does not answer.
        """
        from workload.runtime import boot
        from workload.runtime.client import Client, ClientError

        self._control("start", "--enable", *DAEMONS)
        sockets = (self.layout.snapd_socket, self.layout.machine_socket)
        try:
            for name, socket in zip(DAEMONS, sockets, strict=True):
                log = f"snap logs microstack.{name}"
                boot.wait_for_answer(name, socket, log, ANSWER_TIMEOUT)
            Client(self.layout.snapd_socket).start()
        except (boot.BootError, ClientError) as error:
            raise Failure(str(error)) from None

    def stop(self) -> None:
        """Stop the agent, then all services, guests included; a boot starts none of them.

        Raises:
            Failure: snapd refuses, or a service does not stop.
        """
        from workload.runtime import boot
        from workload.runtime.client import Client, ClientError

        self._control("stop", "--disable", "machine")
        try:
            if boot.answers(self.layout.snapd_socket):
                Client(self.layout.snapd_socket).stop()
        except ClientError as error:
            raise Failure(str(error)) from None
        self._control("stop", "--disable", "snap-api")

    def _control(self, action: str, option: str, *names: str) -> None:
        from workload.snapd import snapctl

        try:
            snapctl.call(action, option, *(f"microstack.{name}" for name in names))
        except snapctl.SnapctlError as error:
            hint = f"{program()} must be root's: sudo"
            raise Failure(f"snapd cannot {action} {', '.join(names)}: {error}", hint) from None
