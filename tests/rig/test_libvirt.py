"""libvirt in a checkout, on a machine as the distribution installs it.

AppArmor holds the distribution's own libvirt to its folders, systemd and udev are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from microstack.environment import distribution_packages, environment_path
from tests.rig.machine import CHECKOUT, Machine, install

PROJECT = environment_path(CHECKOUT / "requirements/project.txt")

PROFILES = ("usr.sbin.libvirtd", "usr.lib.libvirt.virt-aa-helper")

PREPARE = f"""
set -e
for profile in {" ".join(PROFILES)}; do
    apparmor_parser --replace --skip-cache /etc/apparmor.d/$profile
done
grep -q '^libvirtd (enforce)' /sys/kernel/security/apparmor/profiles
export PYTHONPATH=/rig/checkout/lib:/rig/checkout
export MICROSTACK_ROOT=/var/rig SNAP=/var/rig/snap SNAP_COMMON=/var/rig/common SNAP_DATA=/root
export LIBVIRT_DEFAULT_URI="qemu:///system?socket=$SNAP_COMMON/run/libvirt/libvirt-sock"
mkdir -p $SNAP $SNAP_COMMON/run/libvirt
chmod 0711 /var/rig $SNAP_COMMON
ln -s /usr $SNAP/usr
ln -s /rig/checkout/snap/local/bin $SNAP/bin
cd /rig/checkout
{PROJECT}/bin/python -c '
from pathlib import Path
from tests.workload import filled
from workload.layout import Layout
layout = Layout.from_environment()
for name, text in filled.files(layout, "nova-compute").items():
    path = layout.etc / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
'
"""

START = """
$SNAP/bin/libvirtd >/rig/shared/libvirtd.log 2>&1 &
timeout 120 sh -c 'until virsh version >/dev/null 2>&1; do sleep 0.2; done' ||
    { cat /rig/shared/libvirtd.log; exit 1; }
"""

GUEST = """
cat >/tmp/guest.xml <<XML
<domain type='qemu'>
  <name>g</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices><emulator>$SNAP_COMMON/lib/libvirt/bin/qemu-system-x86_64</emulator></devices>
</domain>
XML
virsh create /tmp/guest.xml
virsh domstate g
virsh destroy g
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    install(*distribution_packages(CHECKOUT / "snap/snapcraft.yaml"), "apparmor")
    machine = Machine(tmp_path, memory="2G", systemd=True)
    machine.make_disk(2 * 2**30)
    machine.boot()
    yield machine
    machine.cut_power()


def test_guests_start_where_apparmor_and_systemd_are(machine: Machine):
    assert "running" in machine.check(PREPARE + START + GUEST, timeout=300)
