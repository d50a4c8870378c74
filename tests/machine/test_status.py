"""The status of a model is what `juju status` would say of it: jubilant reads it, people too."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jubilant
import pytest

from machine.charm import CharmMetadata
from machine.life import Status
from machine.model import EVERYONE, Application, Model, Storage
from machine.relation import Endpoint as End
from machine.relation import Relation, Role, Scope
from machine.status import Host, status
from machine.summary import format_oneline, format_summary
from machine.tabular import format_tabular
from machine.unit import Port, Unit

NOON = 1_750_075_200.0  # 2025-06-16 12:00:00 UTC
HOST = Host("127.0.0.1", "box", ("ubuntu", "24.04"), "arch=amd64 cores=2 mem=7954M", NOON)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def charm(name: str, **more: Any) -> CharmMetadata:
    return CharmMetadata.model_validate({"name": name, **more})


@pytest.fixture
def model() -> Model:
    db = charm("mysql", provides={"sql": "sql"}, peers={"db-peers": "db_peers"})
    web = charm("wiki", requires={"db": "sql"}, version="7")
    agent = charm("agent", subordinate=True, requires={"host": "juju-info"})
    idle, active = Status("idle", "", NOON), Status("active", "", NOON)
    model = Model("m", "2b7d", created=NOON)
    model = model.with_application(
        Application("db", db, "/db", version="8.0", exposures={"": EVERYONE})
    )
    model = model.with_application(Application("web", web, "/web", charm_revision=2))
    model = model.with_application(Application("log", agent, "/log"))
    ports = (Port("tcp", 3306, 3306), Port("udp", 1, 2))
    model = model.with_unit(Unit("db/0", active, idle, ports=ports))
    model = model.with_unit(Unit("web/0", Status("blocked", "no database", NOON), idle))
    model = model.with_unit(Unit("web/1", active, idle))
    model = model.with_unit(Unit("log/0", active, idle, principal="web/0"))
    provider = End("db", "sql", "sql", Role.PROVIDER)
    requirer = End("web", "db", "sql", Role.REQUIRER)
    model = model.with_relation(Relation(0, (End("db", "db-peers", "db_peers", Role.PEER),)))
    model = model.with_relation(Relation(1, (provider, requirer)))
    host = End("web", "juju-info", "juju-info", Role.PROVIDER)
    lodger = End("log", "host", "juju-info", Role.REQUIRER)
    model = model.with_relation(Relation(2, (host, lodger), Scope.CONTAINER))
    return model.with_storage(Storage("data/0", "db/0", "filesystem", "/srv/data", True))


def parsed(model: Model) -> jubilant.Status:
    text = json.dumps(status(model, HOST, NOON))
    return jubilant.Status._from_dict(json.loads(text))


def test_jubilant_reads_the_model_and_its_machine(model: Model):
    read = parsed(model)
    assert (read.model.name, read.model.type, read.model.model_status.current) == (
        *("m", "iaas", "available"),
    )
    machine = read.machines["0"]
    assert machine.juju_status.current == "started"
    assert (machine.dns_name, machine.hostname, machine.base) == (
        *("127.0.0.1", "box", jubilant.statustypes.FormattedBase("ubuntu", "24.04")),
    )


def test_jubilant_reads_applications(model: Model):
    db, web = (parsed(model).apps[name] for name in ("db", "web"))
    assert (db.charm, db.charm_name, db.charm_origin, db.charm_rev) == (
        *("local:mysql-0", "mysql", "local", 0),
    )
    assert (db.exposed, db.version) == (True, "8.0")
    assert db.endpoint_bindings == {"": "alpha", "sql": "alpha", "db-peers": "alpha"}
    assert (web.charm_rev, web.charm_version) == (2, "7")
    assert web.relations["db"][0].related_app == "db"
    assert db.relations["db-peers"][0].related_app == "db"


def test_jubilant_reads_units_and_finds_subordinates(model: Model):
    read = parsed(model)
    db = read.apps["db"].units["db/0"]
    assert db.leader
    assert (db.machine, db.public_address) == ("0", "127.0.0.1")
    assert db.open_ports == ["1-2/udp", "3306/tcp"]
    assert not read.apps["web"].units["web/1"].leader
    assert read.apps["log"].subordinate_to == ["web"]
    assert read.apps["log"].units == {}
    assert list(read.get_units("log")) == ["log/0"]


def test_jubilant_reads_storage(model: Model):
    storage = parsed(model).storage.storage["data/0"]
    assert (storage.kind, storage.status.current) == ("filesystem", "attached")
    assert storage.attachments
    assert storage.attachments.units["db/0"].location == "/srv/data"


def test_times_are_written_as_juju_writes_them(model: Model):
    assert parsed(model).apps["db"].units["db/0"].juju_status.since == "16 Jun 2025 12:00:00Z"
    assert parsed(model).controller.timestamp == "12:00:00Z"


def test_an_application_is_as_its_gravest_unit_unless_its_leader_says_otherwise(model: Model):
    assert parsed(model).apps["web"].app_status.current == "blocked"
    told = replace(model.applications["web"], status=Status("active", "2 of 2", NOON))
    assert parsed(model.with_application(told)).apps["web"].app_status.message == "2 of 2"


def test_an_application_without_units_is_unknown(model: Model):
    empty = model.with_application(Application("empty", charm("empty"), "/empty"))
    assert parsed(empty).apps["empty"].app_status.current == "unknown"


def test_a_failed_hook_is_the_workloads_error(model: Model):
    failed = Status("error", 'hook failed: "install"', NOON)
    model = model.with_unit(replace(model.units["db/0"], agent=failed))
    unit = parsed(model).apps["db"].units["db/0"]
    assert unit.is_error
    assert unit.workload_status.message == 'hook failed: "install"'
    assert unit.juju_status.current == "idle"
    assert parsed(model).apps["db"].is_error


def test_jubilants_conditions_work(model: Model):
    read = parsed(model)
    assert jubilant.all_active(read, "db")
    assert jubilant.any_blocked(read, "web")
    assert jubilant.all_agents_idle(read)


def test_the_table_is_jujus(model: Model):
    rows = [("db:sql", "web:db", "sql", "regular", "")]
    assert format_tabular(status(model, HOST, NOON), rows).splitlines() == [
        "Model  Controller  Cloud/Region  Version  SLA          Timestamp",
        "m      machine     localhost     3.6.9    unsupported  12:00:00Z",
        "",
        "App  Version  Status   Scale  Charm  Channel  Rev  Exposed  Message",
        "db   8.0      active       1  mysql             0  yes",
        "log           active       1  agent             0  no",
        "web           blocked      2  wiki              2  no       no database",
        "",
        "Unit      Workload  Agent  Machine  Public address  Ports             Message",
        "db/0*     active    idle   0        127.0.0.1       1-2/udp,3306/tcp",
        "web/0*    blocked   idle   0        127.0.0.1                         no database",
        "  log/0*  active    idle            127.0.0.1",
        "web/1     active    idle   0        127.0.0.1",
        "",
        "Machine  State    Address    Inst id  Base          AZ  Message",
        "0        started  127.0.0.1  box      ubuntu@24.04      Running",
        "",
        "Integration provider  Requirer  Interface  Type     Message",
        "db:sql                web:db    sql        regular",
        "",
        "Storage Unit  Storage ID  Type        Mountpoint  Status",
        "db/0          data/0      filesystem  /srv/data   attached",
    ]


def test_in_one_line_each_unit_says_where_and_how_it_is(model: Model):
    assert format_oneline(status(model, HOST, NOON)).splitlines() == [
        "- db/0: 127.0.0.1 (agent:idle, workload:active) 1-2/udp, 3306/tcp",
        "- web/0: 127.0.0.1 (agent:idle, workload:blocked)",
        "  - log/0: 127.0.0.1 (agent:idle, workload:active)",
        "- web/1: 127.0.0.1 (agent:idle, workload:active)",
    ]


def test_the_summary_counts(model: Model):
    assert format_summary(status(model, HOST, NOON)).splitlines() == [
        "Running on subnets:  127.0.0.1/8",
        "   Utilizing ports:  1-2/udp, 3306/tcp",
        "    # Machines:  (1)",
        "       started:   1",
        "",
        "       # Units:  (4)",
        "        active:   3",
        "       blocked:   1",
        "",
        "# Applications:  (3)",
        "             db  1/1  exposed",
        "            log  0/1  exposed",
        "            web  0/1  exposed",
        "",
        "      # Remote:  (0)",
    ]
