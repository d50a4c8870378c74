"""Nova's control plane: API, metadata API, conductor, scheduler and the console proxy."""

from __future__ import annotations

from workload.component import Component, File, Service
from workload.components.requirements import (
    IDENTITY,
    MESSAGING,
    SCHEMA,
    cache_secret,
    database,
)
from workload.config.nova import NovaConfig

WORKERS = ("nova-conductor", "nova-scheduler", "nova-spiceproxy")
DATABASES = (*database(), *database("api-database"), *SCHEMA)
READY = (*DATABASES, *MESSAGING, *IDENTITY)

COMPONENT = Component(
    name="nova",
    config=NovaConfig,
    files=(
        File("nova/nova.conf", "nova/nova.conf.j2", ("nova-api", "nova-metadata", *WORKERS)),
        File("nova/api-uwsgi.ini", "nova/api-uwsgi.ini.j2", ("nova-api",)),
        File("nova/metadata-uwsgi.ini", "nova/metadata-uwsgi.ini.j2", ("nova-metadata",)),
        File("nova/cell0.url", "nova/cell0.url.j2", ()),
    ),
    services=(
        Service("nova-api", READY),
        Service("nova-metadata", (*READY, "metadata.shared-secret")),
        Service("nova-conductor", READY),
        Service("nova-scheduler", READY),
        Service("nova-spiceproxy", (*READY, "spice.url")),
    ),
    derive=cache_secret,
    directories=(("lib/nova", None), ("run/nova", None)),
)
