"""nova-compute and the libvirt it drives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workload import detect
from workload.component import Component, File, Service
from workload.components.requirements import IDENTITY, MESSAGING
from workload.config.nova_compute import NovaComputeConfig
from workload.layout import under_snapd


def derive(config: NovaComputeConfig) -> Mapping[str, Any]:
    """Choose how guests run, by what this host can do."""
    virt_type = config.virt_type
    if virt_type == "auto":
        virt_type = "kvm" if detect.kvm_starts_guests() else "qemu"
    return {
        "virt_type": virt_type,
        "qemu_account": detect.qemu_account(kvm=virt_type == "kvm"),
        "host_uuid": detect.host_uuid(),
        "systemd": detect.systemd(),
        "udev": detect.udev(),
        "own_profiles": under_snapd(),
    }


COMPONENT = Component(
    name="nova-compute",
    config=NovaComputeConfig,
    files=(
        File("nova-compute/nova.conf", "nova-compute/nova.conf.j2", ("nova-compute",)),
        File("libvirt/libvirtd.conf", "nova-compute/libvirtd.conf.j2", ("libvirtd",)),
        File("libvirt/qemu.conf", "nova-compute/qemu.conf.j2", ("libvirtd",)),
        File("libvirt/hidden", "nova-compute/hidden.j2", ("libvirtd",)),
    ),
    services=(
        Service("libvirtd", ("host",)),
        Service("guests", ("host",)),
        Service("nova-compute", ("host", "ip-address", *IDENTITY, *MESSAGING)),
    ),
    derive=derive,
    directories=(
        ("etc/iscsi", None),
        ("run/libvirt", None),
        ("run/nova-compute", None),
        ("lib/nova-compute", detect.QEMU_ACCOUNT),
        ("lib/nova-compute/instances", detect.QEMU_ACCOUNT),
    ),
)
