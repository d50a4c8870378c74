"""The host's part of the provider network, in a network namespace of the test's own.

Each test runs in a process with its own namespace (unshare(2)), so that the host is not touched.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root for a network namespace of its own"
)

PREPARE = """
from pathlib import Path
from workload.host import external_bridge, firewall, network, things
from workload.ledger import Ledger
import subprocess, sys

def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout

def forwarding():
    return Path("/proc/sys/net/ipv4/ip_forward").read_text().strip()

def rules():
    return run("nft", "list", "ruleset")

ledger = Ledger(Path(sys.argv[1]))
settings = external_bridge.Settings(name="br-ex", address="10.20.20.1/24")
run("ip", "link", "set", "lo", "up")
Path("/proc/sys/net/ipv4/ip_forward").write_text("0")
"""
BRIDGE = 'run("ip", "link", "add", "br-ex", "type", "bridge")\n'


def in_namespace(tmp_path: Path, body: str) -> None:
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", PREPARE + body, tmp_path / "ledger"],
        env={**os.environ, "PYTHONPATH": ":".join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr


def test_the_host_gets_its_address_and_guests_a_way_out(tmp_path: Path):
    in_namespace(
        tmp_path,
        BRIDGE
        + """
external_bridge.set_up(settings, ledger)
assert things.Address(link="br-ex", address="10.20.20.1/24").exists()
assert "state DOWN" not in run("ip", "link", "show", "br-ex")
assert forwarding() == "1"
assert "ip saddr 10.20.20.0/24 ip daddr != 10.20.20.0/24 masquerade" in rules()
""",
    )


def test_twice_is_as_once(tmp_path: Path):
    in_namespace(
        tmp_path,
        BRIDGE
        + """
external_bridge.set_up(settings, ledger)
before = rules(), ledger.describe(), run("ip", "addr", "show", "br-ex")
external_bridge.set_up(settings, ledger)
assert (rules(), ledger.describe(), run("ip", "addr", "show", "br-ex")) == before
""",
    )


def test_stop_leaves_the_host_as_it_was(tmp_path: Path):
    in_namespace(
        tmp_path,
        BRIDGE
        + """
run("nft", "add", "table", "ip", "theirs")
external_bridge.set_up(settings, ledger)
external_bridge.tear_down(ledger)
assert forwarding() == "0"
assert rules() == "table ip theirs {\\n}\\n"
assert "10.20.20.1" not in run("ip", "addr", "show", "br-ex")
assert ledger.describe() == []
""",
    )


def test_a_kernel_without_nftables_gets_one_rule_of_iptables(tmp_path: Path):
    refusing = tmp_path / "nft"
    refusing.write_text("#!/bin/sh\necho 'Error: Operation not supported' >&2; exit 1\n")
    refusing.chmod(0o755)
    in_namespace(
        tmp_path,
        BRIDGE
        + """
import os
assert firewall.has_nftables()
os.environ["PATH"] = f"{Path(sys.argv[1]).parent}:{os.environ['PATH']}"
assert not firewall.has_nftables()
rules = ("iptables-legacy", "--table", "nat", "--list-rules", "POSTROUTING")
before = run(*rules)
external_bridge.set_up(settings, ledger)
external_bridge.set_up(settings, ledger)
ours = "-A POSTROUTING -s 10.20.20.0/24 ! -d 10.20.20.0/24 -j MASQUERADE\\n"
assert run(*rules) == before + ours
external_bridge.tear_down(ledger)
assert run(*rules) == before
""",
    )


def test_forwarding_that_was_on_stays_on(tmp_path: Path):
    in_namespace(
        tmp_path,
        BRIDGE
        + """
Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
external_bridge.set_up(settings, ledger)
external_bridge.tear_down(ledger)
assert forwarding() == "1"
""",
    )


def test_another_address_takes_the_place_of_the_one_before(tmp_path: Path):
    in_namespace(
        tmp_path,
        BRIDGE
        + """
external_bridge.set_up(settings, ledger)
other = external_bridge.Settings(name="br-ex", address="10.30.30.1/24")
external_bridge.set_up(other, ledger)
assert [str(a) for link, a in network.addresses() if link == "br-ex"] == ["10.30.30.1/24"]
assert "10.20.20" not in rules()
external_bridge.tear_down(ledger)
assert forwarding() == "0"
""",
    )


def test_a_subnet_that_is_in_use_is_refused_and_nothing_is_made(tmp_path: Path):
    in_namespace(
        tmp_path,
        BRIDGE
        + """
