"""A charm that uses everything charmbase offers; it maps to the component `glance`."""

from __future__ import annotations

from typing import Any

from charmbase import Binding, ComponentCharm, Http, Job, Option, Provides, Requires, sections
from interfaces import glance, keystone, memcache, mysql_client
from workload.config.glance import GlanceConfig

META: dict[str, Any] = {
    "name": "sample",
    "requires": {
        "database": {"interface": "mysql_client"},
        "identity-service": {"interface": "keystone"},
        "cache": {"interface": "memcache"},
    },
    "provides": {"image-service": {"interface": "glance"}},
    "peers": {"sample-peers": {"interface": "sample_peers"}},
    "resources": {"microstack-snap": {"type": "file", "filename": "microstack.snap"}},
}
OPTIONS: dict[str, Any] = {
    "options": {
        "debug": {"type": "boolean", "default": False},
        "port": {"type": "int", "default": 9292},
    }
}
ACTIONS: dict[str, Any] = {"migrate-database": {"additionalProperties": False}}


class SampleCharm(ComponentCharm[GlanceConfig]):
    component = "glance"

    database = Requires(
        "database", mysql_client.Requirer, request=mysql_client.RequirerData(database="glance")
    )
    identity_service = Requires(
        "identity-service",
        keystone.Requirer,
        request=sections.catalog("image", "glance", "Images"),
    )
    cache = Requires("cache", memcache.Requirer)
    image_service = Provides("image-service", glance.Provider)

    migrate = Job("glance-db-sync", needs=("database",))
    probe = Http(path="/healthcheck")
    mapping = {  # noqa: RUF012
        "debug": Option("debug"),
        "bind-address": Binding("image-service"),
        "port": Option("port"),
        "database": sections.database(database),
        "identity": sections.identity(identity_service),
        "cache": sections.cache(cache),
        "schema-release": migrate.done,
    }

    def publish(self, config: GlanceConfig) -> None:
        self.image_service.publish(glance.ProviderData(glance_api_server=self.api_url))
