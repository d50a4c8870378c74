"""Snap config of OVN's northbound and southbound databases and northd."""

from __future__ import annotations

from pydantic import Field

from workload.config.shared import Component


class OvnCentralConfig(Component):
    """Keys under `ovn-central`."""

    enabled: bool = False
    remote_address: str | None = Field(
        default=None,
        description="address to serve chassis on other machines at (tcp 6641, 6642); unset: "
        "UNIX sockets only",
    )
