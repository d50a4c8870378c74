"""What can be made on a host, each with how to see that it is there and how to undo it."""

from __future__ import annotations

import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from workload.host import initiator, lvm, network, targets
from workload.host.mounts import mount_points

PROFILES = Path("/sys/kernel/security/apparmor/profiles")
"""A line for each profile that is loaded: its name, and its mode in parentheses."""

PROFILE_REMOVAL = PROFILES.with_name(".remove")


class UndoError(Exception):
    """A thing that cannot be undone; the message says which and why."""


class Thing(BaseModel, ABC):
    """Something on the host. Its fields say which; two with the same `key` are the same thing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def key(self) -> str:
        """What tells it from others of its kind."""
        return self.model_dump_json()

    @abstractmethod
    def exists(self) -> bool:
        """Whether it is there."""

    @abstractmethod
    def undo(self) -> None:
        """Make it not be there; called only where it is.

        Raises:
            UndoError, network.NetworkError, OSError: it is in use or the host refuses.
        """


class Link(Thing):
    """A network link: a bridge, a veth pair, a dummy."""

    kind: Literal["link"] = "link"
    name: str

    def __str__(self) -> str:
        return f"network link {self.name}"

    def exists(self) -> bool:
        """Whether it is there."""
        return network.link_exists(self.name)

    def undo(self) -> None:
        """Delete it."""
        network.delete_link(self.name)


class Datapath(Thing):
    """A datapath of the kernel's Open vSwitch, with its ports."""

    kind: Literal["datapath"] = "datapath"
    name: str

    def __str__(self) -> str:
        return f"Open vSwitch datapath {self.name}"

    def exists(self) -> bool:
        """Whether it is there: its local port is a link of the same name."""
        return network.link_exists(self.name)

    def undo(self) -> None:
        """Delete it."""
        _run(["ovs-dpctl", "del-dp", self.name])


class Address(Thing):
    """An IPv4 address of a link, with its prefix."""

    kind: Literal["address"] = "address"
    link: str
    address: IPv4Interface

    def __str__(self) -> str:
        return f"address {self.address} of {self.link}"

    def exists(self) -> bool:
        """Whether the link is there and has it."""
        return network.has_address(self.link, self.address)

    def undo(self) -> None:
        """Take it from the link."""
        network.delete_address(self.link, self.address)


class NftablesTable(Thing):
    """A table of nftables with all that is in it."""

    kind: Literal["nftables-table"] = "nftables-table"
    family: Literal["ip", "ip6", "inet", "bridge"] = "ip"
    name: str

    def __str__(self) -> str:
        return f"nftables table {self.family} {self.name}"

    def exists(self) -> bool:
        """Whether it is there."""
        command = ["nft", "list", "table", self.family, self.name]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def undo(self) -> None:
        """Delete it."""
        _run(["nft", "delete", "table", self.family, self.name])


class IptablesRule(Thing):
    """A rule in a chain of iptables.

    Attributes:
        command: `iptables`, or `iptables-legacy` where the chain is of the older kind.
        table: the chain's.
        rule: its words behind the chain's name.
    """

    kind: Literal["iptables-rule"] = "iptables-rule"
    command: Literal["iptables", "iptables-legacy"]
    table: Literal["filter", "nat"] = "filter"
    chain: str
    rule: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.command} rule {self.chain} {' '.join(self.rule)}"

    def arguments(self, act: str) -> list[str]:
        """Return the command that does an act, e.g. `--check`, with it."""
        chosen = [self.command, "--wait", "--table", self.table]
        return [*chosen, act, self.chain, *self.rule]

    def exists(self) -> bool:
        """Whether it is in the chain."""
        command = self.arguments("--check")
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def undo(self) -> None:
        """Delete it."""
        _run(self.arguments("--delete"))


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
        _run(["umount", str(self.path)])


