"""OVN's northbound and southbound databases, in one server, and northd between them."""

from __future__ import annotations

from workload.component import Component, File, Service
from workload.config.ovn_central import OvnCentralConfig

COMPONENT = Component(
    name="ovn-central",
    config=OvnCentralConfig,
    files=(
        File(
            "ovn-central/ovsdb-server.arguments",
            "ovn-central/ovsdb-server.arguments.j2",
            ("ovn-ovsdb",),
        ),
    ),
    services=(Service("ovn-ovsdb", ("enabled",)), Service("ovn-northd", ("enabled",))),
    directories=(("lib/ovn-central", None), ("run/ovn", None)),
)
