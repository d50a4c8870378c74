"""libvirt in a checkout, on a kernel where AppArmor holds the distribution's own to its folders.

So it is on Debian and Ubuntu as they are installed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from microstack.environment import environment_path
from tests.rig import machine

PROJECT = environment_path(machine.CHECKOUT / "requirements/project.txt")

PROFILES = ("usr.sbin.libvirtd", "usr.lib.libvirt.virt-aa-helper")

PREPARE = f"""
set -e
mount -t securityfs securityfs /sys/kernel/security
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
timeout 60 sh -c 'until virsh version >/dev/null 2>&1; do sleep 0.2; done' ||
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


@pytest.fixture(scope="module", autouse=True)
def _packages() -> None:
    machine.install("libvirt-clients", "apparmor")


def test_guests_start_where_apparmor_is_on(tmp_path: Path):
    outcome = machine.run(PREPARE + START + GUEST, tmp_path)
    assert outcome.code == 0, outcome.output
    assert "running" in outcome.output
