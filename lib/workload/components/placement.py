"""Placement: inventories of resources and what is allocated of them."""

from __future__ import annotations

from workload.component import Component, File, Service
from workload.components.requirements import IDENTITY, SCHEMA, cache_secret, database
from workload.config.placement import PlacementConfig

COMPONENT = Component(
    name="placement",
    config=PlacementConfig,
    files=(
        File("placement/placement.conf", "placement/placement.conf.j2", ("placement",)),
        File("placement/uwsgi.ini", "placement/uwsgi.ini.j2", ("placement",)),
    ),
    services=(Service("placement", (*database(), *IDENTITY, *SCHEMA)),),
    derive=cache_secret,
)
