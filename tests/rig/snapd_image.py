"""The disk image of a Debian machine with snapd, a base snap and a snapd snap, and no store.

It is built where it is missing, and named by the digest of what it is built from. snapd wants a
snap of itself and a base from a store; here both are made of Debian's own packages.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from microstack.environment import CACHE, ensure_packages
from tests.rig import kernel, snapd_agent
from tests.rig.snapd_machine import Machine

SUITE = "bookworm"
PACKAGES = (*kernel.PACKAGES, "mmdebstrap", "e2fsprogs", "squashfs-tools")
"""What a host builds the image with, and runs it."""

MACHINE_PACKAGES = (
    *("systemd-sysv", "udev", "dbus", "apparmor", "kmod", "procps", "python3"),
    *("snapd", "squashfs-tools", "iproute2", "iptables", "nftables", "conntrack"),
)
BASE = "core24"
BASE_PACKAGES = ("python3", "apparmor", "iptables")
"""Of what the real base has, what a snap may take for its own, or meet where it has a layout."""
UNREAD = ("doc", "man", "locale", "info")
DISK_SIZE = "24G"
"""Of which the file takes what was written."""

MODULES = Path("/usr/lib/uml/modules")
AGENT = Path(snapd_agent.__file__)

# What snapd mounts something of the host on, in a base.
MOUNT_POINTS = (
    *("snap", "var/snap", "var/lib/snapd", "usr/lib/snapd", "lib/modules", "lib/firmware"),
    *("home", "root", "media", "mnt", "usr/src", "var/log", "var/tmp", "run", "tmp"),
    *("proc", "sys", "dev", "writable", "usr/local/share/ca-certificates"),
)

# It may make profiles of all apps before it says that it is up: minutes, on one busy processor.
SNAPD_SERVICE = """[Service]
Environment=SNAP_REEXEC=0 SNAPPY_FORCE_API_URL=http://127.0.0.1:8099/
TimeoutStartSec=infinity
"""

# As snapd makes them for the first snap that asks, and leaves them (snapd, osutil/user.go).
ACCOUNTS = {"snapd-range-524288-root": 524288, "snap_daemon": 584788}

AGENT_UNIT = """[Unit]
Description=Carries out what tests ask for
DefaultDependencies=no
After=local-fs.target
Before=snapd.service
[Service]
ExecStart=/usr/bin/python3 -I /usr/lib/rig/agent.py
Environment=SNAP_REEXEC=0 HOME=/root LANG=C.UTF-8
Environment=PATH=/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin
KillMode=process
[Install]
WantedBy=multi-user.target
"""


def path() -> Path:
    """Return where the image is kept (whether or not it is built)."""
    digest = hashlib.sha256(Path(__file__).read_bytes() + AGENT.read_bytes())
    digest.update(" ".join(sorted(os.listdir(MODULES))).encode())
    return CACHE / f"rig-{digest.hexdigest()[:12]}" / "disk"


def ensure() -> Path:
    """Build the image unless it is there; return it."""
    ensure_packages(PACKAGES, print)
    target = path()
    target.parent.mkdir(parents=True, exist_ok=True)
    # Others may be at it.
    with FileLock(target.with_suffix(".lock")):
        if target.exists():
            return target
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            _build(Path(folder)).rename(target)
    return target


def _build(folder: Path) -> Path:
    root, snaps, disk = folder / "root", folder / "root/srv/snaps", folder / "disk"
    _debian(root, MACHINE_PACKAGES)
    snaps.mkdir()
    _pack_base(folder / "base", root)
    _pack_snapd(root)
    _prepare(root)
    command = ["mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=1,root_owner=0:0"]
    subprocess.run([*command, "-d", str(root), str(disk), DISK_SIZE], check=True)
    with Machine(disk, folder) as machine:
        machine.boot()
        machine.run("snap", "wait", "system", "seed.loaded")
        for snap in (BASE, "snapd"):
            machine.run("snap", "install", "--dangerous", f"/srv/snaps/{snap}.snap", timeout=300)
        machine.shell("rm -r /srv/snaps")
        machine.power_off()
    return disk


def _debian(root: Path, packages: Sequence[str]) -> None:
    """Install Debian with some packages into a folder, without what nobody reads."""
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages)}"]
    command += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in UNREAD]
    subprocess.run([*command, SUITE, str(root)], check=True)


def _pack_base(base: Path, root: Path) -> None:
    """Pack Debian as the base of snaps."""
    _debian(base, BASE_PACKAGES)
    for folder in MOUNT_POINTS:
        (base / folder).mkdir(parents=True, exist_ok=True)
    (base / "usr/bin/snapctl").symlink_to("../lib/snapd/snapctl")
    _pack(base, root, BASE, "base")


def _pack_snapd(root: Path) -> None:
    """Pack Debian's snapd as the snap that snapd insists on."""
    tree = root.parent / "snapd"
    parts = [
        *("usr/lib/snapd", "usr/bin/snap", "usr/bin/snapctl", "etc/apparmor.d"),
        *(str(unit.relative_to(root)) for unit in root.glob("usr/lib/systemd/system/snapd.*")),
        *(str(unit.relative_to(root)) for unit in root.glob("lib/systemd/system/snapd.*")),
    ]
    for part in parts:
        (tree / part).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", str(root / part), str(tree / part)], check=True)
    _pack(tree, root, "snapd", "snapd")