run("ip", "link", "add", "vpn0", "type", "bridge")
run("ip", "addr", "add", "10.20.0.1/16", "dev", "vpn0")
try:
    external_bridge.set_up(settings, ledger)
except external_bridge.BridgeError as refusal:
    assert "10.20.20.0/24 is in use on this host: 10.20.0.0/16 is reached by vpn0" in str(refusal)
else:
    raise AssertionError("not refused")
assert ledger.describe() == [] and rules() == "" and forwarding() == "0"
""",
    )


def test_a_bridge_that_does_not_come_is_named(tmp_path: Path):
    in_namespace(
        tmp_path,
        """
external_bridge.LINK_TIMEOUT = 0.2
try:
    external_bridge.set_up(settings, ledger)
except external_bridge.BridgeError as refusal:
    assert "did not make br-ex within" in str(refusal)
else:
    raise AssertionError("not refused")
""",
    )


def test_guests_pass_a_firewall_that_drops_what_it_does_not_know(tmp_path: Path):
    in_namespace(
        tmp_path,
        BRIDGE
        + """
run("iptables", "--policy", "FORWARD", "DROP")
external_bridge.set_up(settings, ledger)
external_bridge.set_up(settings, ledger)
listed = run("iptables", "-S", "FORWARD").splitlines()
assert sorted(listed) == sorted([
    "-P FORWARD DROP", "-A FORWARD -i br-ex -j ACCEPT", "-A FORWARD -o br-ex -j ACCEPT"])
external_bridge.tear_down(ledger)
assert run("iptables", "-S", "FORWARD").split("\\n") == ["-P FORWARD DROP", ""]
""",
    )


def test_a_table_of_the_same_name_that_is_not_ours_is_left_alone(tmp_path: Path):
    in_namespace(
        tmp_path,
        BRIDGE
        + """
run("nft", "add", "table", "ip", "microstack")
try:
    external_bridge.set_up(settings, ledger)
except external_bridge.BridgeError as refusal:
    assert "nft delete table ip microstack" in str(refusal)
else:
    raise AssertionError("not refused")
external_bridge.tear_down(ledger)
assert rules() == "table ip microstack {\\n}\\n"
""",
    )


def test_the_program_reads_what_was_rendered_and_says_what_is_wrong(tmp_path: Path):
    folder = tmp_path / "etc/ovn-chassis"
    folder.mkdir(parents=True)
    (folder / "external-bridge.json").write_text(json.dumps({"name": "br-ex"}))
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-m", "workload.host.external_bridge"],
        env={
            **os.environ,
            "PYTHONPATH": ":".join(path for path in sys.path if path),
            "SNAP_COMMON": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "address" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_open_vswitch_leaves_behind_is_removed(tmp_path: Path):
    in_namespace(
        tmp_path,
        """
from workload.host import openvswitch
run("ip", "tuntap", "add", "theirs", "mode", "tap")
openvswitch.remember(ledger, "netdev", ["br-int", "br-ex"])
for name in ("ovs-netdev", "br-int", "br-ex"):
    run("ip", "tuntap", "add", name, "mode", "tap")
openvswitch.remember(ledger, "netdev", ["br-int", "br-ex"])
made = [line.made.kind for line in ledger.entries()]
assert made.count("link") == 3
assert len(made) == len(set(made)) + 2
ledger.undo()
assert sorted(network.links()) == ["lo", "theirs"], network.links()
""",
    )


def test_a_link_that_goes_with_its_other_end_is_no_error(tmp_path: Path) -> None:
    in_namespace(
        tmp_path,
        """
run("ip", "link", "add", "one", "type", "veth", "peer", "name", "two")
things.Links(pattern="one|two").undo()
assert network.links() == ["lo"], network.links()
""",
    )


def test_a_refusal_is_not_taken_for_a_kernel_without_nftables(tmp_path: Path) -> None:
    in_namespace(
        tmp_path,
        """
import ctypes, os
assert firewall.has_nftables()
NET_ADMIN, PR_CAPBSET_DROP = 12, 24  # capability.h, prctl.h
assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, NET_ADMIN, 0, 0, 0) == 0
try:
    firewall.has_nftables()
except firewall.FirewallError as error:
    assert "Operation not permitted" in str(error), error
else:
    raise AssertionError("refused, and taken for a kernel that lacks it")
""",
    )
