"""The cloud with volumes, brought up by its own command on a kernel that has all of it.

One machine serves all tests, in their order; its disk outlives a power cut.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from tests.rig.cloud_machine import START, Cloud, cloud_in
from tests.rig.machine import CHECKOUT

LEFT = """
losetup --all
dmsetup ls | grep -v 'No devices found'
ls -d /sys/class/iscsi_session/* /sys/kernel/config/target/iscsi/iqn.* /dev/sd? \\
    /dev/microstack-volumes /run/rtslib_backstore.lock /var/lib/microstack 2>/dev/null
true
"""
"""Tells of what belongs to volumes or to the cloud."""
GUEST = "g1"
DISK_IN_GUEST, SECTORS = "/dev/vdb", "/sys/block/vdb/size"
PATTERN = "written by the guest"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with cloud_in(tmp_path_factory.mktemp("rig")) as cloud:
        yield cloud


pytestmark = pytest.mark.slow


def test_every_application_is_active(cloud: Cloud) -> None:
    states = {name: state for name, (state, _) in cloud.applications().items()}
    bundle = yaml.safe_load((CHECKOUT / "bundles/microstack.yaml").read_text())
    assert states == dict.fromkeys(bundle["applications"], "active")


def test_a_volume_lives_through_snapshot_clone_extension_and_backup(cloud: Cloud) -> None:
    cloud.volumes("life")
    cloud.volumes("nothing")


def test_a_volume_that_the_storage_could_never_hold_is_refused(cloud: Cloud) -> None:
    cloud.volumes("refused")
    cloud.volumes("nothing")


def test_a_guest_writes_to_an_attached_volume(cloud: Cloud) -> None:
    cloud.microstack(f"launch {GUEST} --wait", 900)
    cloud.volumes("attach", "data", GUEST)
    cloud.guest(GUEST, f"printf %s '{PATTERN}' >{DISK_IN_GUEST}; sync")
    cloud.volumes("detach", "data", GUEST)
    cloud.volumes("holds", "data", PATTERN)


def test_a_guest_sees_its_volume_grow(cloud: Cloud) -> None:
    cloud.volumes("attach", "data", GUEST)
    cloud.volumes("extend", "data", "2")
    cloud.guest(GUEST, f"until [ $(cat {SECTORS}) = {2 * 2**30 // 512} ]; do sleep 1; done")
    assert cloud.guest(GUEST, f"head -c {len(PATTERN)} {DISK_IN_GUEST}") == PATTERN
    cloud.volumes("detach", "data", GUEST)


def test_a_guest_boots_from_a_volume_and_both_go_away(cloud: Cloud) -> None:
    cloud.volumes("boot", "from-volume")
    cloud.volumes("exist", "data")
    cloud.volumes("remove", "data")
    cloud.volumes("nothing")


def test_volumes_outlive_a_power_cut_while_one_is_written_to(cloud: Cloud) -> None:
    cloud.volumes("make", "other")
    cloud.volumes("attach", "data", GUEST)
    cloud.guest(GUEST, f"printf %s '{PATTERN}' >{DISK_IN_GUEST}; sync")
    # Far from the pattern, and at work until the end.
    writing = f"dd if=/dev/urandom of={DISK_IN_GUEST} bs=64k seek=1024 conv=notrunc"
    cloud.guest(GUEST, f"{writing} >/dev/null 2>&1 </dev/null & sync")
    cloud.machine.cut_power()
    cloud.machine.boot()
    cloud.machine.check(START)
    cloud.microstack("start", 1800)
    cloud.volumes("exist", "data", "other")
    cloud.volumes("attached", "data", GUEST)
    read = f"head -c {len(PATTERN)} {DISK_IN_GUEST}"
    assert cloud.guest(GUEST, read, timeout=600, again=True) == PATTERN
    cloud.volumes("detach", "data", GUEST)
    cloud.volumes("holds", "data", PATTERN)


def test_removal_leaves_nothing_though_a_volume_is_attached(cloud: Cloud) -> None:
    cloud.volumes("attach", "data", GUEST)
    cloud.microstack("remove --yes", 900)
    assert cloud.machine.check(LEFT) == ""
