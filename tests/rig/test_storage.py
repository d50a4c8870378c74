"""Volumes on LVM over iSCSI, on a kernel that has all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from microstack.environment import environment_path
from tests.rig import machine

PREPARE = """
set -e
export PYTHONPATH=/rig/checkout/lib PYTHONWARNINGS=ignore
export MICROSTACK_ROOT=/var/rig SNAP=/var/rig/snap SNAP_COMMON=/var/rig/common SNAP_DATA=/root
export PATH=$SNAP/openstack/bin:/usr/sbin:/usr/bin:/sbin:/bin
for folder in etc/cinder-lvm etc/iscsi etc/lvm lib/cinder-lvm locks; do
    mkdir -p $SNAP_COMMON/$folder
done
mkdir -p $SNAP
ln -s /usr $SNAP/usr
ln -s /rig/checkout/snap/local/bin $SNAP/bin
ln -s /rig/checkout/lib $SNAP/lib
/lib/systemd/systemd-udevd --daemon
"""


@pytest.fixture(scope="module", autouse=True)
def _packages() -> None:
    machine.install()


def test_the_exit_code_of_a_job_is_that_of_its_script(tmp_path: Path):
    assert machine.run("echo from inside; exit 7", tmp_path) == machine.Outcome(7, "from inside\n")


@pytest.mark.slow
def test_a_volume_is_made_exported_attached_written_and_removed_with_nothing_left(
    tmp_path: Path,
):
    openstack = environment_path(machine.CHECKOUT / "requirements/openstack.txt")
    job = f"""{PREPARE}
ln -s {openstack} $SNAP/openstack
$SNAP/bin/with-initiator {openstack}/bin/python /rig/checkout/tests/rig/volume_round_trip.py
"""
    outcome = machine.run(job, tmp_path, memory="10G", timeout=900)
    assert outcome.code == 0, outcome.output
    assert "nothing is left" in outcome.output
