"""The cloud with volumes, brought up by its own command on a kernel that has all of it.

One machine serves all tests, in their order; its disk outlives a power cut.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

import pytest
import yaml

from microstack.environment import environment_path
from tests.rig.machine import CHECKOUT, Machine, prepare_cloud

PROJECT = environment_path(CHECKOUT / "requirements/project.txt")
DISK = 40 * 2**30

MODULES = (
    *("tun", "veth", "ip_tables", "iptable_nat", "iptable_mangle", "iptable_raw"),
    *("ip6_tables", "ip6table_filter", "ip6table_nat", "ip6table_mangle", "ip6table_raw"),
    *("xt_CHECKSUM", "xt_comment", "xt_mark", "xt_REDIRECT", "xt_tcpudp"),
)
"""What udev or systemd load on a usual machine, or the firewall's tools when they are used."""

START = f"""
hostname rig
ln -sfn /proc/self/fd /dev/fd
for number in 0:stdin 1:stdout 2:stderr; do ln -sfn fd/${{number%:*}} /dev/${{number#*:}}; done
grep -q ' rig$' /etc/hosts || echo '127.0.1.1 rig' >>/etc/hosts
for module in {" ".join(MODULES)}; do modprobe $module; done
# This kernel has no nftables for IPv4.
for tool in iptables ip6tables; do
    update-alternatives --set $tool /usr/sbin/$tool-legacy >/dev/null
done
# Nor does it say how its processor is made up, which libvirt wants to know.
mount -t tmpfs tmpfs /sys/devices/system/cpu
mkdir -p /sys/devices/system/cpu/cpu0/topology
cd /sys/devices/system/cpu
for file in online possible present; do echo 0 >$file; done
cd cpu0/topology
for file in core_id physical_package_id die_id thread_siblings_list core_siblings_list; do
    echo 0 >$file
done
echo 1 | tee thread_siblings >core_siblings
mkdir -p /run/lock
/lib/systemd/systemd-udevd --daemon
udevadm trigger
udevadm settle
"""
"""What a machine's init does; its kernel is the rig's."""

COPY = """
mkdir -p /opt/microstack
tar -C /rig/checkout --exclude=./.git --exclude=__pycache__ -c . | tar -C /opt/microstack -x
"""
UP = "up --timeout 1800"
LEFT = """
losetup --all
dmsetup ls | grep -v 'No devices found'
ls -d /sys/class/iscsi_session/* /sys/kernel/config/target/iscsi/iqn.* /dev/sd? \\
    /dev/microstack-volumes /var/lib/microstack 2>/dev/null
true
"""
"""Tells of what belongs to volumes or to the cloud."""
GUEST = "g1"
DISK_IN_GUEST, SECTORS = "/dev/vdb", "/sys/block/vdb/size"
PATTERN = "written by the guest"


class Cloud:
    """The machine, and the cloud's command line in it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def microstack(self, command: str, timeout: float = 300) -> str:
        return self.machine.check(f"cd /opt/microstack && ./microstack {command}", timeout)

    def volumes(self, *step: str, timeout: float = 900) -> str:
        """Run a step of `cloud_volumes.py`."""
        script = "/opt/microstack/tests/rig/cloud_volumes.py"
        return self.machine.check(f"{PROJECT}/bin/python {script} {shlex.join(step)}", timeout)

    def guest(self, name: str, command: str, timeout: float = 120) -> str:
        """Run a command in a guest, over ssh on its floating address."""
        address = self.volumes("address", name).split()[-1]
        options = "-F /var/lib/microstack/ssh/config -o BatchMode=yes -o ConnectTimeout=60"
        login = f"ssh {options} root@{address} {shlex.quote(command)}"
        return self.machine.check(login, timeout)

    def applications(self) -> dict[str, tuple[str, str]]:
        document = json.loads(self.microstack("status --format json"))
        found = {n: a["application-status"] for n, a in document["applications"].items()}
        return {n: (s["current"], s.get("message", "")) for n, s in found.items()}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("rig")
    prepare_cloud(folder / "snap")
    machine = Machine(folder)
    machine.make_disk(DISK)
    cloud = Cloud(machine)
    try:
        machine.boot()
        machine.check(COPY + START)
        cloud.microstack(UP, 2400)
        yield cloud
    finally:
        machine.cut_power()
        machine.disk.unlink()


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
    assert cloud.guest(GUEST, f"head -c {len(PATTERN)} {DISK_IN_GUEST}") == PATTERN
    cloud.volumes("detach", "data", GUEST)
    cloud.volumes("holds", "data", PATTERN)


def test_removal_leaves_nothing_though_a_volume_is_attached(cloud: Cloud) -> None:
    cloud.volumes("attach", "data", GUEST)
    cloud.microstack("remove --yes", 900)
    assert cloud.machine.check(LEFT) == ""
