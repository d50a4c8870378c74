"""What Open vSwitch, OVN's agent and Nova leave on the host is in the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from workload.host import network, openvswitch
from workload.ledger import Ledger

THEIRS = ["lo", "eth0", "tap0", "tapaaaaaaaa-01"]
OURS = ["tap9b8652df-3b", "br-int", "br-ex", "ovs-netdev"]


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The host's links."""
    present = list(THEIRS)
    monkeypatch.setattr(network, "links", lambda: list(present))
    monkeypatch.setattr(network, "link_exists", lambda name: name in present)
    monkeypatch.setattr(network, "delete_link", present.remove)
    monkeypatch.setattr(network, "namespaces", list)
    return present


def test_bridges_and_devices_of_guests_are_undone_and_no_others(
    links: list[str], tmp_path: Path
) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    openvswitch.remember(ledger, "netdev", ["br-int", "br-ex"])
    links += OURS
    ledger.undo()
    assert links == THEIRS
