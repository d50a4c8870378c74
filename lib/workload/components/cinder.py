"""Cinder's API and scheduler."""

from __future__ import annotations

from workload.component import Component, File, Service
from workload.components.requirements import (
    IDENTITY,
    MESSAGING,
    SCHEMA,
    cache_secret,
    database,
)
from workload.config.cinder import CinderConfig

READY = (*database(), *IDENTITY, *MESSAGING, *SCHEMA)

COMPONENT = Component(
    name="cinder",
    config=CinderConfig,
    files=(
        File("cinder/cinder.conf", "cinder/cinder.conf.j2", ("cinder-api", "cinder-scheduler")),
        File("cinder/uwsgi.ini", "cinder/uwsgi.ini.j2", ("cinder-api",)),
    ),
    services=(Service("cinder-api", READY), Service("cinder-scheduler", READY)),
    derive=cache_secret,
    directories=(("lib/cinder", None), ("run/cinder", None)),
)