def _pack(tree: Path, root: Path, name: str, kind: str) -> None:
    """Pack a folder as a snap, with the machine's own tools."""
    metadata = {"name": name, "version": "1", "type": kind, "summary": "Debian's"}
    (tree / "meta").mkdir(exist_ok=True)
    (tree / "meta/snap.yaml").write_text(json.dumps(metadata))
    inside = root / "srv/tree"
    tree.rename(inside)
    # What `snap pack` runs, with the compression that costs least.
    pack = ["mksquashfs", "/srv/tree", f"/srv/snaps/{name}.snap", "-quiet", "-no-progress"]
    subprocess.run(
        ["chroot", str(root), *pack, "-comp", "zstd", "-Xcompression-level", "1"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    shutil.rmtree(inside)


def _prepare(root: Path) -> None:
    """Make a machine of it: modules, the agent, no log-in prompts and nothing periodic."""
    modules = root / "usr/lib/modules"
    modules.mkdir(exist_ok=True)
    for version in MODULES.iterdir():
        shutil.copytree(version, modules / version.name, symlinks=True)
    agent = root / "usr/lib/rig/agent.py"
    agent.parent.mkdir()
    agent.write_bytes(AGENT.read_bytes())
    units = root / "etc/systemd/system"
    (units / "rig-agent.service").write_text(AGENT_UNIT)
    (units / "snapd.service.d").mkdir()
    (units / "snapd.service.d/rig.conf").write_text(SNAPD_SERVICE)
    (root / "etc/hostname").write_text("rig\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost rig\n::1 localhost\n")
    (root / "etc/fstab").write_text("/dev/ubda / ext4 defaults 0 0\n")
    enable = ["systemctl", "enable", "--quiet", "rig-agent.service"]
    subprocess.run(["chroot", str(root), *enable], check=True)
    for name, number in ACCOUNTS.items():
        group = ["groupadd", "--gid", str(number), name]
        user = ["useradd", "--uid", str(number), "--gid", str(number), "--no-create-home"]
        user += ["--home-dir", "/nonexistent", "--shell", "/usr/bin/false", name]
        for command in (group, user):
            subprocess.run(["chroot", str(root), *command], check=True, stderr=subprocess.DEVNULL)
    masked = ["getty.target", "timers.target", "systemd-pstore.service"]
    subprocess.run(["chroot", str(root), "systemctl", "mask", "--quiet", *masked], check=True)
