"""A chassis: Open vSwitch, ovn-controller, the metadata agent and the provider bridge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workload import detect
from workload.component import Component, File, Service
from workload.config.ovn_chassis import OvnChassisConfig


def derive(config: OvnChassisConfig) -> Mapping[str, Any]:
    """Choose the datapath: the kernel's where it has Open vSwitch, else the one in userspace."""
    return {"datapath": detect.datapath() if config.datapath == "auto" else config.datapath}


CHASSIS = ("host", "encap-address", "ovn.sb-connection")
METADATA = ("metadata.host", "metadata.shared-secret")

COMPONENT = Component(
    name="ovn-chassis",
    config=OvnChassisConfig,
    files=(
        File("ovn-chassis/ovs.json", "ovn-chassis/ovs.json.j2", ("ovs-setup",)),
        File(
            "ovn-chassis/external-bridge.json",
            "ovn-chassis/external-bridge.json.j2",
            ("external-bridge",),
        ),
        File(
            "ovn-chassis/neutron_ovn_agent.ini",
            "ovn-chassis/neutron_ovn_agent.ini.j2",
            ("neutron-ovn-agent",),
        ),
    ),
    services=(
        Service("ovsdb-server", ("host",)),
        Service("ovs-vswitchd", ("host",)),
        Service("ovs-setup", CHASSIS),
        Service("external-bridge", (*CHASSIS, "external-bridge.address")),
        Service("ovn-controller", CHASSIS),
        Service("neutron-ovn-agent", (*CHASSIS, "ovn.nb-connection", *METADATA)),
    ),
    derive=derive,
    directories=(
        ("lib/openvswitch", None),
        ("lib/ovn-chassis", None),
        ("run/openvswitch", None),
        ("run/ovn", None),
        ("run/ovn-chassis", None),
    ),
)
