"""The programs that services of volumes are started by."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

LOCAL = Path(__file__).parents[2] / "snap/local/bin"


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


@pytest.mark.parametrize("folder", ["usr/sbin", "sbin"])
def test_the_initiators_daemon_is_where_the_distribution_has_it(snap: Path, folder: str):
    (snap / "common/etc/iscsi").mkdir(parents=True)
    (snap / "common/lib/cinder-lvm").mkdir(parents=True)
    (snap / "common/lib/cinder-lvm/initiator").write_text("iqn.x")
    program(snap / folder / "iscsid", 'echo "$0" "$@"')
    assert start(snap, "iscsid") == f"{snap}/{folder}/iscsid --foreground\n"
