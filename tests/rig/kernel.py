"""User Mode Linux: how its kernel is started, whatever then runs on it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from microstack.environment import ensure_packages

WIDE_REGISTERS = Path(__file__).with_name("wide_registers.c")
PACKAGES = ("user-mode-linux", "gcc", "libc6-dev")


def command() -> list[str]:
    """Return the kernel's command, without its parameters.

    Unpinned, the same run takes up to ten times as long.
    """
    processor = max(os.sched_getaffinity(0))
    return ["taskset", "--cpu-list", str(processor), "linux.uml"]


def variables(folder: Path) -> dict[str, str]:
    """Return the environment that the kernel wants.

    Args:
        folder: where what is preloaded is built; it must outlast the start.
    """
    ensure_packages(PACKAGES, print)
    library = folder / WIDE_REGISTERS.with_suffix(".so").name
    build = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(library), str(WIDE_REGISTERS)]
    subprocess.run(build, check=True)
    return {**os.environ, "LD_PRELOAD": str(library)}
