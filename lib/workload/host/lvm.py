"""LVM, limited to one device: commands see the appliance's volume group and no other.

`LVM_SYSTEM_DIR` names a folder with an lvm.conf of our own (lvm(8), lvm.conf(5)), which Cinder's
driver is given as well. Nodes and links in /dev are made by one alone: by udev where it runs with
the rules of LVM, and LVM waits until it has; else by LVM. With device-mapper's rules alone, as on
a host without LVM, udev tells LVM that it is done, and is told to make none. Where both made them,
udev would take away links that LVM had made.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from workload import atomic, detect

GROUP = "microstack-volumes"
"""The volume group; the name that snapd's interface microstack-support permits."""

POOL = f"{GROUP}-pool"
"""The thin pool, called as Cinder's driver calls it."""

TIMEOUT = 60
"""Seconds a command may take."""

DEVICES = Path("/dev")

UDEV_RULES = tuple(
    Path(root, "udev/rules.d")
    for root in ("/etc", "/run", "/usr/lib", "/lib", "/var/lib/snapd/hostfs/usr/lib")
)
"""Where rules of udev may be; for a snap, the host's."""

DONE = ("95-dm-notify.rules",)
"""The rule by which udev tells that it is done (device-mapper's own)."""

LINKS = ("11-dm-lvm.rules", "56-lvm.rules")
"""The rule that makes links to volumes, as LVM and Debian call it."""

SETTLE_TIMEOUT = 30
"""Seconds that udev is waited for; one that hangs keeps nobody waiting longer."""

_CONF = """\
devices {{
    use_devicesfile = 0
    scan_lvs = 0
    global_filter = [ "a|^{device}$|", "r|.*|" ]
}}
activation {{
    udev_sync = {waits}
    udev_rules = {links}
    monitoring = 0
}}
global {{
    thin_check_executable = "{thin_check}"
    use_lvmpolld = 0
    event_activation = 0
}}
"""


class LvmError(Exception):
    """An LVM command failed; the message is the command's."""


def limit(system_dir: Path, device: Path) -> None:
    """Write the lvm.conf that limits commands to one device."""
    system_dir.mkdir(parents=True, exist_ok=True)
    waits = detect.udev() and _udev_has(DONE)
    conf = _CONF.format(
        device=re.escape(str(device)),
        waits=int(waits),
        links=int(waits and _udev_has(LINKS)),
        # Compiled in is where the distribution has it, which in a snap is another place.
        thin_check=shutil.which("thin_check") or "",
    )
    atomic.write(system_dir / "lvm.conf", conf.encode())


def _udev_has(names: tuple[str, ...]) -> bool:
    return any((folder / name).exists() for folder in UDEV_RULES for name in names)


def run(system_dir: Path, *command: str) -> str:
    """Run an LVM command on the one device; return what it wrote.

    Raises:
        LvmError: it failed, or did not end in time.
    """
    environment = {**os.environ, "LVM_SYSTEM_DIR": str(system_dir), "LC_ALL": "C"}
    # Descriptors of the caller are none of LVM's business, and it says so at length.
    environment["LVM_SUPPRESS_FD_WARNINGS"] = "1"
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=True
        )
    except subprocess.CalledProcessError as error:
        lines = [line.strip() for line in error.stderr.splitlines() if "--help" not in line]
        raise LvmError(f"{command[0]}: {(lines or ['no message'])[-1]}") from None
    except subprocess.TimeoutExpired:
        raise LvmError(f"{command[0]} did not end within {TIMEOUT} s") from None
    return done.stdout


def forget_nodes() -> None:
    """Remove from /dev what is left of the group after it was removed, once udev has ended.

    udev may make a link to a volume anew after LVM has removed it, and a group cannot be made
    while there is a folder of its name.
    """
    if udevadm := shutil.which("udevadm"):
        command = [udevadm, "settle", f"--timeout={SETTLE_TIMEOUT}"]
        subprocess.run(command, capture_output=True, check=False)
    folder = DEVICES / GROUP
    # Device-mapper's names double the dashes that stand in LVM's.
    nodes = (DEVICES / "mapper").glob(f"{GROUP.replace('-', '--')}-*")
    for path in (*folder.glob("*"), *nodes):
        path.unlink(missing_ok=True)
    if folder.is_dir():
        folder.rmdir()


def has_group(system_dir: Path) -> bool:
    """Whether the volume group is there."""
    if not (system_dir / "lvm.conf").exists():
        return False
    (report,) = _report(system_dir, "vgs", "vg_name")
    return any(row["vg_name"] == GROUP for row in report["vg"])


def has_pool(system_dir: Path) -> bool:
    """Whether the group has its thin pool."""
    return POOL in _names(system_dir)


def volumes(system_dir: Path) -> list[str]:
    """Return the names of the group's logical volumes, the pool left out."""
    return sorted(_names(system_dir) - {POOL})


def _names(system_dir: Path) -> set[str]:
    (report,) = _report(system_dir, "lvs", "lv_name")
    return {row["lv_name"] for row in report["lv"]}


def pool_usage(system_dir: Path) -> dict[str, int]:
    """Return the thin pool's `size-mib`, and `data-percent` and `metadata-percent` in use.

    Raises:
        LvmError: it is not there, or not active, when LVM does not know what is in use.
    """
    columns = "lv_size,data_percent,metadata_percent"
    (report,) = _report(system_dir, "lvs", columns, f"{GROUP}/{POOL}")
    (row,) = report["lv"]
    if not row["data_percent"]:
        raise LvmError(f"{GROUP}/{POOL} is not active")
    return {
        "size-mib": round(float(row["lv_size"])),
        "data-percent": round(float(row["data_percent"])),
        "metadata-percent": round(float(row["metadata_percent"])),
    }


def _report(system_dir: Path, command: str, columns: str, *what: str) -> list[dict[str, Any]]:
    form = ("--reportformat", "json", "--units", "m", "--nosuffix", "--options", columns)
    document = run(system_dir, command, *form, *what)
    return json.loads(document)["report"]
