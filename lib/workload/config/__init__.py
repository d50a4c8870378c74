"""Typed snap config: one model for each component, keyed by its name in snap config."""

from __future__ import annotations

from workload.config.base import RELEASE, Secret, Section
from workload.config.cinder import CinderConfig
from workload.config.cinder_lvm import CinderLvmConfig
from workload.config.glance import GlanceConfig
from workload.config.horizon import HorizonConfig
from workload.config.keystone import KeystoneConfig
from workload.config.mariadb import MariadbConfig
from workload.config.memcached import MemcachedConfig
from workload.config.neutron import NeutronConfig
from workload.config.nova import NovaConfig
from workload.config.nova_compute import NovaComputeConfig
from workload.config.ovn_central import OvnCentralConfig
from workload.config.ovn_chassis import OvnChassisConfig
from workload.config.placement import PlacementConfig
from workload.config.rabbitmq import RabbitmqConfig
from workload.config.shared import Component
from workload.config.tempest import TempestConfig

COMPONENTS: dict[str, type[Component]] = {
    "mariadb": MariadbConfig,
    "rabbitmq": RabbitmqConfig,
    "memcached": MemcachedConfig,
    "keystone": KeystoneConfig,
    "glance": GlanceConfig,
    "placement": PlacementConfig,
    "nova": NovaConfig,
    "nova-compute": NovaComputeConfig,
    "neutron": NeutronConfig,
    "ovn-central": OvnCentralConfig,
    "ovn-chassis": OvnChassisConfig,
    "cinder": CinderConfig,
    "cinder-lvm": CinderLvmConfig,
    "horizon": HorizonConfig,
    "tempest": TempestConfig,
}
"""Snap config's top-level keys and the model of each."""

__all__ = ["COMPONENTS", "RELEASE", "Component", "Secret", "Section"]
