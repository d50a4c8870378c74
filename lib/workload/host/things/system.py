"""Files, mounts, kernel parameters and modules of the host."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

from workload.host.mounts import mount_points
from workload.host.things.thing import Thing, UndoError, run


class File(Thing):
    """A file outside the appliance's folder."""

    kind: Literal["file"] = "file"
    path: Path

    def __str__(self) -> str:
        return f"file {self.path}"

    def exists(self) -> bool:
        """Whether it is there."""
        return self.path.exists() or self.path.is_symlink()

    def undo(self) -> None:
        """Delete it."""
        self.path.unlink()


class Directory(Thing):
    """A folder outside the appliance's folder.

    Attributes:
        contents: whether all that is in it goes with it; else it stays while it holds something.
    """

    kind: Literal["directory"] = "directory"
    path: Path
    contents: bool = False

    def __str__(self) -> str:
        return f"folder {self.path}" + (" with its contents" if self.contents else "")

    def exists(self) -> bool:
        """Whether it is there."""
        return self.path.is_dir()

    def undo(self) -> None:
        """Delete it."""
        if not self.contents:
            return self.path.rmdir()
        # Never into what is mounted below: that has an entry of its own.
        if mounts := [mount for mount in mount_points() if self.path in mount.parents]:
            raise UndoError(f"{mounts[0]} is still mounted")
        shutil.rmtree(self.path)


class Mount(Thing):
    """A mounted file system."""

    kind: Literal["mount"] = "mount"
    path: Path

    def __str__(self) -> str:
        return f"mount {self.path}"

    def exists(self) -> bool:
        """Whether it is mounted."""
        return self.path in mount_points()

    def undo(self) -> None:
        """Unmount it."""
        run(["umount", str(self.path)])


class Sysctl(Thing):
    """A kernel parameter, e.g. `net.ipv4.ip_forward`, and what it was before."""

    kind: Literal["sysctl"] = "sysctl"
    name: str
    value: str
    previous: str

    def __str__(self) -> str:
        return f"kernel parameter {self.name} = {self.value}, before {self.previous}"

    @property
    def key(self) -> str:
        """Its name: what it was before is what it was before the first change."""
        return self.name

    @property
    def path(self) -> Path:
        """Its file."""
        return Path("/proc/sys", *self.name.split("."))

    def exists(self) -> bool:
        """Whether it still has the value it was given; another one is someone else's."""
        return self.path.exists() and self.path.read_text().strip() == self.value

    def undo(self) -> None:
        """Give it the value it had."""
        self.path.write_text(self.previous)


class Module(Thing):
    """A kernel module."""

    kind: Literal["module"] = "module"
    name: str

    def __str__(self) -> str:
        return f"kernel module {self.name}"

    def exists(self) -> bool:
        """Whether it is loaded."""
        return Path("/sys/module", self.name.replace("-", "_"), "refcnt").exists()

    def undo(self) -> None:
        """Unload it."""
        run(["modprobe", "--remove", self.name])
