"""One installation on this host, and how the command line reaches its parts.

Commands take an `Installation` and ask it for the machine agent, the snap runtime and the steps
of bring-up; tests give them another object of the same shape.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from microstack.errors import Failure, HostFailure
from microstack.host import Facts, observe
from workload.layout import Layout, under_snapd

if TYPE_CHECKING:
    from machine.client import ActionResult, HookRecord, LogLine, RelationRecord
    from workload.runtime.programs import Program
    from workload.runtime.status import ServiceEvent, ServiceStatus

CHECKOUT_VARIABLE = "MICROSTACK_CHECKOUT"

CLOUD = "microstack"
"""Name of the cloud in clouds.yaml."""

ADDRESS = "127.0.0.1"
"""What charms are told is this host's address: all parts of the cloud are on one machine."""

PRELOADED = ("ops", "charmbase", "interfaces", "pymysql", "keystoneauth1.session", "tenacity")
"""What the charms import, which the agent's fork server imports once for all of them."""


RESTART = 10.0
"""Seconds within which the agent's supervisor has started it again."""

OPTIONS_PROGRAM = (sys.executable, "-m", "microstack.options")
"""Takes the options of charms that are set in snap config."""


class Machine(Protocol):
    """What the command line uses of `machine.juju_client.JujuClient`."""

    def deploy(
        self, bundle: Path, overlays: Sequence[Path] = (), dry_run: bool = False
    ) -> list[str]:
        """Bring the model to what a bundle says; a dry run verifies and changes nothing."""
        ...

    def status(self) -> dict[str, Any]:
        """Return the status document."""
        ...

    def update_status(self) -> None:
        """Let every unit that is not active look again now."""
        ...

    def watch(self) -> Iterator[dict[str, Any]]:
        """Yield the status document now and after each change."""
        ...

    def config(self, app: str) -> dict[str, Any]:
        """Return the options that have a value."""
        ...

    def juju_config(self, application: str) -> dict[str, Any]:
        """Return all options, as `juju config --format json` has them."""
        ...

    def set_config(
        self,
        app: str,
        values: Mapping[str, str | int | float | bool],
        reset: Sequence[str] = (),
    ) -> None:
        """Set options, and put others back to their defaults."""
        ...

    def run(
        self,
        unit: str,
        action: str,
        params: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        told: Callable[[str], None] = ...,
        *,
        with_us: bool = False,
    ) -> ActionResult:
        """Run an action and wait for its end; `told` is called with each line it logs."""
        ...

    def debug_log(
        self,
        follow: bool = False,
        include: Sequence[str] = (),
        level: str = "DEBUG",
        limit: int | None = None,
    ) -> Iterator[LogLine]:
        """Yield lines of the debug log."""
        ...

    def hooks(self) -> list[HookRecord]:
        """Return all hooks that ran or run."""
        ...

    def relations(self) -> list[RelationRecord]:
        """Return all relations with their databags."""
        ...


class Services(Protocol):
    """What the command line uses of `workload.runtime.client.Client`."""

    def services(self) -> list[ServiceStatus]:
        """Return how each service is."""
        ...

    def events(self) -> list[ServiceEvent]:
        """Return the changes of services' states."""
        ...

    def config(self) -> dict[str, Any]:
        """Return all of snap config, secrets in clear."""
        ...


def program() -> str:
    """Return what the user types to run this program."""
    return "microstack" if os.environ.get("SNAP_NAME") == "microstack" else "./microstack"


