#!/usr/bin/env python3
"""Neutron: networks, with ML2/OVN."""

from __future__ import annotations

import ops

from charmbase import (
    All,
    Binding,
    ComponentCharm,
    Hostname,
    Http,
    Job,
    Option,
    Provides,
    Requires,
    Services,
    sections,
)
from interfaces import keystone, memcache, mysql_client, neutron_api, ovsdb_cms, rabbitmq
from workload.config.neutron import NeutronConfig


class NeutronCharm(ComponentCharm[NeutronConfig]):
    """Operate Neutron's API and its OVN maintenance worker."""

    component = "neutron"

    database = Requires(
        "database", mysql_client.Requirer, request=mysql_client.RequirerData(database="neutron")
    )
    amqp = Requires("amqp", rabbitmq.Requirer)
    identity_service = Requires(
        "identity-service",
        keystone.Requirer,
        request=sections.catalog("network", "neutron", "OpenStack Networking"),
    )
    cache = Requires("cache", memcache.Requirer)
    ovsdb_cms = Requires("ovsdb-cms", ovsdb_cms.Requirer)
    neutron_api = Provides("neutron-api", neutron_api.Provider)

    migration = Job("neutron-db-sync", needs=("database",))
    probe = All((Http(), Services(("neutron-maintenance",))))
    ports = ("port",)
    mapping = {
        "debug": Option("debug"),
        "bind-address": Binding("neutron-api"),
        "port": Option("port"),
        "host": Hostname(),
        "database": sections.database(database),
        "rabbitmq": sections.messaging(amqp),
        "identity": sections.identity(identity_service),
        "cache": sections.cache(cache),
        "ovn": {
            "nb-connection": ovsdb_cms["db-nb-connection-str"],
            "sb-connection": ovsdb_cms["db-sb-connection-str"],
        },
        "dns-domain": Option("dns-domain"),
        "dns-servers": Option("dns-servers"),
        "physical-network": Option("physical-network"),
        "physical-network-mtu": Option("mtu"),
        "schema-release": migration.done,
    }

    def publish(self, config: NeutronConfig) -> None:
        """Tell clients where the network API is."""
        self.neutron_api.publish(neutron_api.ProviderData(neutron_url=self.api_url))


if __name__ == "__main__":
    ops.main(NeutronCharm)
