#!/usr/bin/env python3
"""Cinder's control plane: the API and the scheduler of block storage."""

from __future__ import annotations

import ops

from charmbase import (
    All,
    Binding,
    ComponentCharm,
    Computed,
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
from volume_types import VolumeTypes
from workload.config.cinder import CinderConfig

TYPE_MARK = "volume-type-"
"""What the notes of volume types that were made begin with."""


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
        "default-volume-type": Computed(
            lambda charm: charm.default_volume_type,
            "option default-volume-type, or the type of the first backend",
            wanted=False,
        ),
        "schema-release": migration.done,
    }

    @property
    def default_volume_type(self) -> str | None:
        """The type of volumes that ask for none."""
        chosen = str(self.config["default-volume-type"])
        return chosen or next(iter(self._types()), None)

    def publish(self, config: CinderConfig) -> None:
        """Make the backends' volume types, and tell them that the schema is there."""
        self._make_types(config)
        self.storage_backend.publish(cinder_backend.ProviderData(release=config.schema_release))

    def message(self, config: CinderConfig) -> str:
        """Say so where no volume can be made."""
        return "" if self.storage_backend.relations else "no storage backend related"

    def _types(self) -> dict[str, str]:
        """Return the backend of each volume type that one asks for."""
        asked = (request.data for request in self.storage_backend.requests())
        return {a.volume_type: a.backend_name for a in asked if a.volume_type and a.backend_name}

    def _make_types(self, config: CinderConfig) -> None:
        wanted = {f"{TYPE_MARK}{name}": backend for name, backend in self._types().items()}
        marks = self.peers.data.marks
        due = [mark for mark, backend in wanted.items() if marks.get(mark) != backend]
        if not due or not self.peers.writable:
            return
        types = VolumeTypes(f"{self.api_url}/v3", config.identity)
        for mark in due:
            types.ensure(mark.removeprefix(TYPE_MARK), wanted[mark])
            self.peers.mark(mark, wanted[mark])


if __name__ == "__main__":
    ops.main(CinderCharm)
