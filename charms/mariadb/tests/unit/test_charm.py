"""MariaDB's charm: a schema and an account of its own for each relation."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import ops
import pytest
from ops import testing

from charmbase import load_charm
from charmbase.testing import FakeSnap, disagreements
from interfaces.testing import secret_of

FOLDER = Path(__file__).parents[2]
CHARM = load_charm(FOLDER)
SERVER = sys.modules[sys.modules[CHARM.__module__].Server.__module__]


class FakeCursor:
    """A connection and its cursor, noting the statements."""

    def __init__(self, log: list[tuple[str, tuple[str, ...]]], users: list[str]) -> None:
        self.log = log
        self.users = users

    def __enter__(self) -> FakeCursor:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def cursor(self) -> FakeCursor:
        return self

    def execute(self, statement: str, parameters: tuple[str, ...] = ()) -> None:
        self.log.append((statement, parameters))

    def fetchone(self) -> tuple[str]:
        return ("10.11.14-MariaDB-0+deb12u2",)

    def fetchall(self) -> list[tuple[str]]:
        return [(user,) for user in self.users]


@pytest.fixture
def users() -> list[str]:
    return ["operator", "mariadb.sys", "root"]


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch, users: list[str]) -> Any:
    import pymysql

    log: list[tuple[str, tuple[str, ...]]] = []
    monkeypatch.setattr(pymysql, "connect", lambda **_: FakeCursor(log, users))
    return log


def client(app: str, schema: str) -> testing.Relation:
    return testing.Relation(
        "database", remote_app_name=app, remote_app_data={"database": json.dumps(schema)}
    )


def ready(*relations: testing.RelationBase) -> testing.State:
    return testing.State(
        leader=True, relations=[testing.PeerRelation("mariadb-peers"), *relations]
    )


def run(state: testing.State) -> testing.State:
    context = testing.Context(CHARM)
    return context.run(context.on.config_changed(), state)


def account(state: testing.State, relation: testing.Relation) -> dict[str, str]:
    data = state.get_relation(relation.id).local_app_data
    return dict(secret_of(state, json.loads(data["secret-user"])))


def test_declarations_agree_with_charmcraft_yaml() -> None:
    assert disagreements(CHARM, FOLDER) == []


def test_starts_the_server_before_anyone_asks(snap: FakeSnap, statements: Any) -> None:
    out = run(ready())
    assert out.unit_status == ops.ActiveStatus()
    assert len(snap.sections["mariadb"]["admin-password"]) == 32
    assert statements == []


def test_gives_each_endpoint_of_an_application_a_schema_and_an_account(
    snap: FakeSnap, statements: Any
) -> None:
    api, cell = client("nova", "nova_api"), client("nova", "nova")
    out = run(ready(api, cell))
    data = out.get_relation(api.id).local_app_data
    assert json.loads(data["database"]) == "nova_api"
    assert json.loads(data["endpoints"]) == "192.0.2.0:3306"
    assert json.loads(data["version"]) == "10.11.14"
    assert account(out, api)["username"] == f"nova-{api.id}"
    assert account(out, cell)["username"] == f"nova-{cell.id}"
    assert account(out, api)["password"] != account(out, cell)["password"]


def test_an_account_has_rights_on_its_schema_alone(snap: FakeSnap, statements: Any) -> None:
    relation = client("nova", "nova_api")
    run(ready(relation))
    grants = [(text, parameters) for text, parameters in statements if "GRANT" in text]
    assert grants == [
        (r"GRANT ALL PRIVILEGES ON `nova\_api`.* TO %s@'%%'", (f"nova-{relation.id}",))
    ]


def test_waits_for_an_application_to_name_its_schema(snap: FakeSnap, statements: Any) -> None:
    relation = testing.Relation("database", remote_app_name="glance")
    out = run(ready(relation))
    assert out.get_relation(relation.id).local_app_data == {}
    assert statements == []


def test_tells_the_server_nothing_twice(snap: FakeSnap, statements: Any) -> None:
    out = run(ready(client("glance", "glance")))
    statements.clear()
    run(out)
    assert statements == []


def test_refuses_a_schema_name_that_could_not_be_quoted(snap: FakeSnap, statements: Any) -> None:
    relation = client("mallory", "x`; DROP DATABASE nova; --")
    out = run(ready(relation))
    assert statements == []
    assert isinstance(out.unit_status, ops.BlockedStatus)
    assert "mallory asks for a schema with an impossible name" in out.unit_status.message


def test_drops_the_account_of_a_relation_that_ended_and_keeps_its_schema(
    snap: FakeSnap, statements: Any, users: list[str]
) -> None:
    relation = client("glance", "glance")
    out = run(ready(relation))
    users.append(f"glance-{relation.id}")
    statements.clear()
    context = testing.Context(CHARM)
    context.run(context.on.relation_broken(out.get_relation(relation.id)), out)
    dropped = [parameters for text, parameters in statements if text.startswith("DROP")]
    assert dropped == [(f"glance-{relation.id}",)]


def test_rotating_gives_the_server_and_the_application_a_new_password(
    snap: FakeSnap, statements: Any
) -> None:
    relation = client("glance", "glance")
    out = run(ready(relation))
    before = account(out, relation)
    context = testing.Context(CHARM)
    out = context.run(context.on.action("rotate-passwords"), out)
    after = account(out, relation)
    assert after["username"] == before["username"]
    assert after["password"] != before["password"]
    alter = [parameters for text, parameters in statements if text.startswith("ALTER")][-1]
    assert alter == (after["username"], after["password"])


def test_an_account_does_not_show_its_password() -> None:
    assert "hunter2" not in repr(SERVER.Account("nova-1", "hunter2", "nova"))
    assert "hunter2" not in repr(SERVER.Server("127.0.0.1", 3306, "operator", "hunter2"))
