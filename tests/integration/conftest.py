"""A model to test with: of `machine`, or, with JUJU naming a `juju`, of a controller.

    pytest tests/integration                               # machine, on a folder of its own
    JUJU=juju JUJU_CHARMS=packed pytest tests/integration  # the current controller

A controller takes packed charms only: JUJU_CHARMS is the folder with `db_*.charm` and the like,
made by `charmcraft pack` from `tests/machine/charms`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
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


@pytest.fixture(scope="module")
def juju(tmp_path_factory: pytest.TempPathFactory) -> Iterator[jubilant.Juju]:
    """A client of an empty model."""
    controller = os.environ.get("JUJU")
    if controller is not None:
        with _temporary_model(jubilant.Juju(cli_binary=controller)) as juju:
            yield juju
        return
    folder = tmp_path_factory.mktemp("machine")
    with _agent(folder):
        yield jubilant.Juju(cli_binary=_command(folder), model="test", wait_timeout=PATIENCE)


@contextlib.contextmanager
def _temporary_model(juju: jubilant.Juju) -> Iterator[jubilant.Juju]:
    """A model of a controller; `jubilant.temp_model` knows only the `juju` of the PATH."""
    juju.add_model(f"integration-{secrets.token_hex(4)}")
    try:
        yield juju
    finally:
        assert juju.model
        juju.destroy_model(juju.model, destroy_storage=True, force=True)


def _command(folder: Path) -> Path:
    """A `juju` that talks to the agent of a folder."""
    command = folder / "juju"
    command.write_text(
        f"#!/bin/sh\nPYTHONPATH={ROOT}/lib MACHINE_SOCKET={folder}/socket "
        f'exec {sys.executable} -m machine juju "$@"\n'
    )
    command.chmod(0o755)
    return command


@contextlib.contextmanager
def _agent(folder: Path) -> Iterator[None]:
    options = ("--state", folder / "state", "--socket", folder / "socket", "--model", "test")
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
