from __future__ import annotations

import os
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from microstack import host, preflight
from microstack.errors import Failure, HostFailure
from microstack.host import GIB, Facts, Listener, Subnet

from .conftest import CHECKOUT

BUNDLE = CHECKOUT / "bundles/microstack.yaml"


def test_the_facts_of_this_host_can_be_read(tmp_path: Path) -> None:
    facts = host.observe([tmp_path / "not/yet/there"], {os.getpid()})
    assert facts.cores > 0
    assert facts.memory >= facts.memory_available > 0
    assert list(facts.disk_free) == [tmp_path / "not/yet/there"]


def test_a_folder_that_service_accounts_cannot_pass_is_refused(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert closed in host.observe([closed / "root"], ()).closed


class TestPorts:
    def check(self, facts: Facts, *listeners: Listener) -> list[host.Finding]:
        facts = replace(facts, listeners=listeners)
        return list(host.check_ports(facts, {5000: "keystone.port", 8775: "nova.metadata-port"}))

    def test_a_taken_port_names_who_has_it_and_the_option_to_change(self, fit: Facts) -> None:
        registry = Listener(5000, "0.0.0.0", 77, "docker", ours=False)
        [finding] = self.check(fit, registry)
        assert finding.level == "fail"
        assert finding.text == "port 5000, of option keystone.port, is taken by docker (pid 77)"
        assert "in an overlay: up --overlay FILE" in (finding.hint or "")

    def test_the_clouds_own_services_take_nothing(self, fit: Facts) -> None:
        [finding] = self.check(fit, Listener(5000, "127.0.0.1", 77, "uwsgi", ours=True))
        assert finding.level == "ok"

    def test_other_ports_are_of_no_concern(self, fit: Facts) -> None:
        [finding] = self.check(fit, Listener(22, "0.0.0.0", 1, "sshd", ours=False))
        assert finding.level == "ok"


class TestSubnet:
    def test_an_overlapping_network_on_another_device_is_refused(self, fit: Facts) -> None:
        facts = replace(fit, subnets=(Subnet(IPv4Network("10.20.20.0/25"), "eth1"),))
        finding = host.check_subnet(facts, "10.20.20.1/24", "br-ex")
        assert finding.level == "fail"
        assert "overlaps 10.20.20.0/25 on eth1" in finding.text

    def test_the_bridge_may_have_its_own_address(self, fit: Facts) -> None:
        facts = replace(fit, subnets=(Subnet(IPv4Network("10.20.20.0/24"), "br-ex"),))
        assert host.check_subnet(facts, "10.20.20.1/24", "br-ex").level == "ok"

    def test_the_next_free_subnet_of_the_same_size_is_found(self, fit: Facts) -> None:
        facts = replace(fit, subnets=(Subnet(IPv4Network("10.20.20.0/23"), "eth1"),))
        assert host.free_address(facts, "10.20.20.1/24", "br-ex") == "10.20.22.1/24"


class TestMemoryAndDisk:
    def test_what_a_running_cloud_uses_is_not_missing(self, fit: Facts) -> None:
        facts = replace(fit, memory=8 * GIB, memory_available=2 * GIB)
        assert host.check_memory(facts, running=False).level == "fail"
        assert host.check_memory(facts, running=True).level == "ok"

    def test_a_full_disk_is_named_by_folder(self, fit: Facts) -> None:
        facts = replace(fit, disk_free={Path("/a"): 9 * GIB, Path("/b"): GIB})
        levels = [finding.level for finding in host.check_disk(facts, running=False)]
        assert levels == ["ok", "fail"]


@pytest.mark.parametrize(
    ("distribution", "level"),
    [
        (("debian", "12"), "ok"),
        (("debian", "13"), "ok"),
        (("debian", "11"), "fail"),
        (("debian", ""), "note"),
        (("ubuntu", "24.04"), "ok"),
        (("ubuntu", "22.04"), "fail"),
        (("fedora", "42"), "note"),
    ],
)
def test_distributions(fit: Facts, distribution: tuple[str, str], level: str) -> None:
    assert host.check_distribution(replace(fit, distribution=distribution)).level == level


def test_without_tun_guests_have_no_network_and_without_kvm_they_are_slow(fit: Facts) -> None:
    facts = replace(fit, features=frozenset({"openvswitch"}))
    levels = [(finding.level, finding.text.split()[1]) for finding in host.check_features(facts)]
    notes = [("note", "kvm:"), ("note", "apparmor:")]
    assert levels == [("fail", "/dev/net/tun,"), ("ok", "is"), *notes]


class TestPreflight:
    def test_ports_and_subnet_come_from_the_bundles_charms(self) -> None:
        wanted = preflight.read(BUNDLE, [])
        assert wanted.ports[5000] == "keystone.port"
        assert wanted.ports[8775] == "nova.metadata-port"
        assert (wanted.address, wanted.bridge) == ("10.20.20.1/24", "br-ex")

    def test_an_overlay_moves_a_port(self, tmp_path: Path) -> None:
        overlay = tmp_path / "ports.yaml"
        overlay.write_text("applications: {horizon: {options: {port: 8443}}}\n")
        wanted = preflight.read(BUNDLE, [overlay])
        assert wanted.ports[8443] == "horizon.port"
        assert 8080 not in wanted.ports

    def test_a_port_moved_at_an_earlier_deployment_stays_moved(self) -> None:
        wanted = preflight.read(BUNDLE, [], {"horizon": {"port": 8443}})
        assert wanted.ports[8443] == "horizon.port"
        assert 8080 not in wanted.ports

    def test_a_subnet_that_the_user_chose_is_refused_where_it_is_taken(
        self, fit: Facts, tmp_path: Path
    ) -> None:
        overlay = tmp_path / "net.yaml"
        overlay.write_text(
            'applications: {ovn-chassis: {options: {external-bridge-address: "10.9.0.1/24"}}}\n'
        )
        wanted = preflight.read(BUNDLE, [overlay])
        facts = replace(fit, subnets=(Subnet(IPv4Network("10.9.0.0/16"), "eth1"),))
        with pytest.raises(HostFailure, match=r"10\.9\.0\.0/24.*overlaps"):
            preflight.require(preflight.check(facts, wanted, running=False))
        with preflight.subnet_overlay(facts, wanted, running=False) as overlays:
            assert overlays == []

    def test_a_running_cloud_is_never_moved(self, fit: Facts) -> None:
        wanted = preflight.read(BUNDLE, [])
        facts = replace(fit, subnets=(Subnet(IPv4Network("10.20.20.0/24"), "eth1"),))
        with preflight.subnet_overlay(facts, wanted, running=True) as overlays:
            assert overlays == []

    def test_everything_wrong_with_a_bundle_is_said_at_once(self, tmp_path: Path) -> None:
        overlay = tmp_path / "wrong.yaml"
        overlay.write_text("applications: {nova: {options: {prt: 1}}, glance: {num_units: -1}}\n")
        with pytest.raises(Failure) as failure:
            preflight.read(BUNDLE, [overlay])
        assert len(failure.value.message.splitlines()) == 2
