"""A model on the machine with snapd: `machine` runs it from the checkout, beside the snap."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import tenacity
import yaml

from microstack.environment import ensure_environment
from tests.rig.snapd_host import CHECKOUT, PATIENCE, Host
from tests.rig.snapd_machine import MachineError

UNIT = "model"
FOLDER = "/var/tmp/model"
"""In the machine: the agent's state and socket."""


class Model:
    """An agent of `machine`, and its `juju`."""

    def __init__(self, host: Host) -> None:
        """Prepare it; nothing runs yet."""
        packages = next(
            ensure_environment(CHECKOUT / "requirements/project.txt", print).glob(
                "lib/python3*/site-packages"
            )
        )
        self._host = host
        self._libraries = (f"{host.checkout}/lib", host.checkout, host.machine.share(packages))
        path = ":".join(self._libraries)
        # Libraries are compiled for one version of the interpreter.
        self._machine = (packages.parent.name, "-m", "machine")
        self._variables = {
            "PYTHONPATH": path,
            "PYTHONDONTWRITEBYTECODE": "1",
            "MACHINE_SOCKET": f"{FOLDER}/socket",
        }

    def start(self) -> None:
        """Start the agent and wait until it answers."""
        options = ["--state", f"{FOLDER}/state", "--socket", f"{FOLDER}/socket"]
        for library in self._libraries:
            options += ["--python-path", library]
        variables = [f"--setenv={name}={value}" for name, value in self._variables.items()]
        self._host.machine.run("mkdir", "-m", "700", FOLDER)
        command = [*self._machine, "agent", *options]
        self._host.machine.run("systemd-run", "--unit", UNIT, *variables, *command)
        self._host.machine.shell(
            f"timeout {PATIENCE} sh -c 'until test -S {FOLDER}/socket; do sleep 0.2; done'",
            timeout=PATIENCE,
        )

    def juju(self, *arguments: str, timeout: float = PATIENCE) -> str:
        """Run a command of `juju`; return what it wrote.

        Raises:
            MachineError: it failed.
        """
        variables = [f"{name}={value}" for name, value in self._variables.items()]
        command = ["env", *variables, *self._machine, "juju", *arguments]
        return self._host.machine.run(*command, timeout=timeout).output

    def await_active(self, application: str, timeout: float) -> None:
        """Wait until an application is active and its hooks have run.

        Raises:
            MachineError: it is blocked or in error.
            tenacity.RetryError: it is not, in so many seconds.
        """
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda settled: not settled),
            stop=tenacity.stop_after_delay(timeout),
            wait=tenacity.wait_fixed(2),
        )
        retrying(self._is_active, application)

    def _is_active(self, application: str) -> bool:
        status = json.loads(self.juju("status", application, "--format", "json"))
        found = status["applications"][application]
        if found["application-status"]["current"] in ("blocked", "error"):
            raise MachineError(f"{application} is {found['application-status']}")
        idle = all(u["juju-status"]["current"] == "idle" for u in found["units"].values())
        return idle and found["application-status"]["current"] == "active"

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(AssertionError),
        stop=tenacity.stop_after_delay(PATIENCE),
        wait=tenacity.wait_fixed(2),
        reraise=True,
    )
    def await_gone(self, application: str) -> None:
        """Wait until an application is gone, and with it the relations that others had to it."""
        status = json.loads(self.juju("status", "--format", "json"))
        assert application not in status["applications"]

    def act(self, unit: str, action: str) -> dict[str, Any]:
        """Run an action; return its results."""
        told = yaml.safe_load(self.juju("run", unit, action, "--format", "yaml"))
        return next(iter(told.values()))["results"]

    def stop(self) -> None:
        """End the agent; leave nothing of it."""
        self._host.machine.run("systemctl", "stop", UNIT)
        self._host.machine.run("rm", "-r", FOLDER)


def charm(folder: Path) -> Path:
    """Make the appliance's charm in a folder, laid out as it is when packed; return the folder."""
    shutil.copytree(CHECKOUT / "appliance/src", folder / "src")
    shutil.copy(CHECKOUT / "charmcraft.yaml", folder)
    return folder
