"""Inside the rig: the storage, Cinder's driver on it and the initiator, and no more of a cloud.

What is the host's own (a target and a session with it) is there from the beginning, and untouched
at the end. Volumes are attached by os-brick, as Nova does it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cinder.common.config  # noqa: F401 - registers Cinder's options
import os_brick
import rtslib_fb
from cinder import context, objects
from cinder.volume import configuration
from os_brick.initiator import connector
from oslo_concurrency import lockutils
from oslo_config import cfg

from workload import render
from workload.components.cinder_lvm import COMPONENT
from workload.config.cinder_lvm import CinderLvmConfig
from workload.host import initiator, lvm, targets
from workload.layout import Layout

LAYOUT = Layout.from_environment()
COMMON, SNAP = LAYOUT.snap_common, LAYOUT.snap
SYSTEM_DIR = COMMON / "etc/lvm"
FOREIGN = "iqn.2003-01.com.example:host"
SAVED = Path("/etc/target/saveconfig.json")
"""The host's LIO configuration as a whole."""

SIZE = "3G"
PATTERN = b"written by the initiator".ljust(4096, b".")
OTHER = b"written later".ljust(4096, b".")
CONTEXT = context.get_admin_context()


def job(command: str, **parameters: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workload.jobs.cinder_lvm", command],
        input=json.dumps(parameters),
        capture_output=True,
        text=True,
        check=False,
    )


def step(text: str) -> None:
    print(Path("/proc/uptime").read_text().split()[0], text, flush=True)  # noqa: T201 - the log


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


class Foreign:
    """A target that the host exports for itself, and its session with it."""

    def __init__(self) -> None:
        # As the package of the host's own tool does.
        SAVED.parent.mkdir()
        storage = rtslib_fb.FileIOStorageObject("host", str(COMMON / "host.img"), 2**26)
        group = rtslib_fb.TPG(rtslib_fb.Target(rtslib_fb.FabricModule("iscsi"), FOREIGN), 1)
        for name, value in (("authentication", 0), ("generate_node_acls", 1)):
            group.set_attribute(name, str(value))
        rtslib_fb.LUN(group, 0, storage)
        rtslib_fb.NetworkPortal(group, "127.0.0.2", 3260)
        group.enable = True
        portal = ("--portal", "127.0.0.2")
        iscsiadm("--mode", "discovery", "--type", "sendtargets", *portal)
        iscsiadm("--mode", "node", "--targetname", FOREIGN, *portal, "--login")
        self.sessions = initiator.sessions(FOREIGN)
        self.check()
        step("the host has a target and a session of its own")

    def check(self) -> None:
        assert self.sessions
        assert initiator.sessions(FOREIGN) == self.sessions
        found = [target.wwn for target in rtslib_fb.FabricModule("iscsi").targets]
        assert FOREIGN in found
        assert not SAVED.exists()

    def end(self) -> None:
        initiator.end(FOREIGN, SNAP)
        for target in rtslib_fb.FabricModule("iscsi").targets:
            target.delete()
        for storage in rtslib_fb.RTSRoot().storage_objects:
            storage.delete()


def iscsid() -> subprocess.Popen[bytes]:
    daemon = subprocess.Popen([SNAP / "bin/iscsid"], start_new_session=True)
    deadline = time.monotonic() + 60
    while not initiator.serves():
        assert time.monotonic() < deadline, "iscsid does not serve"
        time.sleep(0.1)
    return daemon


def iscsiadm(*arguments: str) -> None:
    subprocess.run(["iscsiadm", *arguments], check=True, capture_output=True)


