"""Where volumes are kept: a device or a backing file, and on it a volume group with a thin pool.

Volumes are exported as iSCSI targets, by Cinder's driver. What is made is entered into the ledger
first. Each step may be repeated: one that was cut short is brought to its end by the next.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from workload.host import initiator, lvm, targets
from workload.host.things import (
    File,
    LoopDevice,
    Sessions,
    TargetFabric,
    Targets,
    VolumeGroup,
)
from workload.ledger import Ledger

OWNER = "cinder-lvm"

MODULES = (
    "dm_mod",
    "dm_thin_pool",
    "dm_snapshot",
    "loop",
    "configfs",
    "target_core_mod",
    "target_core_iblock",
    "iscsi_target_mod",
    "iscsi_tcp",
    "sd_mod",
)
"""Kernel modules: LVM's, the loop device's, LIO's and the iSCSI initiator's."""

CONFIGFS = Path("/sys/kernel/config")
"""Where the kernel is told of targets."""

BY_ID = Path("/dev/disk/by-id")
"""Names of disks that a boot does not change, made by udev of what a disk says of itself."""

RESERVE = 2**30
"""Bytes that a backing file leaves to its file system when it has grown to its full size."""

_UNITS = {"M": 2**20, "G": 2**30, "T": 2**40}


class StorageError(Exception):
    """Storage that cannot be made, grown or removed; the message says why and what to do."""


class HostLacksError(StorageError):
    """The host lacks a kernel module, or room; the message names it."""


def parse_size(text: str) -> int:
    """Return the bytes of a size in binary units: `20G` and `20GiB` are 20 * 2**30.

    Raises:
        StorageError: it isn't such a size.
    """
    match = re.fullmatch(r"([1-9][0-9]*)([MGT])(?:iB)?", text.strip())
    if not match:
        raise StorageError(f"size {text!r}: must be in binary units, e.g. 20G for 20 GiB")
    return int(match[1]) * _UNITS[match[2]]


def require_modules() -> None:
    """Load the kernel modules that are not there yet, and mount where targets are configured.

    Both stay: others may use them by then.

    Raises:
        HostLacksError: the kernel has no such module.
        StorageError: the file system cannot be mounted.
    """
    for name in MODULES:
        if not Path("/sys/module", name).exists():
            _load(name)
    if not os.path.ismount(CONFIGFS):
        _run("mount", "-t", "configfs", "configfs", str(CONFIGFS))


def targets_folder(common: Path) -> Path:
    """Return where the targets are kept, to be back after a boot; `common` is `$SNAP_COMMON`."""
    return common / "lib" / "cinder-lvm" / "targets"


@dataclass(frozen=True)
class BlockStorage:
    """The storage of this appliance.

    Attributes:
        common: `$SNAP_COMMON`.
        ledger: the host's.
        snap: `$SNAP`.
    """

    common: Path
    ledger: Ledger
    snap: Path = Path("/snap/microstack/current")

    @property
    def file(self) -> Path:
        """The backing file."""
        return self.common / "cinder-lvm.img"

    @property
    def system_dir(self) -> Path:
        """LVM's folder of configuration."""
        return self.common / "etc" / "lvm"

    @property
    def group(self) -> VolumeGroup | None:
        """The volume group as the ledger has it."""
        made = (line.made for line in self.ledger.entries(OWNER))
        return next((thing for thing in made if isinstance(thing, VolumeGroup)), None)

    @property
    def origin(self) -> Path | None:
        """What the volume group is on: a device, or the file of a loop device; None without it."""
        group = self.group
        return None if group is None else group.device or self.file

    def is_on(self, device: Path) -> bool:
        """Whether the volume group is on this device, by whichever of its names."""
        origin = self.origin
        return origin is not None and origin.resolve() == _origin(device).resolve()

    def setup(self, size: int, device: Path | None = None, *, force: bool = False) -> None:
        """Make the volume group, on a sparse file or on a device of its own; again does no harm.

        One that is there stays where it is, wherever it is asked for: `is_on` tells.

        Args:
            size: bytes of the backing file; not used with a device.
            device: a whole disk or partition.
            force: take the device though it has data on it, and lose them.

        Raises:
            StorageError: it is refused, nothing was changed: the device has data on it, or what
                was made in another place is not found there.
            lvm.LvmError: LVM refuses.
        """
        require_modules()
        if self.group is not None:
            self.start()
            if lvm.has_group(self.system_dir):
                self._finish()
                return
            if not self.is_on(device or self.file):
                raise StorageError(
                    f"no volume group is found on {self.origin}, where it was made: mend that, or "
                    "run cinder-lvm-teardown first"
                )
        elif device is None:
            self._check_room(size)
        # Also where the group is known and not found: what is there instead may be its volumes.
        if device is not None and not force:
            _check_empty(device)
        self._make(size, device)

    def start(self) -> None:
        """Bring back after a boot what was there: loop device, active volumes, their targets.

        Raises:
            StorageError, lvm.LvmError: it cannot be brought back.
        """
        group = self.group
        if group is None:
            return
        require_modules()
        if group.device is None and not self.file.exists():
            return
        lvm.limit(self.system_dir, self._device())
        if lvm.has_group(self.system_dir):
            lvm.run(self.system_dir, "vgchange", "--activate", "y", lvm.GROUP)
            if failures := targets.restore(targets_folder(self.common)):
                raise StorageError("; ".join(failures))

    def stop(self) -> None:
        """Take down what `start` brings up: nothing of it is in use on the host any longer.

        Raises:
            StorageError: a guest has a volume, and would read zeros from then on: QEMU takes a
                disk that is gone for one that has ended. Nothing was changed.
            things.UndoError: something is in use; all else is taken down.
            lvm.LvmError: LVM refuses.
        """
        group = self.group
        if group is None:
            return
        if used := initiator.used(targets.PREFIX):
            raise StorageError(
                f"{', '.join(map(str, used))} is in use, as a volume of a guest that runs: stop "
                "the guests first"
            )
        for thing in self._in_use:
            if thing.exists():
                thing.undo()
        if lvm.has_group(self.system_dir):
            lvm.run(self.system_dir, "vgchange", "--activate", "n", lvm.GROUP)
        if group.device is None:
            LoopDevice(file=self.file).undo()

    def grow(self, size: int) -> None:
        """Give the storage more room while it is in use.

        Args:
            size: bytes of the backing file from now on; a device is used up to its present end.

        Raises:
            StorageError: there is none, it would shrink, or there is too little room.
            lvm.LvmError: LVM refuses.
        """
        group = self.group
        if group is None:
            raise StorageError("there is no storage to grow: run cinder-lvm-setup first")
        device = self._device() if group.device else self._grow_file(size)
        lvm.run(self.system_dir, "pvresize", str(device))
        lvm.run(self.system_dir, "lvextend", "--extents", "+95%FREE", f"{lvm.GROUP}/{lvm.POOL}")

    def usage(self) -> dict[str, int]:
        """Return the thin pool's size in MiB, and how full it and its table are, in percent.

        Raises:
            StorageError: there is none.
            lvm.LvmError: LVM refuses.
        """
        if self.group is None:
            raise StorageError("there is no storage: run cinder-lvm-setup first")
        return lvm.pool_usage(self.system_dir)

    def teardown(self, *, force: bool = False) -> None:
        """Remove all that `setup` made.

        Args:
            force: also where volumes are left, which are lost.

        Raises:
            StorageError: volumes are left.
            things.UndoError: a volume is in use; nothing was removed.
            ledger.LedgerError: something is in use.
        """
        if lvm.has_group(self.system_dir) and not force:
            left = lvm.volumes(self.system_dir)
            if left:
                raise StorageError(
                    f"{len(left)} volumes are left, {left[0]} among them: delete them, or lose "
                    "them with force=true"
                )
        group = self.group
        if group is not None and group.exists():
            # First and by themselves: where one is in use, what it is on must stay.
            for thing in (*self._in_use, group):
                if thing.exists():
                    thing.undo()
        self.ledger.undo(OWNER)
        targets.forget(targets_folder(self.common))

    @property
    def _in_use(self) -> tuple[Sessions, Targets]:
        """What holds volumes open, in the order it must end."""
        return (
            Sessions(prefix=targets.PREFIX, snap=self.snap),
            Targets(prefix=targets.PREFIX, snap=self.snap),
        )

    def _make(self, size: int, device: Path | None) -> None:
        system_dir = self.system_dir
        if device is None:
            self.ledger.make(OWNER, File(path=self.file), lambda: _make_file(self.file, size))
            loop = LoopDevice(file=self.file)
            self.ledger.make(OWNER, loop, lambda: _attached(loop))
        on = device or self._device()
        lvm.limit(system_dir, on)
        # Where it is made once more, by the name that the ledger has.
        origin = None if device is None else self.origin or _origin(device)
        thing = VolumeGroup(name=lvm.GROUP, device=origin, system_dir=system_dir)
        self.ledger.make(OWNER, thing, lambda: _make_group(system_dir, on))
        self._finish()

    def _finish(self) -> None:
        """Make what comes after the group; a setup that was cut off there had not got so far."""
        if not lvm.has_pool(self.system_dir):
            _make_pool(self.system_dir)
        # The ledger undoes what came last first, and no session can log out without its target.
        lasting = (File(path=targets.lock()), TargetFabric())
        for others_make in (*lasting, *reversed(self._in_use)):
            self.ledger.make(OWNER, others_make, lambda: None)

    def _device(self) -> Path:
        """Return the device that volumes are on; attach it first where it is a file's."""
        origin = self.origin or self.file
        if not origin.exists():
            raise StorageError(f"{origin} is gone, and the volumes with it: attach it again")
        if origin.is_block_device():
            # LVM's filter is for the name that the kernel gives it now.
            return origin.resolve()
        return _attached(LoopDevice(file=origin))

    def _check_room(self, size: int) -> None:
        room = os.statvfs(self.common)
        free = room.f_bavail * room.f_frsize - RESERVE
        if size > free:
            raise HostLacksError(
                f"{self.common} has room for {max(free, 0) / 2**30:.1f} GiB of volumes, "
                f"{size / 2**30:.1f} GiB are asked for: give a smaller size or a device"
            )

    def _grow_file(self, size: int) -> Path:
        status = self.file.stat()
        if size < status.st_size:
            raise StorageError(
                f"the storage has {status.st_size / 2**30:.1f} GiB: it cannot shrink"
            )
        self._check_room(size - status.st_blocks * 512)
        os.truncate(self.file, size)
        device = self._device()
        _run("losetup", "--set-capacity", str(device))
        return device


