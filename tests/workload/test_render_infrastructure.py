"""From snap config to databases, message bus, cache, Open vSwitch and OVN."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.workload.filled import BROKER_PASSWORD, PASSWORD, files
from workload import kvm_probe
from workload.jobs import ovs_setup
from workload.layout import Layout
from workload.render import RenderError


def test_mariadb_makes_its_administrator_at_each_start(layout: Layout) -> None:
    rendered = files(layout, "mariadb")
    account = "'operator'@'127.0.0.1'"
    password = "'" + PASSWORD.replace("'", "''") + "'"
    assert rendered["mariadb/init.sql"].splitlines() == [
        f"CREATE USER IF NOT EXISTS {account};",
        f"ALTER USER {account} IDENTIFIED BY {password};",
        f"GRANT ALL PRIVILEGES ON *.* TO {account} WITH GRANT OPTION;",
    ]
    assert f"init-file = {layout.etc}/mariadb/init.sql\n" in rendered["mariadb/my.cnf"]


def test_mariadb_on_every_address_takes_its_administrator_from_everywhere(layout: Layout) -> None:
    rendered = files(layout, "mariadb", bind_address="0.0.0.0")
    assert "'operator'@'%'" in rendered["mariadb/init.sql"]


def test_an_address_cannot_smuggle_in_options(layout: Layout) -> None:
    with pytest.raises(RenderError, match="mariadb"):
        files(layout, "mariadb", bind_address="127.0.0.1\nskip-grant-tables")
    with pytest.raises(RenderError, match="memcached"):
        files(layout, "memcached", bind_address="127.0.0.1 --evil")


def test_rabbitmq_gives_each_account_its_virtual_host_and_no_more(layout: Layout) -> None:
    definitions = json.loads(files(layout, "rabbitmq")["rabbitmq/definitions.json"])
    assert definitions == {
        "vhosts": [{"name": "openstack"}],
        "users": [{"name": "nova", "password": BROKER_PASSWORD, "tags": ""}],
        "permissions": [
            {
                "user": "nova",
                "vhost": "openstack",
                "configure": ".*",
                "write": ".*",
                "read": ".*",
            }
        ],
    }


def test_erlang_distribution_stays_on_the_host(layout: Layout) -> None:
    environment = files(layout, "rabbitmq")["rabbitmq/rabbitmq-env.conf"]
    assert "inet_dist_use_interface {127,0,0,1}" in environment
    assert "NODENAME=microstack@localhost\n" in environment


def test_the_broker_reads_no_configuration_of_the_hosts_own(layout: Layout) -> None:
    """Its defaults are in /etc/rabbitmq (https://www.rabbitmq.com/docs/configure)."""
    lines = files(layout, "rabbitmq")["rabbitmq/rabbitmq-env.conf"].splitlines()
    settings = dict(line.split("=", 1) for line in lines)
    ours = f"{layout.etc}/rabbitmq/"
    for name in ("CONFIG_FILE", "CONFIG_FILES", "ADVANCED_CONFIG_FILE", "ENABLED_PLUGINS_FILE"):
        assert settings[name].startswith(ours), name


def test_memcached_listens_on_a_socket_or_at_an_address(layout: Layout) -> None:
    local = files(layout, "memcached")["memcached/memcached.arguments"].splitlines()
    assert f"--unix-socket={layout.snap_common}/run/memcached/memcached.sock" in local
    remote = files(layout, "memcached", bind_address="10.0.0.1")
    lines = remote["memcached/memcached.arguments"].splitlines()
    assert {"--listen=10.0.0.1", "--port=11211", "--udp-port=0"} <= set(lines)


def test_ovn_serves_sockets_alone_until_it_is_told_an_address(layout: Layout) -> None:
    path = "ovn-central/ovsdb-server.arguments"
    assert "ptcp" not in files(layout, "ovn-central")[path]
    remote = files(layout, "ovn-central", remote_address="10.0.0.1")[path].splitlines()
    assert {"--remote=ptcp:6641:10.0.0.1", "--remote=ptcp:6642:10.0.0.1"} <= set(remote)


def test_a_chassis_is_described_to_open_vswitch(layout: Layout) -> None:
    settings = json.loads(files(layout, "ovn-chassis")["ovn-chassis/ovs.json"])
    arguments = ovs_setup.arguments(settings)
    assert 'external_ids:system-id="node-1"' in arguments
    remote = f"unix:{layout.snap_common}/run/ovn/sb.sock"
    assert f'external_ids:ovn-remote="{remote}"' in arguments
    assert 'external_ids:ovn-bridge-mappings="physnet1:br-ex"' in arguments
    assert arguments.count("datapath_type=netdev") == 2


@pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="QEMU is not installed")
def test_the_probe_of_kvm_is_a_guest_that_ends() -> None:
    assert kvm_probe.runs("qemu-system-x86_64", accelerator="tcg", bound=30.0)


def test_without_a_working_accelerator_the_probe_says_no() -> None:
    assert not kvm_probe.runs("false")
    assert not kvm_probe.runs("/nonexistent/qemu")
