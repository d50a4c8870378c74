"""Tests of the cloud: no service, only the account that the command `microstack.test` uses."""

from __future__ import annotations

from workload.component import Component, File
from workload.config.tempest import TempestConfig

COMPONENT = Component(
    name="tempest",
    config=TempestConfig,
    files=(File("tempest/clouds.yaml", "tempest/clouds.yaml.j2", ()),),
)
