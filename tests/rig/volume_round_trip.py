"""Inside the rig: storage is made, a volume is exported, attached, written, and all is removed.

The volume is exported by the command that Cinder's LIO driver runs, and attached by os-brick, as
Nova does it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import os_brick.privileged  # noqa: F401 - registers its options
from os_brick.initiator import connector
from oslo_concurrency import lockutils
from oslo_config import cfg

from workload.host import lvm

COMMON = Path(os.environ["SNAP_COMMON"])
SYSTEM_DIR = COMMON / "etc/lvm"
NAME = "volume-1"
TARGET = f"iqn.2010-10.org.openstack:{NAME}"
USER, PASSWORD = "rig", "chap-secret-12"
PATTERN = b"written by the initiator" + bytes(4096 - 24)
RTSTOOL = [sys.executable, str(Path(sys.executable).with_name("cinder-rtstool"))]
SIZE = "1G"


def job(command: str, **parameters: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workload.jobs.cinder_lvm", command],
        input=json.dumps(parameters),
        capture_output=True,
        text=True,
        check=False,
    )


def step(text: str) -> None:
    print(Path("/proc/uptime").read_text().split()[0], text, flush=True)  # noqa: T201 - shown where the test fails


def succeed(command: str, **parameters: object) -> str:
    done = job(command, **parameters)
    assert done.returncode == 0, done.stderr
    step(f"{command} {done.stdout.strip()}")
    return done.stdout


def refused(reason: str, command: str, **parameters: object) -> None:
    done = job(command, **parameters)
    assert done.returncode == 1, done
    assert reason in done.stderr, done.stderr
    step(f"{command} refused: {done.stderr.strip()}")


def export(volume: Path) -> None:
    initiator = Path("/etc/iscsi/initiatorname.iscsi").read_text().partition("=")[2].strip()
    command = [*RTSTOOL, "create", str(volume), TARGET, USER, PASSWORD, "no", "-a127.0.0.1"]
    subprocess.run(command, check=True)
    add = [*RTSTOOL, "add-initiator", TARGET, USER, PASSWORD, initiator]
    subprocess.run(add, check=True)
    step("exported")


def attach_and_write() -> None:
    lockutils.set_defaults(str(COMMON / "locks"))
    # As in the rendered configuration: the helper needs no sudo, all of it runs as root.
    helper = f"{sys.executable} {Path(sys.executable).with_name('privsep-helper')}"
    cfg.CONF([], project="rig")
    cfg.CONF.set_override("helper_command", helper, group="privsep_osbrick")
    initiator = connector.InitiatorConnector.factory("ISCSI", None, use_multipath=False)
    properties = {
        "target_discovered": False,
        "target_portal": "127.0.0.1:3260",
        "target_iqn": TARGET,
        "target_lun": 0,
        "auth_method": "CHAP",
        "auth_username": USER,
        "auth_password": PASSWORD,
    }
    device = initiator.connect_volume(properties)
    step(f"attached as {device['path']}")
    descriptor = os.open(device["path"], os.O_WRONLY | os.O_SYNC)
    os.write(descriptor, PATTERN)
    os.close(descriptor)
    initiator.disconnect_volume(properties, device)
    step("written and detached")


def main() -> None:
    volume = Path("/dev", lvm.GROUP, NAME)
    refused("has room for", "setup", size="900T")
    refused("binary units", "setup", size="20 apples")
    refused("no storage to grow", "grow", size="2G")
    succeed("setup", size=SIZE)
    succeed("setup", size=SIZE)
    lvm.run(
        SYSTEM_DIR,
        *("lvcreate", "--thin", "--virtualsize", "100M", "--name", NAME),
        f"{lvm.GROUP}/{lvm.POOL}",
    )
    export(volume)
    attach_and_write()
    subprocess.run([*RTSTOOL, "delete", TARGET], check=True)
    assert volume.read_bytes()[: len(PATTERN)] == PATTERN
    step("read back from the logical volume")
    refused("volumes are left", "teardown")
    refused("cannot shrink", "grow", size="512M")
    succeed("grow", size="1536M")
    # As after a boot: nothing is attached or active.
    lvm.run(SYSTEM_DIR, "vgchange", "--activate", "n", lvm.GROUP)
    subprocess.run(["losetup", "--detach-all"], check=True)
    assert not volume.exists()
    succeed("start")
    assert volume.read_bytes()[: len(PATTERN)] == PATTERN
    lvm.run(SYSTEM_DIR, "lvremove", "--yes", f"{lvm.GROUP}/{NAME}")
    succeed("teardown")
    device_with_data()
    nothing_is_left()


def device_with_data() -> None:
    """A disk with a file system is taken by force alone, and given back."""
    disk = COMMON / "disk"
    disk.touch()
    os.truncate(disk, 2**29)
    subprocess.run(["mkswap", str(disk)], check=True, capture_output=True)
    attach = ["losetup", "--find", "--show", str(disk)]
    device = subprocess.run(attach, check=True, capture_output=True, text=True).stdout.strip()
    refused("has swap on it", "setup", device=device)
    refused("is not a block device", "setup", device=str(disk))
    succeed("setup", device=device, force=True)
    succeed("teardown")
    subprocess.run(["losetup", "--detach", device], check=True)


def nothing_is_left() -> None:
    assert subprocess.check_output(["losetup", "--all"]) == b""
    assert subprocess.check_output(["dmsetup", "ls"], text=True).strip() == "No devices found"
    assert not (COMMON / "cinder-lvm.img").exists()
    assert not Path("/sys/class/iscsi_session").is_dir() or not os.listdir(
        "/sys/class/iscsi_session"
    )
    assert not list(Path("/sys/kernel/config/target/iscsi").glob("iqn.*"))
    assert not Path("/dev/sda").exists()
    step("nothing is left")


main()
