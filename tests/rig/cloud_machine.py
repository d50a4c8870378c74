"""The cloud, brought up by its own command in a machine whose kernel has all that it can use."""

from __future__ import annotations

import json
import shlex
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from microstack import environment
from tests.rig.machine import CHECKOUT, Machine, prepare_cloud

PROJECT = environment.environment_path(CHECKOUT / "requirements/project.txt")
DISK = 40 * 2**30

MODULES = (
    *("tun", "veth", "ip_tables", "iptable_nat", "iptable_mangle", "iptable_raw"),
    *("ip6_tables", "ip6table_filter", "ip6table_nat", "ip6table_mangle", "ip6table_raw"),
    *("xt_CHECKSUM", "xt_comment", "xt_mark", "xt_REDIRECT", "xt_tcpudp"),
)
"""What udev or systemd load on a usual machine, or the firewall's tools when they are used."""

PROCESSOR = """
mount -t tmpfs tmpfs /sys/devices/system/cpu
mkdir -p /sys/devices/system/cpu/cpu0/topology
cd /sys/devices/system/cpu
for file in online possible present; do echo 0 >$file; done
cd cpu0/topology
for file in core_id physical_package_id die_id thread_siblings_list core_siblings_list; do
    echo 0 >$file
done
echo 1 | tee thread_siblings >core_siblings
"""
"""The rig's kernel does not say how its processor is made up, which libvirt wants to know."""

START = f"""
hostname rig
grep -q ' rig$' /etc/hosts || echo '127.0.1.1 rig' >>/etc/hosts
for module in {" ".join(MODULES)}; do modprobe $module; done
# This kernel has no nftables for IPv4.
for tool in iptables ip6tables; do
    update-alternatives --set $tool /usr/sbin/$tool-legacy >/dev/null
done
{PROCESSOR}udevadm settle
"""
"""What is another on this machine, for its kernel's sake: after each boot."""

COPY = """
mkdir -p /opt/microstack
tar -C /rig/checkout --exclude=./.git --exclude=__pycache__ -c . | tar -C /opt/microstack -x
"""
UP = "up --timeout 1800"


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

    def guest(self, name: str, command: str, timeout: float = 120, *, again: bool = False) -> str:
        """Run a command in a guest, over ssh on its floating address.

        Args:
            name: of the guest.
            command: for its shell.
            timeout: seconds for all of it.
            again: while the guest boots, try until it lets in (ssh returns 255 until then).
        """
        address = self.volumes("address", name).split()[-1]
        options = "-F /var/lib/microstack/ssh/config -o BatchMode=yes -o ConnectTimeout=60"
        login = f"ssh {options} root@{address} {shlex.quote(command)}"
        if again:
            inner = f"while {login}; [ $? = 255 ]; do sleep 1; done"
            login = f"timeout {timeout:g} sh -c {shlex.quote(inner)} 2>&-"
        return self.machine.check(login, timeout + 30)

    def applications(self) -> dict[str, tuple[str, str]]:
        document = json.loads(self.microstack("status --format json"))
        found = {n: a["application-status"] for n, a in document["applications"].items()}
        return {n: (s["current"], s.get("message", "")) for n, s in found.items()}


@contextmanager
def cloud_in(folder: Path, overlay: str = "") -> Generator[Cloud]:
    """Bring the cloud up in a machine of its own, and take the machine's power at the end.

    Args:
        folder: where the machine's disk is.
        overlay: of the bundle, as a path in the checkout.
    """
    prepare_cloud(folder / "snap")
    machine = Machine(folder, systemd=True)
    machine.make_disk(DISK)
    cloud = Cloud(machine)
    try:
        machine.boot()
        machine.check(COPY + START)
        cloud.microstack(f"{UP} --overlay {overlay}" if overlay else UP, 2400)
        yield cloud
    finally:
        machine.cut_power()
        machine.disk.unlink()
