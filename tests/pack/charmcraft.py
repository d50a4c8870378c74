"""Packs charms with charmcraft, on a host that has neither snapd nor LXD.

charmcraft builds for the base that its charm names, on that very release: in a mount namespace of
its own it is told that this is Ubuntu 24.04. The environments in the packed charms are of this
host's Python all the same, so what is packed here is for checks and not for the store.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from microstack import environment

LOCK = Path(__file__).parents[2] / "requirements/pack.txt"
WORK = ("parts", "prime", "stage")
"""Where charmcraft works, in a charm's folder."""

_NOBLE = """\
NAME="Ubuntu"
PRETTY_NAME="Ubuntu 24.04 LTS"
ID=ubuntu
ID_LIKE=debian
VERSION_ID="24.04"
VERSION_CODENAME=noble
UBUNTU_CODENAME=noble
"""
_IN_NAMESPACE = 'mount --bind "$0" "$(readlink -f /etc/os-release)" && exec "$@"'


_PACKAGES = Path("/usr/lib/python3/dist-packages")
_APT = ("apt", "aptsources", "apt_pkg.*.so", "apt_inst.*.so")


def _link_apt(folder: Path) -> None:
    """Lend an environment the distribution's python-apt, and nothing else of the distribution."""
    (packages,) = folder.glob("lib/python3*/site-packages")
    for module in (found for pattern in _APT for found in _PACKAGES.glob(pattern)):
        link = packages / module.name
        link.unlink(missing_ok=True)
        link.symlink_to(module)


@dataclass(frozen=True)
class Charmcraft:
    """charmcraft in an environment of its own.

    Attributes:
        folder: the environment; uv, which builds those of the charms, is in it too.
        scratch: a folder for what is no result.
    """

    folder: Path
    scratch: Path

    @classmethod
    def installed(cls, scratch: Path) -> Charmcraft:
        """Install what is missing. python-apt is the distribution's: it is on no index."""
        environment.ensure_packages(["python3-apt", "git"], print)
        folder = environment.ensure_environment(LOCK, print)
        _link_apt(folder)
        (scratch / "os-release").write_text(_NOBLE)
        return cls(folder, scratch)

    def pack(self, charm: Path) -> Path:
        """Pack a charm's folder within a git checkout; return the file, `NAME.charm` in it."""
        file = charm / "charmcraft.yaml"
        # uv comes from the environment: a snap cannot be installed here.
        file.write_text(re.sub(r"\n *build-snaps: \[astral-uv\]", "", file.read_text()))
        self._run(charm, "uv", "lock", "--quiet")
        command = ["unshare", "--mount", "sh", "-c", _IN_NAMESPACE, self.scratch / "os-release"]
        self._run(charm, *command, "charmcraft", "pack", "--destructive-mode")
        # Every charm is built from all of the project: what is left would be copied by the next.
        for folder in WORK:
            shutil.rmtree(charm / folder, ignore_errors=True)
        (packed,) = charm.glob("*_*.charm")
        return packed.rename(charm / f"{packed.name.partition('_')[0]}.charm")

    def linted(self, packed: Path) -> Mapping[str, str]:
        """What each of charmcraft's linters found: ok, warning, error or nonapplicable."""
        done = subprocess.run(
            [self.folder / "bin/charmcraft", "analyse", "--format", "json", packed],
            env=self._environment(), stdout=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        checks = json.loads(done.stdout)
        return {c["name"]: c["result"] for c in checks if c["check_type"] == "lint"}

    def _run(self, folder: Path, *command: str | Path) -> None:
        done = subprocess.run(
            command, cwd=folder, env=self._environment(), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            sys.stderr.write(done.stdout)
            raise AssertionError(f"{command[0]} failed in {folder}")

    def _environment(self) -> dict[str, str]:
        return {
            **{k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")},
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "CHARMCRAFT_EXPERIMENTAL_MONOREPO": "1",
            "XDG_RUNTIME_DIR": str(self.scratch),
        }
