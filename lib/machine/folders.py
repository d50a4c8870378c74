"""Where the agent keeps what belongs to units and to storage."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folders:
    """Where the agent keeps what belongs to units, below its state folder."""

    state: Path

    def charm(self, unit: str) -> Path:
        """The folder that a unit's charm runs in."""
        return self.state / "units" / dashed(unit) / "charm"

    def sweep(self, units: Collection[str]) -> None:
        """Remove what belongs to other units than these; another one may get the same name."""
        kept = {dashed(unit) for unit in units}
        for folder in self.state.glob("units/*"):
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    @property
    def storages(self) -> Path:
        """The folder of all instances of storage."""
        return self.state / "storage"

    def resource(self, unit: str, name: str) -> Path:
        """The folder of a unit's copy of a resource."""
        return self.state / "units" / dashed(unit) / "resources" / name


def dashed(name: str) -> str:
    """The name of a unit as part of a path or of a tag."""
    return name.replace("/", "-")


def copied(source: Path, target: Path) -> Path:
    """The target, a copy of the source; what reads it sees a whole one at any time.

    Raises:
        OSError: it cannot be copied.
    """
    if not target.exists() or not filecmp.cmp(source, target, shallow=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".{target.name}.new")
        shutil.copy2(source, aside)
        aside.replace(target)
    return target
