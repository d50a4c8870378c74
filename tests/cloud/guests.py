"""Guests of the cloud, as its user reaches them."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

PRINTED = re.compile(
    r"^(?P<name>\S+): (?P<ssh>ssh .*@(?P<address>\S+))\nconsole: (?P<console>\S+)$"
)


@dataclass(frozen=True)
class Guest:
    """What `microstack launch` printed of a guest."""

    name: str
    ssh: str
    address: str
    console: str

    @classmethod
    def printed(cls, text: str) -> Guest:
        """Read the command's output."""
        match = PRINTED.match(text.strip())
        assert match, text
        return cls(**match.groupdict())

    def run(self, command: str, timeout: float = 60) -> str:
        """Run a shell command in the guest by the printed line; its output."""
        line = [*shlex.split(self.ssh), "-o", "BatchMode=yes", command]
        done = subprocess.run(line, capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def wait_until(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Wait until a condition holds; fail saying what was awaited."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(0.3)
