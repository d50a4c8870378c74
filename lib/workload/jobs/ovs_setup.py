"""Tell Open vSwitch what it is a chassis of, and make the bridges.

Runs at each start of the host. Waits for the database, makes the change as one transaction, and
returns once ovs-vswitchd has carried it out.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from workload.host import openvswitch
from workload.jobs.job import common, etc, run
from workload.ledger import Ledger

TIMEOUT = 60
"""Seconds until ovs-vswitchd must have done it."""


def main() -> None:
    """Apply `ovs.json`."""
    settings: dict[str, Any] = json.loads(etc("ovn-chassis", "ovs.json").read_text())
    bridges = (settings["integration_bridge"], settings["external_bridge"])
    openvswitch.remember(Ledger(common("ledger.jsonl")), settings["datapath_type"], bridges)
    command = ["ovs-vsctl", "--retry", f"--timeout={TIMEOUT}", *arguments(settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise RuntimeError(f"ovs-vsctl returned {done.returncode}: {lines[-1]}")


def arguments(settings: Mapping[str, Any]) -> list[str]:
    """Return the commands for ovs-vsctl(8)."""
    datapath = f"datapath_type={settings['datapath_type']}"
    integration, external = settings["integration_bridge"], settings["external_bridge"]
    columns = [
        f"{column}:{key}={json.dumps(value)}"
        for column in ("external_ids", "other_config")
        for key, value in settings[column].items()
    ]
    return [
        *("set", "Open_vSwitch", ".", *columns),
        *("--", "--may-exist", "add-br", external),
        *("--", "set", "Bridge", external, datapath),
        *("--", "--may-exist", "add-br", integration),
        *("--", "set", "Bridge", integration, datapath, "fail_mode=secure"),
        "other_config:disable-in-band=true",
    ]


if __name__ == "__main__":
    run(main)
