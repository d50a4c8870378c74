#!/usr/bin/env python3
"""nova-compute: makes its machine a hypervisor, with libvirt and QEMU."""

from __future__ import annotations

import ops

from charmbase import (
    Binding,
    ComponentCharm,
    Hostname,
    Option,
    Provides,
    Requires,
    Services,
    probes,
    sections,
)
from charmbase.charm import SERVICE_TIMEOUT
from interfaces import keystone_credentials, neutron_plugin, nova_compute, rabbitmq
from provider import ResourceProvider
from workload.config.nova_compute import NovaComputeConfig


class NovaComputeCharm(ComponentCharm[NovaComputeConfig]):
    """Operate a hypervisor."""

    component = "nova-compute"

    amqp = Requires("amqp", rabbitmq.Requirer)
    identity_credentials = Requires(
        "identity-credentials",
        keystone_credentials.Requirer,
        request=lambda charm: keystone_credentials.RequirerData(username=charm.app.name),
    )
    compute = Requires("compute", nova_compute.Requirer)
    neutron_plugin = Provides("neutron-plugin", neutron_plugin.Provider)

    probe = Services(("libvirtd", "nova-compute"))
    mapping = {
        "debug": Option("debug"),
        "host": Hostname(),
        "ip-address": Binding("compute"),
        "virt-type": Option("virt-type"),
        "cpu-mode": Option("cpu-mode"),
        "rabbitmq": sections.messaging(amqp),
        "identity": sections.credentials(identity_credentials),
        "spice": {
            "proxy-url": compute["spice-proxy-url"],
            "listen-address": Binding("compute"),
        },
        "reserved-host-memory": Option("reserved-host-memory"),
        "resume-on-boot": Option("resume-on-boot"),
    }

    def awaited(self, config: NovaComputeConfig) -> str:
        """Say that Nova, or then Placement, does not know the hypervisor yet."""
        offer: nova_compute.ProviderData | None = self.view(NovaComputeCharm.compute)
        if offer is None or not offer.takes_hypervisors:
            return f"{self.describe(NovaComputeCharm.compute)} does not take hypervisors yet"
        registered = ResourceProvider()
        if probes.wait(registered, config, SERVICE_TIMEOUT if self.starting else self.patience):
            return ""
        return registered.fault(config)

    def publish(self, config: NovaComputeConfig) -> None:
        """Name the hypervisor to the control plane and to the network plugin."""
        self.compute.publish(
            nova_compute.RequirerData(hypervisor_hostname=config.host), scope="unit"
        )
        self.neutron_plugin.publish(neutron_plugin.ProviderData(host=config.host))


if __name__ == "__main__":
    ops.main(NovaComputeCharm)