def _attached(loop: LoopDevice) -> Path:
    """Return a file's loop device; attach it first where it is not."""
    if not loop.exists():
        _run("losetup", "--find", str(loop.file))
    return Path(loop.devices()[0])


def _origin(device: Path) -> Path:
    """Return what is the same after a boot: of a loop device its file (loop(4)), else its name.

    Kernels number disks in the order in which they find them. Where udev gives a disk no other
    name, its own has to do.
    """
    known = device.resolve()
    backing = Path("/sys/class/block", known.name, "loop/backing_file")
    if backing.exists():
        return Path(backing.read_text().rstrip("\n"))
    # A name that LVM gave goes with what LVM has written there.
    names = (link for link in BY_ID.glob("*") if not link.name.startswith("lvm-"))
    return min((link for link in names if link.resolve() == known), default=device)


def _make_file(path: Path, size: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    os.ftruncate(descriptor, size)
    os.close(descriptor)


def _make_group(system_dir: Path, device: Path) -> None:
    # Whether the device may lose what is on it was asked before.
    wipe = ("--yes", "--force")
    lvm.run(system_dir, "vgcreate", *wipe, lvm.GROUP, str(device))


def _make_pool(system_dir: Path) -> None:
    lvm.run(
        system_dir,
        *("lvcreate", "--yes", "--type", "thin-pool", "--extents", "95%FREE"),
        *("--zero", "y", "--name", lvm.POOL, lvm.GROUP),
    )


def _check_empty(device: Path) -> None:
    if not device.is_block_device():
        raise StorageError(f"{device} is not a block device")
    # Exits with 2 where it finds nothing (blkid(8)).
    probe = subprocess.run(
        ["blkid", "--probe", "--output", "export", str(device)],
        capture_output=True,
        text=True,
        check=False,
    )
    if probe.returncode != 2:
        found = re.search(r"^(?:PT)?TYPE=(.*)$", probe.stdout, re.MULTILINE)
        what = found[1] if found else "data"
        raise StorageError(f"{device} has {what} on it: force=true takes it and loses them")


def _load(name: str) -> None:
    if subprocess.run(["modprobe", name], capture_output=True, check=False).returncode != 0:
        raise HostLacksError(f"no kernel module {name}")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise StorageError(f"{command[0]}: {lines[0]}")
