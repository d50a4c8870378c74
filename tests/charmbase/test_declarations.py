"""A charm's declarations are checked when its class is made, and can be asked."""

from __future__ import annotations

from typing import Any

import pytest

from charmbase import (
    ComponentCharm,
    Constant,
    Generated,
    Http,
    Job,
    Option,
    Origin,
    Requires,
    explain,
)
from interfaces import memcache, mysql_client
from workload.config.glance import GlanceConfig


class Charm(ComponentCharm[GlanceConfig]):
    component = "glance"
    database = Requires("database", mysql_client.Requirer)
    cache = Requires("cache", memcache.Requirer)
    mapping = {  # noqa: RUF012
        "debug": Option("debug"),
        "port": Constant(9292),
        "database": {
            "host": database["host"],
            "password": database["secret-user.password"],
            "username": Generated("username"),
        },
        "cache.servers": cache["servers"].optional(),
    }


def test_explains_a_field_of_a_databag() -> None:
    assert explain(Charm, "database.host") == Origin(
        "relation",
        endpoint="database",
        interface="mysql_client",
        scope="app",
        fields=("endpoints",),
    )


def test_explains_a_field_of_a_secret() -> None:
    origin = explain(Charm, "database.password")
    assert (origin.fields, origin.secret_field) == (("secret-user",), "password")


def test_explains_what_is_made_from_several_units() -> None:
    origin = explain(Charm, "cache.servers")
    assert (origin.scope, origin.fields, origin.required) == (
        "unit",
        ("host", "port", "socket"),
        False,
    )


@pytest.mark.parametrize(
    ("key", "kind", "name"),
    [
        ("debug", "option", "debug"),
        ("database.username", "generated", "username"),
        ("port", "constant", None),
    ],
)
def test_explains_what_no_relation_gives(key: str, kind: str, name: str | None) -> None:
    origin = explain(Charm, key)
    assert (origin.kind, origin.name) == (kind, name)


def test_a_key_that_is_not_mapped_is_refused_with_those_that_are() -> None:
    with pytest.raises(
        KeyError, match=r"glance does not set database.hots; it sets cache.servers"
    ):
        explain(Charm, "database.hots")


def test_a_field_that_the_interface_lacks_is_refused() -> None:
    with pytest.raises(TypeError, match=r"mysql_client has no field hots; it has database"):
        Charm.database["hots"]


def test_a_field_that_the_secret_lacks_is_refused() -> None:
    with pytest.raises(TypeError, match=r"secret-user\.pasword; it has password, username"):
        Charm.database["secret-user.pasword"]


def test_a_field_that_is_no_secret_has_no_fields() -> None:
    with pytest.raises(TypeError, match="field endpoints of interface mysql_client is not"):
        Charm.database["endpoints.password"]


@pytest.mark.parametrize(
    "declared",
    [
        {"mapping": {"databse.host": Constant("x")}},
        {"mapping": {"database": {"hots": Constant("x")}}},
        {"mapping": {}, "probe": Http(port="prot")},
        {"mapping": {"schema-release": Job("glance-db-sync", needs=("databse",)).done}},
    ],
    ids=["section", "key", "probe", "job"],
)
def test_a_key_that_snap_config_lacks_is_refused(declared: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="snap config has no key"):
        type("Wrong", (ComponentCharm,), {"component": "glance", **declared})
