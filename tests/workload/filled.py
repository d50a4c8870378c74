"""Snap config of a whole cloud, with passwords that need quoting in each language."""

from __future__ import annotations

import configparser
from typing import Any

from workload.components import ALL
from workload.config import RELEASE
from workload.layout import Layout
from workload.render import Renderer

PASSWORD = "p$w'\"%@: é"
BROKER_PASSWORD = "m$q'\"%@"


def database(name: str) -> dict[str, Any]:
    return {"host": "10.0.0.1", "name": name, "username": "us/er", "password": PASSWORD}


def identity(username: str) -> dict[str, Any]:
    return {
        "auth-url": "http://10.0.0.1:5000/v3",
        "region": "RegionOne",
        "username": username,
        "password": f"{username}-{PASSWORD}",
        "project-name": "service",
        "project-domain-name": "Default",
        "user-domain-name": "Default",
    }


MESSAGING = {"host": "10.0.0.1", "username": "bus", "password": BROKER_PASSWORD}
CACHE = {"servers": "unix:memcached.sock"}
OVN = {"nb-connection": "unix:nb.sock", "sb-connection": "unix:sb.sock"}
API = {"schema-release": RELEASE, "cache": CACHE}

CONFIG: dict[str, dict[str, Any]] = {
    "mariadb": {"admin-password": PASSWORD},
    "rabbitmq": {
        "erlang-cookie": "COOKIE",
        "users": [{"username": "nova", "password": BROKER_PASSWORD}],
    },
    "memcached": {"enabled": True},
    "keystone": {
        **API,
        "database": database("keystone"),
        "bootstrap": {"admin-password": PASSWORD, "public-url": "http://10.0.0.1:5000/v3"},
        "fernet-keys": {"0": "staged", "1": "primary"},
        "credential-keys": {"0": "staged", "1": "primary"},
    },
    "glance": {**API, "database": database("glance"), "identity": identity("glance")},
    "placement": {**API, "database": database("placement"), "identity": identity("placement")},
    "nova": {
        **API,
        "api-database": database("nova_api"),
        "database": database("nova"),
        "cell0-database": database("nova_cell0"),
        "identity": identity("nova"),
        "rabbitmq": MESSAGING,
        "metadata": {"shared-secret": PASSWORD},
        "spice": {"url": "http://10.0.0.1:6082/spice_auto.html"},
    },
    "nova-compute": {
        "host": "node-1",
        "ip-address": "10.0.0.1",
        "virt-type": "qemu",
        "identity": identity("nova-compute"),
        "rabbitmq": MESSAGING,
        "spice": {"proxy-url": "http://10.0.0.1:6082/spice_auto.html"},
    },
    "neutron": {
        **API,
        "host": "node-1",
        "database": database("neutron"),
        "identity": identity("neutron"),
        "rabbitmq": MESSAGING,
        "ovn": OVN,
        "dns-servers": "9.9.9.9",
    },
    "ovn-central": {"enabled": True},
    "ovn-chassis": {
        "host": "node-1",
        "encap-address": "10.0.0.1",
        "datapath": "netdev",
        "ovn": OVN,
        "metadata": {"host": "10.0.0.1", "shared-secret": PASSWORD},
        "external-bridge": {"address": "10.20.20.1/24"},
    },
    "cinder": {
        **API,
        "host": "node-1",
        "database": database("cinder"),
        "identity": identity("cinder"),
        "rabbitmq": MESSAGING,
    },
    "cinder-lvm": {
        "host": "node-1",
        "schema-release": RELEASE,
        "volume-group": "microstack-volumes",
    },
    "tempest": {"identity": identity("admin-tempest")},
    "horizon": {
        "auth-url": "http://10.0.0.1:5000/v3",
        "region": "RegionOne",
        "cache": CACHE,
        "secret-key": PASSWORD,
        "allowed-hosts": "cloud.example, 10.0.0.1",
    },
}


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with nested changes."""
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def files(layout: Layout, component: str, **changes: Any) -> dict[str, str]:
    """Render a component; return its files' text by their path below `etc`."""
    declared = ALL[component]
    document = merged(
        CONFIG[component], {key.replace("_", "-"): value for key, value in changes.items()}
    )
    rendered = Renderer(layout).render(declared, declared.config.model_validate(document))
    return {
        str(file.path.relative_to(layout.etc)): file.contents[""].decode()
        for file in rendered
        if not file.is_directory
    }


def ini(text: str) -> configparser.RawConfigParser:
    """Read an ini file as oslo.config and uWSGI do, but for their substitutions."""
    parser = configparser.RawConfigParser(delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return parser
