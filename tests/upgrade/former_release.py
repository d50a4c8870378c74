"""This checkout as it would be with the release of OpenStack before, from the package index.

Code, charms and templates are this checkout's; packages are the newest of the former release on a
day when it was the current one.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from microstack.environment import ensure_environment
from workload.config import RELEASE

CHECKOUT = Path(__file__).parents[2]
FORMER = "2026.1"
DAY = "2026-05-15"
LEFT_OUT = shutil.ignore_patterns(".git", ".tox", "__pycache__", "artefacts")
NAMING_THE_RELEASE = (
    *("lib/workload/config/base.py", "snap/snapcraft.yaml"),
    *("charmcraft.yaml", "charms/*/charmcraft.yaml"),
)
OF_THAT_DAY = "cryptography<46\n"
"""What the former release was tested with; it names elliptic curves that a later one lacks."""


def make(folder: Path) -> Path:
    """Make the checkout in a folder, with requirements locked; return the folder.

    Raises:
        subprocess.CalledProcessError: there are no such packages.
    """
    shutil.copytree(CHECKOUT, folder, ignore=LEFT_OUT)
    for pattern in NAMING_THE_RELEASE:
        for path in folder.glob(pattern):
            text = path.read_text()
            assert RELEASE in text, path
            path.write_text(text.replace(RELEASE, FORMER))
    wanted = folder / "requirements/openstack.in"
    wanted.write_text(wanted.read_text().replace("==", "<") + OF_THAT_DAY)
    _lock(wanted)
    return folder


def _lock(wanted: Path) -> None:
    environment = ensure_environment(CHECKOUT / "requirements/project.txt", print)
    lock = wanted.with_suffix(".txt")
    lock.unlink()
    command = [environment / "bin/uv", "pip", "compile", "--quiet", "--exclude-newer", DAY]
    command += ["--universal", "--python-version", "3.11", "--generate-hashes"]
    subprocess.run([*command, wanted, "--output-file", lock], check=True)
