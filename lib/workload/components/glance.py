"""Glance: images, kept as files of this node."""

from __future__ import annotations

from workload.component import Component, File, Service
from workload.components.requirements import IDENTITY, SCHEMA, cache_secret, database
from workload.config.glance import GlanceConfig

STATE = ("images", "staging", "cache", "os_glance_staging", "os_glance_tasks")

COMPONENT = Component(
    name="glance",
    config=GlanceConfig,
    files=(
        File("glance/glance-api.conf", "glance/glance-api.conf.j2", ("glance",)),
        File("glance/uwsgi.ini", "glance/uwsgi.ini.j2", ("glance",)),
    ),
    services=(Service("glance", (*database(), *IDENTITY, *SCHEMA)),),
    derive=cache_secret,
    directories=(("run/glance", None), *((f"lib/glance/{name}", None) for name in STATE)),
)
