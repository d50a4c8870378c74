"""The two sides of a relation: who may write, what is written, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import ops
import pytest
from ops import testing

from interfaces import memcache, mysql_client
from interfaces.base import Credentials, DatabagError

META = {
    "name": "client",
    "requires": {"database": {"interface": "mysql_client"}, "cache": {"interface": "memcache"}},
    "provides": {"clients": {"interface": "mysql_client"}},
}


class Charm(ops.CharmBase):
    """Has no behaviour; tests drive its endpoints."""


def drive(state: testing.State, act: Callable[[ops.CharmBase], Any]) -> tuple[testing.State, Any]:
    context = testing.Context(Charm, meta=META)
    with context(context.on.update_status(), state) as manager:
        result = act(manager.charm)
        return manager.run(), result


def mariadb(**fields: str) -> testing.Relation:
    return testing.Relation("database", remote_app_name="mariadb", remote_app_data=fields)


def offer(state: testing.State) -> mysql_client.ProviderData | None:
    return drive(state, lambda charm: mysql_client.Requirer(charm, "database").get())[1]


def test_without_a_relation_there_is_no_offer() -> None:
    assert offer(testing.State()) is None


def test_a_relation_without_data_offers_nothing_yet() -> None:
    assert offer(testing.State(relations=[mariadb()])) == mysql_client.ProviderData()


def test_the_application_asks_by_its_leader() -> None:
    request = mysql_client.RequirerData(database="glance")
    for leader, written in ((True, {"database": '"glance"'}), (False, {})):
        relation = mariadb()
        state = testing.State(leader=leader, relations=[relation])
        out, _ = drive(
            state, lambda charm: mysql_client.Requirer(charm, "database").publish(request)
        )
        assert out.get_relation(relation.id).local_app_data == written


def test_what_is_unset_is_erased() -> None:
    relation = testing.Relation("clients", local_app_data={"version": '"10"', "other": "kept"})
    out, _ = drive(
        testing.State(leader=True, relations=[relation]),
        lambda charm: mysql_client.Provider(charm, "clients").publish(
            mysql_client.ProviderData(database="nova")
        ),
    )
    written = out.get_relation(relation.id).local_app_data
    assert written == {"database": '"nova"', "other": "kept"}


def test_requests_come_oldest_first_with_their_application() -> None:
    relations = [
        testing.Relation(
            "clients", remote_app_name=app, remote_app_data={"database": json.dumps(app)}
        )
        for app in ("nova", "glance")
    ]
    _, asked = drive(
        testing.State(relations=relations),
        lambda charm: [
            (one.app, one.data.database)
            for one in mysql_client.Provider(charm, "clients").requests()
        ],
    )
    assert asked == [("nova", "nova"), ("glance", "glance")]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('["hunter2"]', "relation database: endpoints: Input should be a valid string"),
        ("hunter2", "relation database: a field in the databag of mariadb is not JSON"),
    ],
)
def test_a_field_that_does_not_fit_is_named_without_its_value(value: str, message: str) -> None:
    def act(charm: ops.CharmBase) -> str:
        with pytest.raises(DatabagError) as caught:
            mysql_client.Requirer(charm, "database").get()
        return str(caught.value)

    _, said = drive(testing.State(relations=[mariadb(endpoints=value)]), act)
    assert said == message


def test_a_secret_is_read_at_its_newest_revision() -> None:
    secret = testing.Secret(
        {"username": "glance", "password": "old"},
        latest_content={"username": "glance", "password": "new"},
    )

    def act(charm: ops.CharmBase) -> str | None:
        content = mysql_client.Requirer(charm, "database").secret(secret.id, Credentials)
        return content and content.password and content.password.get_secret_value()

    state = testing.State(relations=[mariadb()], secrets=[secret])
    assert drive(state, act)[1] == "new"


def test_a_secret_that_is_not_granted_reads_as_not_there() -> None:
    def act(charm: ops.CharmBase) -> Credentials | None:
        return mysql_client.Requirer(charm, "database").secret("secret:unknown", Credentials)

    assert drive(testing.State(relations=[mariadb()]), act)[1] is None


def test_a_cache_is_read_from_its_units() -> None:
    cache = testing.Relation(
        "cache",
        remote_app_name="memcached",
        remote_units_data={
            0: {"host": '"192.0.2.1"', "port": "11211"},
            1: {"host": '"192.0.2.2"', "port": "11211"},
        },
    )
    _, servers = drive(
        testing.State(relations=[cache]), lambda charm: memcache.Requirer(charm, "cache").get()
    )
    assert servers.servers == "192.0.2.1:11211,192.0.2.2:11211"
