"""What this host can do: read, never changed."""

from __future__ import annotations

import functools
import grp
import os
import platform
import pwd
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Literal

from workload import kvm_probe
from workload.host import conntrack
from workload.layout import Layout

MACHINE_ID = Path("/etc/machine-id")
KVM = Path("/dev/kvm")
QEMU_ACCOUNT = "libvirt-qemu"


def datapath() -> Literal["system", "netdev"]:
    """Return Open vSwitch's datapath type: the kernel's where it can carry OVN, or userspace."""
    there = Path("/sys/module/openvswitch").exists() or _loadable("openvswitch")
    return "system" if there and conntrack.has_zones() else "netdev"


@functools.cache
def kvm_starts_guests() -> bool:
    """Whether a guest's instructions run on the CPU; asked once in a process's life.

    Many clouds have `/dev/kvm` and then emulate each instruction of a guest, or none at all.
    """
    if not os.access(KVM, os.R_OK | os.W_OK):
        return False
    if platform.machine() != "x86_64":
        return True
    qemu = shutil.which("qemu-system-x86_64")
    return qemu is not None and kvm_probe.runs(qemu)


def qemu_account(*, kvm: bool) -> str:
    """Return the account guests run as: the distribution's, unless it cannot reach what they use.

    Args:
        kvm: whether guests need `/dev/kvm`, which a host without udev leaves to root alone.
    """
    if Layout.from_environment().account(QEMU_ACCOUNT) != QEMU_ACCOUNT:
        return "root"
    try:
        account = pwd.getpwnam(QEMU_ACCOUNT)
    except KeyError:
        return "root"
    if not kvm:
        return QEMU_ACCOUNT
    status = KVM.stat()
    member = status.st_gid == account.pw_gid or (
        QEMU_ACCOUNT in grp.getgrgid(status.st_gid).gr_mem
    )
    if status.st_mode & 0o006 == 0o006 or (member and status.st_mode & 0o060 == 0o060):
        return QEMU_ACCOUNT
    return "root"


def host_uuid() -> uuid.UUID:
    """Return what tells this host from others, the same after each boot.

    Its machine id; of its name where a container or a minimal system has none (machine-id(5)).
    """
    try:
        return uuid.UUID(MACHINE_ID.read_text().strip())
    except (OSError, ValueError):
        return uuid.uuid5(uuid.NAMESPACE_DNS, platform.node())


def systemd() -> bool:
    """Whether systemd is the host's init, which lends libvirt cgroups and runs udev."""
    return Path("/run/systemd/system").is_dir()


def udev() -> bool:
    """Whether udev keeps `/dev`."""
    return Path("/run/udev/control").exists()


def _loadable(module: str) -> bool:
    modprobe = shutil.which("modprobe", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if modprobe is None:
        return False
    dry_run = [modprobe, "--dry-run", "--quiet", module]
    return subprocess.run(dry_run, capture_output=True, check=False).returncode == 0