@dataclass(frozen=True)
class Installation:
    """The installation at one root.

    Attributes:
        layout: where it keeps things.
        checkout: the project's folder (or the snap's): bundles, charms, libraries.
        shuffle: seed of an order of hooks other than the usual one, for tests.
    """

    layout: Layout
    checkout: Path
    shuffle: int | None = None

    @classmethod
    def from_environment(cls) -> Installation:
        """Return the installation that the environment names, or the default one."""
        layout = Layout.from_environment()
        if under_snapd():
            from microstack.in_snap import SnapInstallation

            return SnapInstallation(layout, layout.snap)
        checkout = os.environ.get(CHECKOUT_VARIABLE) or Path(__file__).resolve().parents[2]
        return Installation(layout, Path(checkout))

    @property
    def removed_by(self) -> str:
        """What the user types to remove it."""
        return f"{program()} remove"

    @property
    def bundle(self) -> Path:
        """The bundle that `up` deploys unless told otherwise."""
        return self.checkout / "bundles" / "microstack.yaml"

    def overlay(self, name: str) -> Path:
        """Return one of the overlays that come with the bundle."""
        return self.checkout / "bundles" / "overlays" / f"{name}.yaml"

    @property
    def keys(self) -> Path:
        """Where the key for guests and the host keys of guests are."""
        return self.layout.root / "ssh"

    @property
    def lock(self) -> Path:
        """Held by whoever brings the installation up or takes it down."""
        return self.layout.root / "lock"

    @property
    def contents(self) -> Sequence[Path]:
        """All that an installation keeps below its root."""
        layout = self.layout
        folders = (layout.snap, layout.snap_data, layout.snap_common, layout.bin, layout.run)
        return (
            *folders,
            layout.machine_state,
            layout.log,
            layout.snap_config,
            self.keys,
            self.lock,
        )

    @property
    def exists(self) -> bool:
        """Whether anything was ever brought up here and not removed."""
        return self.layout.machine_state.exists()

    @property
    def running(self) -> bool:
        """Whether its supervisor runs."""
        from workload.runtime import boot

        return boot.is_running(self.layout)

    def require_root(self) -> None:
        """Refuse to go on as another user.

        Raises:
            HostFailure: this is not root.
        """
        if os.geteuid() != 0:
            raise HostFailure("this must be run as root", f"sudo {program()} ...")

    def machine(self) -> Machine:
        """Return a client of the machine agent.

        Raises:
            Failure: there is no agent to talk to.
        """
        from machine.juju_client import JujuClient

        self._require_running(self.layout.machine_socket)
        return JujuClient(self.layout.machine_socket, patience=RESTART)

    def services(self) -> Services:
        """Return a client of the snap runtime.

        Raises:
            Failure: it does not run.
        """
        from workload.runtime.client import Client

        self._require_running(self.layout.snapd_socket)
        return Client(self.layout.snapd_socket)

    def options(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the options of charms that stand in snap config, by application."""
        from workload.runtime.config_store import ConfigStore

        return ConfigStore(self.layout.snap_config).document().get("charms", {})

    def observe(self) -> Facts:
        """Return the facts of the host that this installation is on."""
        from microstack.environment import CACHE

        lacking = ["kvm"] if self._guests_are_emulated() else []
        if not self.layout.guests_confined.exists():
            lacking.append("apparmor")
        return observe([self.layout.root, CACHE], self._processes(), lacking)

    def _guests_are_emulated(self) -> bool:
        """Tell what the running cloud has found out; many hosts have a KVM that runs no guest."""
        rendered = self.layout.etc / "nova-compute/nova.conf"
        try:
            return "virt_type = qemu" in rendered.read_text().splitlines()
        except OSError:
            return False

    def prepare(self, step: Callable[[str], None]) -> None:
        """Install what the cloud is run from.

        Raises:
            Failure: a package or an environment cannot be installed.
        """
        from microstack import environment, guest_image

        try:
            environment.prepare(self.layout.snap, self.checkout, step)
            guest_image.ensure(self.checkout, step)
        except environment.InstallationError as failure:
            raise Failure(str(failure), f"mend it, then {program()} up again") from None

    def prepare_tests(self, step: Callable[[str], None]) -> None:
        """Install what tests of the cloud are run from.

        Raises:
            Failure: the environment cannot be installed.
        """
        from microstack import environment

        try:
            environment.prepare_tests(self.layout.snap, self.checkout, step)
        except environment.InstallationError as failure:
            raise Failure(str(failure), f"mend it, then {program()} test again") from None

    def start(self) -> None:
        """Start the supervisor, the snap runtime and the machine agent where they do not run.

        Raises:
            Failure: one of them does not answer.
        """
        from workload.runtime import boot

        try:
            boot.start(self.layout, [self.agent()], options=OPTIONS_PROGRAM)
        except boot.BootError as error:
            raise Failure(str(error)) from None

    def stop(self) -> None:
        """Stop everything that runs, guests included.

        Raises:
            Failure: a process does not end.
        """
        from workload.runtime import boot

        try:
            boot.stop(self.layout)
        except boot.BootError as error:
            raise Failure(str(error)) from None

    def set_up_cloud(
        self, machine: Machine, image: str | None, step: Callable[[str], None]
    ) -> list[str]:
        """Give the cloud what guests need; return what the user should know at the end.

        Raises:
            Failure: the cloud refuses something.
        """
        from microstack import cloud

        return cloud.set_up(machine, self.checkout, image, step)

    def agent(self) -> Program:
        """Return how the machine agent is run."""
        from workload.runtime import boot
        from workload.runtime.programs import CODE, Program

        libraries = [str(self.checkout / "lib"), str(self.checkout)]
        argv = [sys.executable, "-m", "machine", "agent"]
        argv += ["--state", str(self.layout.machine_state)]
        argv += ["--socket", str(self.layout.machine_socket), "--address", ADDRESS]
        argv += ["--hook-env", f"SNAPD_SOCKET={self.layout.snapd_socket}"]
        argv += ["--hook-env", f"SNAP_COMMON={self.layout.snap_common}"]
        argv += ["--hook-path", str(self.layout.bin)]
        argv += [] if self.shuffle is None else ["--shuffle", str(self.shuffle)]
        for path in libraries:
            argv += ["--python-path", path]
        for module in PRELOADED:
            argv += ["--preload", module]
        code = boot.fingerprint(self.checkout / "lib", self.checkout / "interfaces")
        environment = {"PYTHONPATH": ":".join(libraries), CODE: code}
        return Program("machine", argv, environment, self.layout.machine_socket)

    def _processes(self) -> set[int]:
        from workload.runtime import processes

        found = [*processes.supervisord(self.layout), *processes.of_appliance(self.layout)]
        return {process.pid for process in found}

    def _require_running(self, socket: Path) -> None:
        self.require_root()
        if not socket.exists():
            command = "start" if self.exists else "up"
            raise Failure("MicroStack is not running", f"{program()} {command}")

    @contextlib.contextmanager
    def exclusively(self) -> Generator[None]:
        """Hold the installation against other commands that bring it up or take it down.

        Raises:
            Failure: another one is at work.
        """
        from filelock import FileLock, Timeout

        self.require_root()
        self.layout.root.mkdir(parents=True, exist_ok=True)
        self.layout.root.chmod(0o711)
        # Whoever may read a file can lock it, and so keep root out.
        lock = FileLock(self.lock, timeout=0, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            reason = "another command is bringing MicroStack up or taking it down"
            raise Failure(reason, "wait for it to end, or interrupt it") from None
        try:
            yield
        finally:
            lock.release()
