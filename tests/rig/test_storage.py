"""Volumes on LVM over iSCSI, on a kernel that has all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from microstack.environment import environment_path
from tests.rig import machine

PREPARE = """
set -e
export PATH=/usr/sbin:/usr/bin:/sbin:/bin SNAP_COMMON=/var/rig PYTHONPATH=/rig/checkout/lib
export PYTHONWARNINGS=ignore
mkdir -p $SNAP_COMMON/etc $SNAP_COMMON/locks /etc/target
for module in configfs target_core_mod target_core_iblock sd_mod; do modprobe $module; done
mount -t configfs none /sys/kernel/config
echo InitiatorName=iqn.1993-08.org.debian:01:rig >/etc/iscsi/initiatorname.iscsi
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
modprobe loop; modprobe iscsi_tcp; iscsid
{openstack}/bin/python /rig/checkout/tests/rig/volume_round_trip.py
"""
    outcome = machine.run(job, tmp_path, memory="6G")
    assert outcome.code == 0, outcome.output
    assert "nothing is left" in outcome.output
