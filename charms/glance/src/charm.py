#!/usr/bin/env python3
"""Glance: the images that guests boot from."""

from __future__ import annotations

import ops

from charmbase import Binding, ComponentCharm, Http, Job, Option, Provides, Requires, sections
from interfaces import glance, keystone, memcache, mysql_client
from workload.config.glance import GlanceConfig


class GlanceCharm(ComponentCharm[GlanceConfig]):
    """Operate Glance."""

    component = "glance"

    database = Requires(
        "database", mysql_client.Requirer, request=mysql_client.RequirerData(database="glance")
    )
    identity_service = Requires(
        "identity-service",
        keystone.Requirer,
        request=sections.catalog("image", "glance", "OpenStack Image"),
    )
    cache = Requires("cache", memcache.Requirer)
    image_service = Provides("image-service", glance.Provider)

    migration = Job("glance-db-sync", needs=("database",))
    probe = Http(path="/healthcheck")
    ports = ("port",)
    mapping = {
        "debug": Option("debug"),
        "bind-address": Binding("image-service"),
        "port": Option("port"),
        "database": sections.database(database),
        "identity": sections.identity(identity_service),
        "cache": sections.cache(cache),
        "schema-release": migration.done,
    }

    def publish(self, config: GlanceConfig) -> None:
        """Tell clients where the image API is."""
        self.image_service.publish(glance.ProviderData(glance_api_server=self.api_url))


if __name__ == "__main__":
    ops.main(GlanceCharm)
