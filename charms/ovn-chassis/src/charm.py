#!/usr/bin/env python3
"""A chassis of OVN beside a hypervisor: Open vSwitch, ovn-controller, the metadata agent."""

from __future__ import annotations

import ops

from charmbase import Binding, ComponentCharm, Hostname, Option, Requires, Services
from interfaces import neutron_plugin, nova, ovsdb
from workload.config.ovn_chassis import OvnChassisConfig


class OvnChassisCharm(ComponentCharm[OvnChassisConfig]):
    """Operate a chassis, on the machine of its principal."""

    component = "ovn-chassis"

    neutron_plugin = Requires("neutron-plugin", neutron_plugin.Requirer)
    nova_service = Requires("nova-service", nova.Requirer)
    ovsdb = Requires("ovsdb", ovsdb.Requirer)

    probe = Services(("ovsdb-server", "ovs-vswitchd", "ovn-controller", "neutron-ovn-agent"))
    mapping = {
        "debug": Option("debug"),
        # The hypervisor has this name in Nova: ports are bound by it.
        "host": Hostname(),
        "encap-address": Binding("ovsdb"),
        "datapath": Option("datapath"),
        "ovn": {
            "nb-connection": ovsdb["db-nb-connection-str"],
            "sb-connection": ovsdb["db-sb-connection-str"],
        },
        "metadata": {
            "host": nova_service["metadata-host"],
            "port": nova_service["metadata-port"],
            "shared-secret": nova_service["metadata-secret.shared-secret"],
        },
        "external-bridge": {
            "name": Option("external-bridge"),
            "address": Option("external-bridge-address"),
            "masquerade": Option("masquerade"),
            "physical-network": Option("physical-network"),
        },
    }

    def publish(self, config: OvnChassisConfig) -> None:
        """Name the chassis to the hypervisor."""
        self.neutron_plugin.publish(
            neutron_plugin.RequirerData(chassis_name=config.host), scope="unit"
        )


if __name__ == "__main__":
    ops.main(OvnChassisCharm)
