#!/usr/bin/env python3
"""Cinder's control plane: the API and the scheduler of block storage."""

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
from interfaces import cinder_backend, glance, keystone, memcache, mysql_client, rabbitmq
from workload.config.cinder import CinderConfig


class CinderCharm(ComponentCharm[CinderConfig]):
    """Operate Cinder's API and scheduler."""

    component = "cinder"

    database = Requires(
        "database", mysql_client.Requirer, request=mysql_client.RequirerData(database="cinder")
    )
    amqp = Requires("amqp", rabbitmq.Requirer)
    identity_service = Requires(
        "identity-service",
        keystone.Requirer,
        request=sections.catalog(
            "block-storage",
            "cinder",
            "OpenStack Block Storage",
            path="/v3",
            # Nova and many clients look it up by the older service type.
            aliases={"volumev3": "cinderv3"},
        ),
    )
    cache = Requires("cache", memcache.Requirer)
    # Found in the catalog; its data is not waited for.
    image_service = Requires("image-service", glance.Requirer)
    storage_backend = Provides("storage-backend", cinder_backend.Provider)

    migration = Job("cinder-db-sync", needs=("database",))
    probe = All((Http(), Services(("cinder-scheduler",))))
    ports = ("port",)
    mapping = {
        "debug": Option("debug"),
        "bind-address": Binding("identity-service"),
        "port": Option("port"),
        "host": Hostname(),
        "database": sections.database(database),
        "rabbitmq": sections.messaging(amqp),
        "identity": sections.identity(identity_service),
        "cache": sections.cache(cache),
        "default-volume-type": Option("default-volume-type"),
        "schema-release": migration.done,
    }

    def publish(self, config: CinderConfig) -> None:
        """Tell backends that the schema is there."""
        self.storage_backend.publish(cinder_backend.ProviderData(release=config.schema_release))

    def message(self, config: CinderConfig) -> str:
        """Say so where no volume can be made."""
        return "" if self.storage_backend.relations else "no storage backend related"


if __name__ == "__main__":
    ops.main(CinderCharm)
