"""Loop devices, volume groups, iSCSI targets and sessions."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Literal

from workload.host import initiator, lvm, targets
from workload.host.things.thing import Thing, UndoError, run


class LoopDevice(Thing):
    """The loop devices of a file."""

    kind: Literal["loop-device"] = "loop-device"
    file: Path

    def __str__(self) -> str:
        return f"loop device of {self.file}"

    def exists(self) -> bool:
        """Whether there is any."""
        return bool(self.devices())

    def undo(self) -> None:
        """Detach them."""
        for device in self.devices():
            run(["losetup", "--detach", device])

    def devices(self) -> list[str]:
        """Return their paths."""
        listed = subprocess.run(
            ["losetup", "--noheadings", "--output", "NAME", "--associated", str(self.file)],
            capture_output=True,
            text=True,
            check=False,
        )
        return listed.stdout.split()


class VolumeGroup(Thing):
    """A volume group of LVM with its logical volumes.

    Attributes:
        device: what it is on, or the file that this is the loop device of; None for the
            appliance's backing file.
        system_dir: folder with the lvm.conf that limits commands to that device.
    """

    kind: Literal["volume-group"] = "volume-group"
    name: str
    device: Path | None = None
    system_dir: Path

    def __str__(self) -> str:
        return f"volume group {self.name}"

    def exists(self) -> bool:
        """Whether it is there and its device attached."""
        try:
            return lvm.has_group(self.system_dir)
        except lvm.LvmError as error:
            raise UndoError(str(error)) from None

    def undo(self) -> None:
        """Remove it, and LVM's label from its device."""
        columns = ("--noheadings", "--options", "pv_name")
        try:
            devices = lvm.run(self.system_dir, "pvs", *columns).split()
            lvm.run(self.system_dir, "vgremove", "--force", "--yes", self.name)
            lvm.run(self.system_dir, "pvremove", "--yes", *devices)
            lvm.forget_nodes()
        except lvm.LvmError as error:
            raise UndoError(str(error)) from None


class Targets(Thing):
    """iSCSI targets that are made for volumes as they come and go.

    Attributes:
        prefix: what their names begin with.
        snap: `$SNAP`, whose interpreter has rtslib.
    """

    kind: Literal["iscsi-targets"] = "iscsi-targets"
    prefix: str
    snap: Path

    def __str__(self) -> str:
        return f"iSCSI targets {self.prefix}*"

    @property
    def key(self) -> str:
        """The prefix."""
        return self.prefix

    def exists(self) -> bool:
        """Whether there is any."""
        return targets.exist()

    def undo(self) -> None:
        """End them."""
        command = [str(self.snap / "openstack/bin/python"), "-m", targets.__name__]
        run(["env", f"PYTHONPATH={self.snap / 'lib'}", *command])


class TargetFabric(Thing):
    """That the kernel takes iSCSI targets at all; as long as it does, modules are in use."""

    kind: Literal["iscsi-fabric"] = "iscsi-fabric"

    def __str__(self) -> str:
        return "the kernel's readiness for iSCSI targets"

    def exists(self) -> bool:
        """Whether it does, and nobody has a target; it is theirs once they have one."""
        return targets.takes_targets() and not targets.of_anyone()

    def undo(self) -> None:
        """Have it take none."""
        targets.FABRIC.rmdir()


class Sessions(Thing):
    """iSCSI sessions with the appliance's targets.

    Attributes:
        prefix: what the targets' names begin with.
        snap: `$SNAP`, whose tools end them.
    """

    kind: Literal["iscsi-sessions"] = "iscsi-sessions"
    prefix: str
    snap: Path

    def __str__(self) -> str:
        return f"iSCSI sessions with {self.prefix}*"

    @property
    def key(self) -> str:
        """The prefix."""
        return self.prefix

    def exists(self) -> bool:
        """Whether there is any."""
        return bool(initiator.sessions(self.prefix))

    def undo(self) -> None:
        """Log out."""
        try:
            initiator.end(self.prefix, self.snap)
        except initiator.SessionError as error:
            raise UndoError(str(error)) from None
