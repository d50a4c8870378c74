"""An agent as a process, for tests: on a folder of its own, started and stopped at will."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from machine.client import Error
from machine.juju_client import JujuClient

CHARMS = Path(__file__).parent / "charms"
LIB = Path(__file__).parents[2] / "lib"
PATIENCE = 180.0
T = TypeVar("T")


class Agent:
    """An agent on a folder of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.client = JujuClient(folder / "socket")
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **variables: str) -> None:
        command = [sys.executable, "-m", "machine", "agent", "--state", str(self.state)]
        command += ["--socket", str(self.folder / "socket"), *self._options]
        env = {"PYTHONPATH": str(LIB), "PATH": os.environ["PATH"], **variables}
        self._process = subprocess.Popen(command, env=env)
        until(lambda: self.answers() or None, "the agent answers")

    def answers(self) -> bool:
        try:
            return bool(self.client.status())
        except Error:
            return False

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self._process
        self._process.send_signal(number)
        return self._process.wait(PATIENCE)

    def close(self) -> None:
        if self._process and self._process.poll() is None:
            self.stop()

    def deploy(self, text: str) -> list[str]:
        bundle = self.folder / "bundle.yaml"
        bundle.write_text(textwrap.dedent(text).replace("CHARMS", str(CHARMS)))
        return self.client.deploy(bundle)

    def settle(self) -> None:
        self.client.wait_idle(PATIENCE)

    def message(self, unit: str) -> str:
        return self.unit(unit)["workload-status"].get("message", "")

    def unit(self, name: str) -> dict[str, Any]:
        application = name.partition("/")[0]
        return self.client.status()["applications"][application]["units"][name]

    def until_error(self, unit: str) -> None:
        until(
            lambda: self.unit(unit)["workload-status"]["current"] == "error" or None,
            f"{unit} is in error",
        )

    def charm(self, unit: str) -> Path:
        return self.state / "units" / unit.replace("/", "-") / "charm"

    def outcomes(self, unit: str, hook: str) -> list[str]:
        return [r.outcome for r in self.client.hooks() if (r.unit, r.hook) == (unit, hook)]


def until(condition: Callable[[], T | None], what: str) -> T:
    deadline = time.monotonic() + PATIENCE
    while (found := condition()) is None:
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.02)
    return found


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
