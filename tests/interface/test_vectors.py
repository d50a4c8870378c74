"""Databags as charms in the field have written them must go on meaning the same.

The vectors are never edited: a change that breaks one breaks a deployed cloud. New fields get new
vectors.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import SecretStr

import interfaces
from interfaces.base import ContentOf, Databag, SecretContent, encode, kebab
from interfaces.memcache import Servers

MODULES = sorted(
    module.name
    for module in pkgutil.iter_modules(interfaces.__path__)
    if module.name not in ("base", "testing")
)
SCHEMAS = [
    getattr(importlib.import_module(f"interfaces.{name}"), side)
    for name in MODULES
    for side in ("RequirerData", "ProviderData")
]

VECTORS: dict[str, dict[str, dict[str, str]]] = {
    "mysql_client": {
        "RequirerData": {"database": '"nova_api"'},
        "ProviderData": {
            "database": '"nova_api"',
            "endpoints": '"10.0.0.1:3306,10.0.0.2:3306"',
            "secret-user": '"secret:d0erdgfmp25c762i8np0"',
            "version": '"10.11.14"',
        },
    },
    "rabbitmq": {
        "RequirerData": {"vhost": '"openstack"'},
        "ProviderData": {
            "hostname": '"10.0.0.1"',
            "port": "5672",
            "vhost": '"openstack"',
            "secret-user": '"secret:d0erdgfmp25c762i8np0"',
        },
    },
    "memcache": {
        "RequirerData": {},
        "ProviderData": {"host": '"10.0.0.1"', "port": "11211"},
    },
    "keystone": {
        "RequirerData": {
            "service-endpoints": '[{"service_name": "glance", "type": "image", "description": '
            '"Images", "internal_url": "http://10.0.0.1:9292", "public_url": '
            '"http://10.0.0.1:9292", "admin_url": "http://10.0.0.1:9292"}]',
            "region": '"RegionOne"',
        },
        "ProviderData": {
            "api-version": '"v3"',
            "region": '"RegionOne"',
            "internal-auth-url": '"http://10.0.0.1:5000/v3"',
            "public-auth-url": '"http://10.0.0.1:5000/v3"',
            "admin-auth-url": '"http://10.0.0.1:5000/v3"',
            "service-domain-name": '"Default"',
            "service-project-name": '"service"',
            "admin-role": '"admin"',
            "service-credentials": '"secret:d0erdgfmp25c762i8np0"',
        },
    },
    "keystone_credentials": {
        "RequirerData": {"username": '"nova-compute"'},
        "ProviderData": {
            "api-version": '"v3"',
            "region": '"RegionOne"',
            "internal-endpoint": '"http://10.0.0.1:5000/v3"',
            "public-endpoint": '"http://10.0.0.1:5000/v3"',
            "user-domain-name": '"Default"',
            "project-domain-name": '"Default"',
            "project-name": '"service"',
            "admin-role": '"admin"',
            "credentials": '"secret:d0erdgfmp25c762i8np0"',
        },
    },
    "keystone_admin": {
        "RequirerData": {},
        "ProviderData": {
            "api-version": '"v3"',
            "region": '"RegionOne"',
            "internal-endpoint": '"http://10.0.0.1:5000/v3"',
            "public-endpoint": '"http://10.0.0.1:5000/v3"',
            "user-domain-name": '"Default"',
            "project-domain-name": '"Default"',
            "project-name": '"admin-tempest"',
            "credentials": '"secret:d0erdgfmp25c762i8np0"',
        },
    },
    "glance": {
        "RequirerData": {},
        "ProviderData": {"glance-api-server": '"http://10.0.0.1:9292"'},
    },
    "placement": {
        "RequirerData": {},
        "ProviderData": {"placement-url": '"http://10.0.0.1:8778"'},
    },
    "neutron_api": {
        "RequirerData": {},
        "ProviderData": {"neutron-url": '"http://10.0.0.1:9696"'},
    },
    "nova": {
        "RequirerData": {},
        "ProviderData": {
            "metadata-host": '"10.0.0.1"',
            "metadata-port": "8775",
            "metadata-secret": '"secret:d0erdgfmp25c762i8np0"',
            "spice-proxy-url": '"http://10.0.0.1:6082/spice_auto.html"',
        },
    },
    "nova_compute": {
        "RequirerData": {"hypervisor-hostname": '"node-1"'},
        "ProviderData": {
            "spice-proxy-url": '"http://10.0.0.1:6082/spice_auto.html"',
            "takes-hypervisors": "true",
        },
    },
    "neutron_plugin": {
        "RequirerData": {"chassis-name": '"node-1"'},
        "ProviderData": {"host": '"node-1"'},
    },
    "ovsdb": {
        "RequirerData": {},
        "ProviderData": {
            "db-nb-connection-str": '"tcp:10.0.0.1:6641"',
            "db-sb-connection-str": '"tcp:10.0.0.1:6642"',
        },
    },
    "ovsdb_cms": {
        "RequirerData": {},
        "ProviderData": {
            "db-nb-connection-str": '"tcp:10.0.0.1:6641"',
            "db-sb-connection-str": '"tcp:10.0.0.1:6642"',
        },
    },
    "cinder_backend": {
        "RequirerData": {"backend-name": '"lvm"', "volume-type": '"lvm"'},
        "ProviderData": {"release": '"2026.2"', "secret-service": '"secret:d0erdgfmp25c762i8np0"'},
    },
}

CASES = [(name, side, vector) for name, sides in VECTORS.items() for side, vector in sides.items()]


def parse(model: type[Databag], databag: dict[str, str]) -> Databag:
    return model.model_validate({key: json.loads(value) for key, value in databag.items()})


def test_every_interface_has_vectors() -> None:
    assert sorted(VECTORS) == MODULES


@pytest.mark.parametrize(("name", "side", "vector"), CASES, ids=lambda part: str(part)[:20])
def test_a_databag_reads_and_writes_back_the_same(
    name: str, side: str, vector: dict[str, str]
) -> None:
    model = getattr(importlib.import_module(f"interfaces.{name}"), side)
    assert encode(parse(model, vector)) == vector


@pytest.mark.parametrize("name", MODULES)
def test_the_readme_has_a_section_with_every_field(name: str) -> None:
    module = importlib.import_module(f"interfaces.{name}")
    readme = Path(interfaces.__path__[0], "README.md").read_text()
    section = readme.split(f"\n## {module.Provider.interface}\n")[1].split("\n## ")[0]
    for side in (module.RequirerData, module.ProviderData):
        for key in side.model_fields:
            assert f"{kebab(key)}: " in section


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__module__)
def test_an_empty_databag_parses_and_nothing_is_written_for_it(schema: type[Databag]) -> None:
    assert encode(schema()) == {}


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__module__)
def test_fields_of_a_newer_charm_are_left_alone(schema: type[Databag]) -> None:
    assert encode(parse(schema, {"invented-later": '"x"'})) == {}


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__module__)
def test_every_field_may_be_absent(schema: type[Databag]) -> None:
    for name, field in schema.model_fields.items():
        assert not field.is_required(), name
        assert type(None) in get_args(field.annotation), name


def test_a_secrets_content_is_optional_and_never_shown() -> None:
    marks = [
        mark.model
        for schema in SCHEMAS
        for field in schema.model_fields.values()
        for mark in field.metadata
        if isinstance(mark, ContentOf)
    ]
    assert marks
    for model in marks:
        assert model().reveal() == {}
        secret = [n for n, f in model.model_fields.items() if SecretStr in get_args(f.annotation)]
        filled: SecretContent = model.model_validate(dict.fromkeys(secret, "hunter2"))
        assert "hunter2" not in repr(filled)
        assert "hunter2" in filled.reveal().values()


def test_a_databases_first_endpoint_counts() -> None:
    data: Any = parse(
        importlib.import_module("interfaces.mysql_client").ProviderData,
        VECTORS["mysql_client"]["ProviderData"],
    )
    assert (data.host, data.port) == ("10.0.0.1", 3306)


def test_servers_of_a_cache_are_those_of_all_units_that_said_where_they_are() -> None:
    module = importlib.import_module("interfaces.memcache")
    units = (
        module.ProviderData(host="10.0.0.2", port=11211),
        module.ProviderData(),
        module.ProviderData(host="10.0.0.1", port=11211),
    )
    assert Servers(units=units).servers == "10.0.0.1:11211,10.0.0.2:11211"
    local = module.ProviderData(socket="unix:memcached.sock")
    assert Servers(units=(local, local)).servers == "unix:memcached.sock"
    assert Servers().servers is None
