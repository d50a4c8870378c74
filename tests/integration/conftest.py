"""A model to test with: of `machine`, or, with JUJU naming a `juju`, of a controller.

    pytest tests/integration                               # machine, on a folder of its own
    JUJU=juju JUJU_CHARMS=packed pytest tests/integration  # the current controller

A controller takes packed charms only: JUJU_CHARMS is the folder with `db_*.charm` and the like,
made by `charmcraft pack` from `tests/machine/charms`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jubilant
import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0


@pytest.fixture(scope="session")
def charm() -> Callable[[str], Path]:
    """Where the charm of a name is."""
    packed = os.environ.get("JUJU_CHARMS")
    if packed is None:
        return lambda name: ROOT / "tests/machine/charms" / name
    return lambda name: next(Path(packed).resolve().glob(f"{name}_*.charm"))


@pytest.fixture(scope="session", autouse=True)
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The `juju` that is tested, first on the PATH: jubilant knows only that one by itself."""
    folder = tmp_path_factory.mktemp("juju")
    command = folder / "juju"
    controller = os.environ.get("JUJU")
    with contextlib.ExitStack() as stack:
        if controller is None:
            stack.enter_context(_agent(folder))
            controller = (
                f"env PYTHONPATH={ROOT}/lib MACHINE_SOCKET={folder}/socket "
                f"{sys.executable} -m machine juju"
            )
        command.write_text(f'#!/bin/sh\nexec {controller} "$@"\n')
        command.chmod(0o755)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        yield command


@pytest.fixture(scope="module")
def juju(command: Path) -> Iterator[jubilant.Juju]:
    """A client of an empty model, which is destroyed at the end."""
    with jubilant.temp_model() as juju:
        juju.wait_timeout = PATIENCE
        yield juju


@contextlib.contextmanager
def _agent(folder: Path) -> Iterator[None]:
    options = ("--state", folder / "state", "--socket", folder / "socket", "--model", "controller")
    with (folder / "agent.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "machine", "agent", *map(str, options)],
            env={"PYTHONPATH": f"{ROOT}/lib", "PATH": os.environ["PATH"]},
            stderr=log,
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not (folder / "socket").exists():
            assert process.poll() is None, (folder / "agent.log").read_text()
            assert time.monotonic() < deadline, "the agent's socket did not appear"
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)
