"""Neutron's API with ML2/OVN, and the worker that keeps OVN's northbound database right."""

from __future__ import annotations

from workload.component import Component, File, Service
from workload.components.requirements import (
    IDENTITY,
    MESSAGING,
    SCHEMA,
    cache_secret,
    database,
)
from workload.config.neutron import NeutronConfig

SERVICES = ("neutron-api", "neutron-maintenance")
READY = (
    *database(),
    *IDENTITY,
    *MESSAGING,
    *SCHEMA,
    "ovn.nb-connection",
    "ovn.sb-connection",
)

COMPONENT = Component(
    name="neutron",
    config=NeutronConfig,
    files=(
        File("neutron/neutron.conf", "neutron/neutron.conf.j2", SERVICES),
        File("neutron/ml2_conf.ini", "neutron/ml2_conf.ini.j2", SERVICES),
        File("neutron/uwsgi.ini", "neutron/uwsgi.ini.j2", ("neutron-api",)),
    ),
    services=tuple(Service(name, READY) for name in SERVICES),
    derive=cache_secret,
    directories=(("lib/neutron", None), ("run/neutron/tmp", None)),
)
