"""What the workload plane can run: each component's files, services and what they need."""

from __future__ import annotations

from workload.component import Component
from workload.components import (
    cinder,
    cinder_lvm,
    glance,
    horizon,
    keystone,
    mariadb,
    memcached,
    neutron,
    nova,
    nova_compute,
    ovn_central,
    ovn_chassis,
    placement,
    rabbitmq,
    tempest,
)

ALL: dict[str, Component] = {
    component.name: component
    for component in (
        mariadb.COMPONENT,
        rabbitmq.COMPONENT,
        memcached.COMPONENT,
        keystone.COMPONENT,
        glance.COMPONENT,
        placement.COMPONENT,
        nova.COMPONENT,
        nova_compute.COMPONENT,
        neutron.COMPONENT,
        ovn_central.COMPONENT,
        ovn_chassis.COMPONENT,
        cinder.COMPONENT,
        cinder_lvm.COMPONENT,
        horizon.COMPONENT,
        tempest.COMPONENT,
    )
}
"""Components by name, in the order in which a cloud needs them."""

__all__ = ["ALL"]
