"""Snap config of the tests of a cloud."""

from __future__ import annotations

from pydantic import Field

from workload.config.shared import Component, Identity


class TempestConfig(Component):
    """Keys under `tempest`."""

    identity: Identity = Field(default=Identity(), description="an administrator of the cloud")
