"""Guests boot, are reached, know who they are, and know each other by name."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
from collections.abc import Iterator

import pytest
from openstack.compute.v2.server import Server
from openstack.connection import Connection
from openstack.exceptions import ConflictException, NotFoundException

from microstack.errors import USAGE
from tests.cloud.conftest import Microstack
from tests.cloud.guests import Guest, wait_until

USER_DATA = "#!/bin/sh\necho this is $(hostname)\n"


@contextlib.contextmanager
def server(connection: Connection, name: str, **options: object) -> Iterator[Server]:
    """A guest that lives as long as the block."""
    made = connection.compute.create_server(
        name=name,
        image_id=next(connection.image.images(name="guest")).id,
        flavor_id=connection.compute.find_flavor("m1.tiny", ignore_missing=False).id,
        networks=[{"uuid": next(connection.network.networks(name="test")).id}],
        **options,
    )
    try:
        yield made
    finally:
        connection.compute.delete_server(made)
        connection.compute.wait_for_delete(made, wait=60)


def console(connection: Connection, server: Server) -> str:
    with contextlib.suppress(ConflictException, NotFoundException):  # it is not built yet
        return connection.compute.get_server_console_output(server)["output"] or ""
    return ""


def named(connection: Connection, name: str) -> Server:
    return connection.compute.find_server(name, ignore_missing=False)


def fixed_address(connection: Connection, guest: Guest) -> str:
    floating = next(connection.network.ips(floating_ip_address=guest.address))
    return floating.fixed_ip_address


def test_the_way_to_a_floating_address_is_the_provider_bridge(t1: Guest) -> None:
    routes = subprocess.check_output(["ip", "-json", "route", "get", t1.address])
    assert json.loads(routes)[0]["dev"] == "br-ex"


def test_ping(t1: Guest) -> None:
    subprocess.run(["ping", "-c", "3", "-W", "5", t1.address], check=True, capture_output=True)


def test_the_printed_line_logs_in(t1: Guest) -> None:
    assert t1.run("hostname") == "t1\n"


def test_packets_of_full_size_arrive(t1: Guest) -> None:
    assert t1.run("cat /sys/class/net/eth0/mtu") == "1442\n"
    assert t1.run("ping -c 1 -s 1400 10.20.20.1 >/dev/null && echo answered") == "answered\n"
    assert len(t1.run("head -c 2000000 /dev/zero | tr '\\0' x")) == 2_000_000


def test_metadata_tell_a_guest_its_key_and_its_addresses(
    t1: Guest, connection: Connection
) -> None:
    pair = connection.compute.find_keypair("microstack", ignore_missing=False)
    assert pair.public_key.split()[1] in t1.run("cat /root/.ssh/authorized_keys")
    service = "http://169.254.169.254/latest/meta-data"
    assert t1.run(f"curl -s {service}/public-ipv4") == t1.address
    assert t1.run(f"curl -s {service}/local-ipv4") == fixed_address(connection, t1)


def test_a_guest_posts_to_the_metadata_service(t1: Guest, connection: Connection) -> None:
    t1.run("curl -X POST -d s3cret http://169.254.169.254/openstack/2013-10-17/password")
    found = named(connection, "t1")
    assert connection.compute.get(f"/servers/{found.id}/os-server-password").json() == {
        "password": "s3cret"
    }


def test_user_data_and_config_drive(cloud: Microstack, connection: Connection) -> None:
    data = base64.b64encode(USER_DATA.encode()).decode()
    with server(connection, "t3", user_data=data, config_drive=True) as made:
        wait_until(
            lambda: "user data ended with 0" in console(connection, made),
            "the end of user data in the console log",
            180,
        )
        assert "this is t3" in console(connection, made)


def test_guests_find_each_other_by_name(t1: Guest, t2: Guest, connection: Connection) -> None:
    address = fixed_address(connection, t2)
    assert address in t1.run("nslookup -type=a t2.microstack.example")
    assert address in t1.run("ping -c 1 -W 5 t2")
    assert t2.run("ping -c 1 -W 5 t1 >/dev/null && echo answered") == "answered\n"


def test_a_renewed_lease_brings_other_name_servers(t1: Guest, connection: Connection) -> None:
    def told() -> bool:
        t1.run("kill -USR1 $(cat /run/udhcpc.eth0.pid)")
        return "nameserver 192.0.2.53\n" in t1.run("cat /etc/resolv.conf")

    network = connection.network
    (subnet,) = network.subnets(network_id=next(network.networks(name="test")).id)
    before = subnet.dns_nameservers
    network.update_subnet(subnet, dns_nameservers=["192.0.2.53"])
    try:
        wait_until(told, "the other name server in the guest", 60)
    finally:
        network.update_subnet(subnet, dns_nameservers=before)
    wait_until(lambda: not told(), "the former name servers in the guest", 60)


def test_the_console_log_has_the_prompt(t1: Guest, connection: Connection) -> None:
    found = named(connection, "t1")
    assert "t1 login:" in console(connection, found)


def test_stop_is_heard_and_start_brings_the_address_back(
    t2: Guest, connection: Connection
) -> None:
    compute = connection.compute
    found = named(connection, "t2")
    compute.stop_server(found)
    # A guest that ignores its power button is cut off after 60 s (Nova's shutdown_timeout).
    compute.wait_for_server(found, status="SHUTOFF", wait=40, interval=1)
    compute.start_server(found)
    compute.wait_for_server(found, status="ACTIVE", wait=60, interval=1)

    def answers() -> bool:
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            return t2.run("hostname", timeout=10) == "t2\n"
        return False

    wait_until(answers, "ssh after stop and start", 120)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["t1"], "there is a guest t1 already"),
        (["--image", "nowhere"], "there is no image nowhere"),
        (["--flavor", "m1.nothing"], "there is no flavor m1.nothing"),
        (["--network", "nowhere"], "there is no network nowhere"),
        (["--key", "nobody"], "there is no key pair nobody"),
        (["--image", "./nowhere.img"], "nowhere.img: No such file"),
    ],
)
def test_what_cannot_be_launched_is_named(
    t1: Guest, cloud: Microstack, arguments: list[str], reason: str
) -> None:
    refused = cloud("launch", *arguments, check=False)
    assert refused.returncode == 2
    assert reason in refused.stderr


def test_a_guest_that_no_host_has_room_for_is_told_so_and_gone(
    t1: Guest, cloud: Microstack, connection: Connection
) -> None:
    flavor = connection.compute.create_flavor(name="huge", ram=256, disk=100_000, vcpus=1)
    try:
        refused = cloud("launch", "t9", "--flavor", "huge", check=False)
    finally:
        connection.compute.delete_flavor(flavor)
    assert refused.returncode == 1
    assert "no host has room" in refused.stderr
    assert not list(connection.compute.servers(name="^t9$"))


def test_a_launch_waits_for_a_hypervisor_that_is_down(
    cloud: Microstack, connection: Connection
) -> None:
    """As it is for a while after a fault, until it has reported to Nova again."""
    nova = connection.compute
    (compute,) = nova.services(binary="nova-compute")
    nova.update_service_forced_down(compute, forced=True)
    with cloud.begun("launch", "patient") as launching:
        try:
            refused = cloud("launch", "--image", "nothing", check=False, timeout=20)
            assert launching.stdout
            waits = any("waiting for the hypervisor" in line for line in launching.stdout)
        finally:
            nova.update_service_forced_down(compute, forced=False)
        rest, _ = launching.communicate(timeout=300)
    assert refused.returncode == USAGE
    assert "no image nothing" in refused.stderr
    assert waits, rest
    assert launching.returncode == 0, rest
    nova.delete_server(nova.find_server("patient", ignore_missing=False))


def test_a_new_guest_is_reached_by_the_address_of_one_that_is_gone(
    cloud: Microstack, connection: Connection
) -> None:
    def left() -> set[str]:
        everywhere = connection.network.ips()
        return {ip.floating_ip_address for ip in everywhere if ip.port_id is None}

    nova = connection.compute
    gone = Guest.printed(cloud("launch", "early", "--wait").stdout)
    nova.delete_server(named(connection, "early"))
    wait_until(lambda: gone.address in left(), "the address is free", 60)
    addresses = left()
    late = Guest.printed(cloud("launch", "late", "--wait").stdout)
    assert late.address in addresses
    assert late.run("hostname") == "late\n"
    nova.delete_server(named(connection, "late"))
