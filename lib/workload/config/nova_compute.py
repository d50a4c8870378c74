"""Snap config of nova-compute and the libvirt it drives."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from workload.config.base import Section
from workload.config.shared import Component, Identity, Messaging


class ComputeSpice(Section):
    """Where guests' Spice servers listen, and the proxy page that users are sent to."""

    proxy_url: str | None = None
    listen_address: str = "127.0.0.1"


class NovaComputeConfig(Component):
    """Keys under `nova-compute`."""

    host: str | None = Field(default=None, description="name of the hypervisor in Nova and OVN")
    ip_address: str | None = None
    virt_type: Literal["auto", "kvm", "qemu"] = "auto"
    cpu_mode: Literal["none", "host-model", "host-passthrough"] = "none"
    rabbitmq: Messaging = Messaging()
    identity: Identity = Identity()
    spice: ComputeSpice = ComputeSpice()
    reserved_host_memory: int = Field(default=512, ge=0, description="kept for the host, MiB")
    resume_on_boot: bool = Field(
        default=True, description="start guests again that ran at shutdown"
    )