class Namespaces(Thing):
    """Network namespaces that a service makes and names by itself.

    Attributes:
        prefix: what their names begin with.
        spared: those that were there before.
    """

    kind: Literal["namespaces"] = "namespaces"
    prefix: str
    spared: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"network namespaces {self.prefix}*"

    @property
    def key(self) -> str:
        """The prefix: what was there before is what was there at first."""
        return self.prefix

    def exists(self) -> bool:
        """Whether any is there."""
        return bool(self._present())

    def undo(self) -> None:
        """Remove them."""
        for name in self._present():
            network.delete_namespace(name)

    def _present(self) -> list[str]:
        return [
            name
            for name in network.namespaces()
            if name.startswith(self.prefix) and name not in self.spared
        ]


class NamespaceFolder(Thing):
    """The folder of named network namespaces: the first that is made mounts it (ip-netns(8))."""

    kind: Literal["namespace-folder"] = "namespace-folder"
    path: Path = Path("/run/netns")

    def __str__(self) -> str:
        return f"folder of network namespaces {self.path}"

    @property
    def mounted(self) -> bool:
        """Whether any was made since the host was started."""
        return self.path in mount_points()

    def exists(self) -> bool:
        """Whether it is there and nobody has a namespace in it; it is theirs once they have."""
        return self.mounted and not any(self.path.iterdir())

    def undo(self) -> None:
        """Unmount and delete it."""
        _run(["umount", str(self.path)])
        self.path.rmdir()


class Links(Thing):
    """Network links that a service makes and names by itself.

    Attributes:
        pattern: regular expression that their whole names match.
        spared: those that were there before.
    """

    kind: Literal["links"] = "links"
    pattern: str
    spared: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"network links {self.pattern}"

    @property
    def key(self) -> str:
        """The pattern: what was there before is what was there at first."""
        return self.pattern

    def exists(self) -> bool:
        """Whether any is there."""
        return bool(self._present())

    def undo(self) -> None:
        """Delete them."""
        for name in self._present():
            network.delete_link(name)

    def _present(self) -> list[str]:
        return [
            name
            for name in network.links()
            if re.fullmatch(self.pattern, name) and name not in self.spared
        ]


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
        _run(["modprobe", "--remove", self.name])


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
            _run(["losetup", "--detach", device])

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
        _run(["env", f"PYTHONPATH={self.snap / 'lib'}", *command])


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


class Profile(Thing):
    """A profile of AppArmor that is loaded."""

    kind: Literal["apparmor-profile"] = "apparmor-profile"
    name: str

    def __str__(self) -> str:
        return f"AppArmor profile {self.name}"

    def exists(self) -> bool:
        """Whether it is loaded."""
        return self.name in _profiles()

    def undo(self) -> None:
        """Unload it."""
        PROFILE_REMOVAL.write_text(self.name)


class GuestProfiles(Thing):
    """Profiles of AppArmor that libvirt makes and names by itself, one for each guest.

    Attributes:
        folder: with a file for each, named as it is; the host's own libvirt has another.
    """

    kind: Literal["guest-profiles"] = "guest-profiles"
    folder: Path

    def __str__(self) -> str:
        return "AppArmor profiles of guests"

    def exists(self) -> bool:
        """Whether any is loaded."""
        return bool(self._loaded())

    def undo(self) -> None:
        """Unload them."""
        for name in self._loaded():
            PROFILE_REMOVAL.write_text(name)

    def _loaded(self) -> list[str]:
        loaded = _profiles()
        return [path.name for path in self.folder.glob("libvirt-*") if path.name in loaded]


AnyThing = Annotated[
    Link
    | Links
    | Datapath
    | Address
    | NftablesTable
    | IptablesRule
    | Sysctl
    | File
    | Directory
    | Mount
    | Namespaces
    | NamespaceFolder
    | Module
    | LoopDevice
    | VolumeGroup
    | Targets
    | TargetFabric
    | Sessions
    | Profile
    | GuestProfiles,
    Field(discriminator="kind"),
]


def _run(command: Sequence[str]) -> None:
    try:
        subprocess.run(command, capture_output=True, text=True, check=True)
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or ["no message"]
        raise UndoError(f"{command[0]}: {lines[0]}") from None


def _profiles() -> set[str]:
    lines = PROFILES.read_text().splitlines() if PROFILES.exists() else []
    return {line.rpartition(" (")[0] for line in lines}
