#!/usr/bin/env python3
"""Nova's control plane: compute API, metadata API, conductor, scheduler, console proxy."""

from __future__ import annotations

import ops

from charmbase import (
    All,
    Binding,
    ComponentCharm,
    Computed,
    Http,
    Job,
    Option,
    Provides,
    Requires,
    Services,
    Tcp,
    new_password,
    sections,
)
from interfaces import (
    glance,
    keystone,
    memcache,
    mysql_client,
    neutron_api,
    nova,
    nova_compute,
    placement,
    rabbitmq,
)
from workload.config.nova import NovaConfig

METADATA_SECRET = "metadata"  # noqa: S105 - the secret's name


class NovaCharm(ComponentCharm[NovaConfig]):
    """Operate Nova's control plane."""

    component = "nova"

    api_database = Requires(
        "api-database",
        mysql_client.Requirer,
        request=mysql_client.RequirerData(database="nova_api"),
    )
    database = Requires(
        "database", mysql_client.Requirer, request=mysql_client.RequirerData(database="nova")
    )
    cell_database = Requires(
        "cell-database",
        mysql_client.Requirer,
        request=mysql_client.RequirerData(database="nova_cell0"),
    )
    amqp = Requires("amqp", rabbitmq.Requirer)
    identity_service = Requires(
        "identity-service",
        keystone.Requirer,
        request=sections.catalog("compute", "nova", "OpenStack Compute", path="/v2.1"),
    )
    cache = Requires("cache", memcache.Requirer)
    # Nova finds these three in the catalog; none of their data is waited for.
    image_service = Requires("image-service", glance.Requirer)
    placement = Requires("placement", placement.Requirer)
    neutron_api = Requires("neutron-api", neutron_api.Requirer)
    compute = Provides("compute", nova_compute.Provider)
    nova_service = Provides("nova-service", nova.Provider)

    migration = Job("nova-db-sync", needs=("api-database", "database", "cell0-database"))
    probe = All(
        (
            Http(),
            Http(port="metadata.port"),
            Tcp(port="spice.port"),
            Services(("nova-conductor", "nova-scheduler")),
        )
    )
    ports = ("port", "spice.port")
    mapping = {
        "debug": Option("debug"),
        "bind-address": Binding("compute"),
        "port": Option("port"),
        "api-database": sections.database(api_database),
        "database": sections.database(database),
        "cell0-database": sections.database(cell_database),
        "rabbitmq": sections.messaging(amqp),
        "identity": sections.identity(identity_service),
        "cache": sections.cache(cache),
        "metadata": {
            "port": Option("metadata-port"),
            "shared-secret": Computed(
                lambda charm: charm.metadata_secret, "generated metadata secret"
            ),
        },
        "spice": {
            "port": Option("spice-port"),
            "url": Computed(lambda charm: charm.spice_url, "address and spice-port"),
        },
        "cpu-allocation-ratio": Option("cpu-allocation-ratio"),
        "ram-allocation-ratio": Option("ram-allocation-ratio"),
        "schema-release": migration.done,
    }

    def __init__(self, framework: ops.Framework) -> None:
        super().__init__(framework)
        framework.observe(
            self.on["rotate-metadata-secret"].action, self._on_rotate_metadata_secret
        )

    @property
    def metadata_secret(self) -> str | None:
        """What metadata agents sign requests with; the leader generates it first."""
        content = self.vault.ensure(METADATA_SECRET, _new_metadata_secret)
        return content["shared-secret"] if content else None

    @property
    def spice_url(self) -> str | None:
        """Page a browser opens for a console."""
        address = self.address("compute")
        return f"http://{address}:{self.config['spice-port']}/spice_auto.html" if address else None

    def announce(self) -> None:
        """Tell hypervisors and chassis what their own config needs of Nova."""
        config = self.built.config
        self.compute.publish(nova_compute.ProviderData(spice_proxy_url=config.spice.url))
        if not self.peers.writable:
            return
        for relation in self.nova_service.relations:
            data = nova.ProviderData(
                metadata_host=self.address("compute"),
                metadata_port=config.metadata.port,
                metadata_secret=self.vault.share(METADATA_SECRET, relation),
                spice_proxy_url=config.spice.url,
            )
            self.nova_service.publish(data, relation)

    def publish(self, config: NovaConfig) -> None:
        """Tell hypervisors that they can register, once Placement answers too."""
        placed: placement.ProviderData | None = self.view(NovaCharm.placement)
        data = nova_compute.ProviderData(
            spice_proxy_url=config.spice.url,
            takes_hypervisors=True if placed and placed.placement_url else None,
        )
        self.compute.publish(data)

    def _on_rotate_metadata_secret(self, event: ops.ActionEvent) -> None:
        if not self.peers.writable:
            event.fail("run this on the leader")
            return
        self.vault.replace(METADATA_SECRET, _new_metadata_secret())
        self.reconcile()
        event.set_results({"rotated": "metadata-secret"})


def _new_metadata_secret() -> dict[str, str]:
    return {"shared-secret": new_password()}


if __name__ == "__main__":
    ops.main(NovaCharm)
