"""How a unit's charm is run: as a program of its own, or in a fork of the loaded charm."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from machine.runner import Job
from machine.unit import Hook


class NotImplementedByCharmError(Exception):
    """The charm has no program for the hook or action."""


def job(
    version: int,
    charm: Path,
    hook: Hook,
    env: Mapping[str, str],
    python_path: Sequence[str],
    *,
    fork: bool = True,
) -> Job:
    """What to run for a hook.

    A charm that runs in the agent's Python environment runs in a fork; with `fork` false it is
    run as a program all the same.

    Raises:
        NotImplementedByCharmError: nothing is there to run; for a hook that is no failure.
    """
    if runs_here(charm):
        if fork:
            path = [str(charm / "lib"), str(charm / "src"), *python_path]
            return Job(version, charm, env, path=path)
        env = {**env, "PYTHONPATH": os.pathsep.join(python_path)}
    for program in (charm / "dispatch", charm / env["JUJU_DISPATCH_PATH"]):
        if program.exists():
            return Job(version, charm, env, (str(program),))
    kind = "action" if hook.action else "hook"
    raise NotImplementedByCharmError(f"{kind} {hook.name} is not implemented by the charm")


def shell(version: int, charm: Path, env: Mapping[str, str], command: str) -> Job:
    """A command of the shell in place of the charm, with a hook's environment and tools."""
    return Job(version, charm, env, ("/bin/bash", "-c", command))


def runs_here(charm: Path) -> bool:
    """Whether the charm runs in the agent's Python environment: it has no other, and no way.

    A `dispatch` that the charm's folder brings is linked; ours is a file.
    """
    own_way = (charm / "venv").exists() or (charm / "dispatch").is_symlink()
    return (charm / "src/charm.py").is_file() and not own_way
