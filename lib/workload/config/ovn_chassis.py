"""Snap config of a chassis: Open vSwitch, ovn-controller, the metadata agent, the bridge."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from workload.config.base import Secret, Section
from workload.config.neutron import Ovn
from workload.config.shared import Component


class ChassisMetadata(Section):
    """Nova's metadata API, as the OVN agent reaches it."""

    host: str | None = None
    port: int = Field(default=8775, ge=1, le=65535)
    shared_secret: Secret | None = None


class ExternalBridge(Section):
    """The provider bridge and what of it the host itself has."""

    name: str = "br-ex"
    address: str | None = Field(
        default=None, description="the host's address on the bridge, e.g. 10.20.20.1/24"
    )
    masquerade: bool = Field(default=True, description="let guests reach what the host reaches")
    physical_network: str = "physnet1"


class OvnChassisConfig(Component):
    """Keys under `ovn-chassis`."""

    host: str | None = Field(default=None, description="system-id and host name of the chassis")
    encap_address: str | None = Field(default=None, description="local end of Geneve tunnels")
    datapath: Literal["auto", "system", "netdev"] = "auto"
    ovn: Ovn = Ovn()
    metadata: ChassisMetadata = ChassisMetadata()
    external_bridge: ExternalBridge = ExternalBridge()
