"""The programs that services of volumes are started by."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

SNAP = Path(__file__).parents[2] / "snap"
LOCAL, SNAPCRAFT = SNAP / "local/bin", SNAP / "snapcraft.yaml"


@pytest.fixture
def snap(tmp_path: Path) -> Path:
    """What `$SNAP` has that they run."""
    program(tmp_path / "bin/with-initiator", 'exec "$@"')
    return tmp_path


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def start(snap: Path, service: str) -> str:
    """What a service's program and what it becomes print."""
    common = snap / "common"
    environment = {**os.environ, "SNAP": str(snap), "SNAP_COMMON": str(common)}
    return subprocess.run(
        [LOCAL / service], env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_no_command_of_the_volume_service_goes_by_the_hosts_lvm(snap: Path):
    program(snap / "openstack/bin/python", 'echo "$LVM_SYSTEM_DIR"')
    assert start(snap, "cinder-volume") == f"{snap}/common/etc/lvm\n"


def test_the_initiators_daemon_has_a_name_of_its_own(snap: Path):
    (snap / "common/etc/iscsi").mkdir(parents=True)
    (snap / "common/lib/cinder-lvm").mkdir(parents=True)
    (snap / "common/lib/cinder-lvm/initiator").write_text("iqn.x")
    program(snap / "usr/sbin/iscsid", 'echo "$0" "$@"')
    assert start(snap, "iscsid") == f"{snap}/usr/sbin/iscsid --foreground\n"
    assert (snap / "common/etc/iscsi/initiatorname.iscsi").read_text() == "InitiatorName=iqn.x\n"


@pytest.mark.parametrize("folder", ["usr/sbin", "sbin"])
def test_the_initiators_daemon_is_found_wherever_the_distribution_has_it(
    tmp_path: Path, folder: str
):
    for path in ("usr/sbin", "usr/lib/libvirt", "etc/apparmor.d/abstractions"):
        (tmp_path / "part" / path).mkdir(parents=True)
    for path in ("usr/lib/libvirt/virt-aa-helper", "etc/apparmor.d/libvirt"):
        (tmp_path / "part" / path).touch()
    program(tmp_path / "part" / folder / "iscsid", "echo serves")
    program(tmp_path / "bin/craftctl", ":")
    program(tmp_path / "project/snap/digest", ":")
    built = yaml.safe_load(SNAPCRAFT.read_text())["parts"]["distribution"]["override-build"]
    folders = {
        "CRAFT_PART_INSTALL": f"{tmp_path}/part",
        "CRAFT_PROJECT_DIR": f"{tmp_path}/project",
    }
    environment = {**os.environ, **folders, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    subprocess.run(["bash", "-euc", built], env=environment, check=True)
    (tmp_path / "part").rename(tmp_path / "snap")
    daemon = subprocess.run(
        [tmp_path / "snap/usr/sbin/iscsid"], capture_output=True, text=True, check=True
    )
    assert daemon.stdout == "serves\n"
