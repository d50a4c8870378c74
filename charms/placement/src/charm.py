#!/usr/bin/env python3
"""Placement: what resource providers have, and what of it is in use."""

from __future__ import annotations

import ops

from charmbase import Binding, ComponentCharm, Http, Job, Option, Provides, Requires, sections
from interfaces import keystone, memcache, mysql_client, placement
from workload.config.placement import PlacementConfig


class PlacementCharm(ComponentCharm[PlacementConfig]):
    """Operate Placement."""

    component = "placement"

    database = Requires(
        "database", mysql_client.Requirer, request=mysql_client.RequirerData(database="placement")
    )
    identity_service = Requires(
        "identity-service",
        keystone.Requirer,
        request=sections.catalog("placement", "placement", "OpenStack Placement"),
    )
    cache = Requires("cache", memcache.Requirer)
    placement = Provides("placement", placement.Provider)

    migration = Job("placement-db-sync", needs=("database",))
    probe = Http()
    ports = ("port",)
    mapping = {
        "debug": Option("debug"),
        "bind-address": Binding("placement"),
        "port": Option("port"),
        "database": sections.database(database),
        "identity": sections.identity(identity_service),
        "cache": sections.cache(cache),
        "schema-release": migration.done,
    }

    def publish(self, config: PlacementConfig) -> None:
        """Tell clients where the placement API is."""
        self.placement.publish(placement.ProviderData(placement_url=self.api_url))


if __name__ == "__main__":
    ops.main(PlacementCharm)
