#!/usr/bin/python3
"""Builds the snap with nothing but apt and Python: no snapcraft, no store, no LXD.

    python3 snap/build.py --output DIR [--parts NAME,...] [--work DIR]

The parts of snapcraft.yaml are run by craft-parts, as snapcraft runs them, on this machine's
distribution; meta/snap.yaml is made from the same file, and `snap pack` of the distribution's
snapd, unpacked and not installed, makes the snap. What is done already is not done again. Root,
for packages to build with are installed. Released snaps are built by snapcraft.

This file makes the environment that craft.py, which does the work, runs in.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT / "lib"))
sys.dont_write_bytecode = True

from microstack import environment  # noqa: E402 - of this checkout, found by the line above

PACKAGES = ("dpkg-dev", "python3-apt", "python3-venv")
"""What building takes of the distribution, beside the parts' build-packages."""


def main() -> None:
    """Become craft.py with the same arguments."""
    requirements = CHECKOUT / "requirements"
    try:
        environment.ensure_packages(PACKAGES, announce)
        project = environment.ensure_environment(requirements / "project.txt", announce)
        # python3-apt is the distribution's alone.
        folder = environment.ensure_environment(
            requirements / "snap.txt", announce, system_packages=True
        )
    except (environment.InstallationError, OSError) as error:
        sys.exit(f"error: {error}")
    python = folder / "bin/python"
    variables = {
        # uv is the project's.
        "PATH": f"{folder / 'bin'}:{project / 'bin'}:{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": f"{CHECKOUT / 'lib'}:{CHECKOUT}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [str(python), str(CHECKOUT / "snap/craft.py"), *sys.argv[1:]]
    os.execve(python, command, {**os.environ, **variables})  # noqa: S606 - no shell is wanted


def announce(step: str) -> None:
    """Say what takes time; on stderr, so that output stays fit for a pipe."""
    print(f"snap: {step}", file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
