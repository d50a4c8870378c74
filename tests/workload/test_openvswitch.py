"""What Open vSwitch, OVN's agent and Nova leave on the host is in the ledger."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workload.host import mounts, network, openvswitch
from workload.host.things import NamespaceFolder
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


@pytest.mark.parametrize(("mounted", "known"), [("tmpfs /run/netns tmpfs rw 0 0", 0), ("", 1)])
def test_the_folder_of_namespaces_is_the_appliances_where_its_namespace_is_the_first(
    links: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mounted: str, known: int
) -> None:
    monkeypatch.setattr(mounts, "TABLE", tmp_path / "mounts")
    mounts.TABLE.write_text(mounted)
    ledger = Ledger(tmp_path / "ledger.jsonl")
    openvswitch.remember(ledger, "netdev", ["br-int"])
    kinds = [line.made.kind for line in ledger.entries() if line.made]
    assert kinds.count("namespace-folder") == known


FOLDER = """
import sys
from pathlib import Path
from workload.host.things import NamespaceFolder
folder = NamespaceFolder(path=Path(sys.argv[1]))
assert folder.mounted
namespace = folder.path / "theirs"
namespace.touch()
assert not folder.exists()
namespace.unlink()
assert folder.exists()
folder.undo()
assert not folder.path.exists()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a folder on itself, which needs root")
def test_the_folder_of_namespaces_goes_unless_others_have_one_in_it(tmp_path: Path) -> None:
    assert not NamespaceFolder(path=tmp_path).exists()
    folder = tmp_path / "netns"
    folder.mkdir()
    in_it = f'mount --bind "$0" "$0" && exec {sys.executable} -c "$1" "$0"'
    environment = {**os.environ, "PYTHONPATH": ":".join(path for path in sys.path if path)}
    command = ["unshare", "--mount", "sh", "-c", in_it, str(folder), FOLDER]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