class Backend:
    """Cinder's driver with the configuration that the snap renders, and what attaches volumes."""

    def __init__(self) -> None:
        config = CinderLvmConfig(host="rig", schema_release="2026.2", volume_group=lvm.GROUP)
        (file,) = render.Renderer(LAYOUT).render(COMPONENT, config)
        render.write(file)
        lockutils.set_defaults(str(COMMON / "locks"))
        # As in Cinder's own configuration: the helper needs no sudo, all of it runs as root.
        helper = f"{sys.executable} {Path(sys.executable).with_name('privsep-helper')}"
        base = COMMON / "cinder.conf"
        base.write_text(
            f"[DEFAULT]\nmy_ip = 127.0.0.1\n[cinder_sys_admin]\nhelper_command = {helper}\n"
            f"[privsep_osbrick]\nhelper_command = {helper}\n"
        )
        files = ["--config-file", str(base), "--config-file", str(file.path)]
        cfg.CONF(files, project="cinder", default_config_dirs=[])
        os_brick.setup(cfg.CONF)
        objects.register_all()
        # They want the objects to be known.
        from cinder.volume import manager

        from workload.volume_driver import LvmDriver

        options = configuration.Configuration(manager.volume_backend_opts, config_group="lvm")
        self.driver = LvmDriver(configuration=options, host="rig@lvm")
        self.known: dict[str, Any] = {}
        self.driver.target_driver.db = SimpleNamespace(volume_get=self._from_database)
        self.driver.do_setup(CONTEXT)
        self.driver.check_for_setup_error()
        self.initiator = connector.InitiatorConnector.factory("ISCSI", None, use_multipath=False)
        self.me = connector.get_connector_properties(None, "127.0.0.1", False, False)
        step(f"the driver is set up, the initiator is {self.me['initiator']}")

    def _from_database(self, _: object, number: str) -> dict[str, Any]:
        return {"provider_auth": self.known[number].provider_auth}

    def volume(self, size: int = 1) -> Any:
        made = objects.Volume(
            CONTEXT,
            id=str(uuid.uuid4()),
            _name_id=None,
            size=size,
            host="rig@lvm#lvm",
            provider_location=None,
            provider_auth=None,
            provider_geometry=None,
            multiattach=False,
            encryption_key_id=None,
            volume_attachment=objects.VolumeAttachmentList(objects=[]),
        )
        self.known[made.id] = made
        return made

    def attach(self, volume: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        made = self.driver.create_export(CONTEXT, volume, self.me)
        volume.update(made)
        properties = self.driver.initialize_connection(volume, self.me)["data"]
        assert properties["auth_method"] == "CHAP"
        return properties, self.connect(properties)

    def connect(self, properties: dict[str, Any]) -> dict[str, Any]:
        device = self.initiator.connect_volume(properties)
        step(f"attached as {device['path']}")
        return device

    def detach(self, volume: Any, properties: dict[str, Any], device: dict[str, Any]) -> None:
        self.initiator.disconnect_volume(properties, device)
        self.driver.terminate_connection(volume, self.me)
        self.driver.remove_export(CONTEXT, volume)
        assert targets.names() == []
        step("detached")


def path(volume: Any) -> Path:
    return Path("/dev", lvm.GROUP, volume.name)


def write(device: str | Path, pattern: bytes) -> None:
    descriptor = os.open(device, os.O_WRONLY | os.O_SYNC)
    os.write(descriptor, pattern)
    os.close(descriptor)


def read(device: str | Path) -> bytes:
    command = ["dd", f"if={device}", "iflag=direct", "bs=4096", "count=1", "status=none"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def size(device: str | Path) -> int:
    return int(Path("/sys/class/block", Path(device).resolve().name, "size").read_text()) * 512


def snapshots_and_clones(backend: Backend) -> None:
    first = backend.volume()
    backend.driver.create_volume(first)
    write(path(first), PATTERN)
    snapshot = objects.Snapshot(CONTEXT, id=str(uuid.uuid4()), volume=first, volume_size=1)
    backend.driver.create_snapshot(snapshot)
    write(path(first), OTHER)
    copy, clone = backend.volume(), backend.volume()
    backend.driver.create_volume_from_snapshot(copy, snapshot)
    assert read(path(copy)) == PATTERN
    backend.driver.create_cloned_volume(clone, first)
    assert read(path(clone)) == OTHER
    backend.driver.extend_volume(clone, 2)
    assert size(path(clone)) == 2 * 2**30
    backend.driver.delete_snapshot(snapshot)
    for volume in (first, copy, clone):
        backend.driver.delete_volume(volume)
    assert lvm.volumes(SYSTEM_DIR) == []
    step("snapshot, copy, clone and extension")


def attached(backend: Backend, foreign: Foreign) -> Any:
    """A volume goes through a stop and a start of its storage; it stays attached at the end."""
    volume = backend.volume()
    backend.driver.create_volume(volume)
    properties, device = backend.attach(volume)
    write(device["path"], PATTERN)
    assert read(path(volume)) == PATTERN
    step("read back from the logical volume")
    backend.driver.extend_volume(volume, 2)
    backend.initiator.extend_volume(properties)
    assert size(device["path"]) == 2 * 2**30
    step("extended while attached")
    backend.detach(volume, properties, device)
    properties, device = backend.attach(volume)
    everyone = Path("/proc/self/cmdline").parents[1].glob("[0-9]*/cmdline")
    secret = properties["auth_password"].encode()
    assert not any(secret in content(arguments) for arguments in everyone)
    in_a_guest(device["path"])
    succeed("stop")
    assert initiator.sessions(targets.PREFIX) == {}
    assert targets.names() == []
    assert not path(volume).exists()
    foreign.check()
    step("stopped, and the host's own is there")
    succeed("start")
    # With what it was attached with at first, as when a guest starts again after a boot.
    device = backend.connect(properties)
    assert read(device["path"]) == PATTERN
    step("attached again after a start")
    return volume


def in_a_guest(disk: str) -> None:
    """Storage is not stopped under a guest, which would read zeros; QEMU opens disks as here."""
    command = ["qemu-io", "--image-opts", f"driver=host_device,filename={disk}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as guest:
        assert guest.stdin is not None
        assert guest.stdout is not None
        guest.stdin.write(b"read 0 4096\n")
        guest.stdin.flush()
        # Its prompt and its answer.
        assert b"read 4096/4096" in guest.stdout.readline()
        refused("stop the guests first", "stop")
        guest.communicate(b"quit\n")
    assert read(disk) == PATTERN


def content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def main() -> None:
    refused("has room for", "setup", size="900T")
    refused("binary units", "setup", size="20 apples")
    refused("no storage to grow", "grow", size="2G")
    refused("no storage", "usage")
    made = json.loads(succeed("setup", size=SIZE))
    assert made["volume-group"] == lvm.GROUP
    # As where it was cut off behind its group.
    lvm.run(SYSTEM_DIR, "lvremove", "--yes", f"{lvm.GROUP}/{lvm.POOL}")
    assert json.loads(succeed("setup", size=SIZE)) == made
    assert json.loads(succeed("setup", size=SIZE)) == made
    daemon = iscsid()
    foreign = Foreign()
    backend = Backend()
    snapshots_and_clones(backend)
    attached(backend, foreign)
    refused("volumes are left", "teardown")
    refused("cannot shrink", "grow", size="2G")
    grown = json.loads(succeed("grow", size="3500M"))
    assert grown["size-mib"] > made["size-mib"]
    assert initiator.sessions(targets.PREFIX)
    assert json.loads(succeed("usage"))["initiator"]
    # As after a crash: a session can be ended all the same.
    daemon.terminate()
    daemon.wait()
    assert not json.loads(succeed("usage"))["initiator"]
    succeed("teardown", force=True)
    foreign.check()
    device_with_data()
    daemon = iscsid()
    foreign.end()
    daemon.terminate()
    nothing_is_left()


def device_with_data() -> None:
    """A disk with a file system is taken by force alone, found after a boot, and given back."""
    disk = COMMON / "disk"
    disk.touch()
    os.truncate(disk, 2**29)
    subprocess.run(["mkswap", str(disk)], check=True, capture_output=True)
    device = losetup("--find", "--show", str(disk))
    refused("has swap on it", "setup", device=device)
    refused("is not a block device", "setup", device=str(disk))
    succeed("setup", device=device, force=True)
    succeed("stop")
    losetup("--detach", device)
    succeed("start")
    device = losetup("--noheadings", "--output", "NAME", "--associated", str(disk))
    assert json.loads(succeed("setup", device=device))["on"] == str(disk)
    assert json.loads(succeed("teardown", device="/dev/ram0")) == {"removed": False}
    assert json.loads(succeed("teardown", device=device)) == {"removed": True}
    losetup("--detach", device)


def losetup(*arguments: str) -> str:
    done = subprocess.run(["losetup", *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def nothing_is_left() -> None:
    assert subprocess.check_output(["losetup", "--all"]) == b""
    assert subprocess.check_output(["dmsetup", "ls"], text=True).strip() == "No devices found"
    assert not (COMMON / "cinder-lvm.img").exists()
    assert not Path("/sys/class/iscsi_session").is_dir() or not os.listdir(
        "/sys/class/iscsi_session"
    )
    assert not list(Path("/sys/kernel/config/target/iscsi").glob("iqn.*"))
    assert not list((COMMON / "lib/cinder-lvm/targets").glob("*"))
    assert not Path("/dev/sda").exists()
    step("nothing is left")


main()
