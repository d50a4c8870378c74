"""A bundle that is right and its charms, for tests, and what is planned for one that differs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent

import pytest

from machine.bundle import BundleError, plan
from machine.life import Status
from machine.model import Application, Model
from machine.plan import AddApplication, AddRelation, AddUnit, Plan
from machine.relation import Relation
from machine.unit import Unit

CHARMS = {
    "db": """
        name: db
        provides: {sql: {interface: sql, limit: 2}, sql-admin: {interface: sql}}
        peers: {db-peers: {interface: db_peers}}
        config: {options: {size: {type: int, default: 1}, motd: {type: string}}}
        storage: {data: {type: filesystem, multiple: {range: 1-2}}}
        resources: {seed: {type: file, filename: seed.sql}}
        """,
    "web": """
        name: web
        requires: {database: {interface: sql}, cache: {interface: memcache}}
        provides: {http: {interface: http}}
        """,
    "log": """
        name: log
        subordinate: true
        requires: {host: {interface: juju-info, scope: container}}
        """,
    "future": """
        name: future
        assumes: [juju >= 3.1, {any-of: [k8s-api, juju >= 9.0]}]
        """,
    "wrong": "name: wrong\nprovides: {x: {}}",
    "glue": """
        name: glue
        requires: {local: {interface: http, scope: container}}
        """,
}

GOOD = """\
applications:
  db:
    charm: ./db/db.charm
    num_units: 1
    to: ["0"]
    options: {size: 2}
  web:
    charm: ./web
    num_units: 2
  log:
    charm: ./log
machines:
  "0":
relations:
  - [web:database, db:sql]
  - [web, log]
"""


def with_charms(folder: Path) -> Path:
    """The folder, with the charms in it."""
    for name, text in CHARMS.items():
        (folder / name).mkdir()
        (folder / name / "charmcraft.yaml").write_text(dedent(text))
    return folder


def planned(
    folder: Path,
    text: str,
    *overlays: str,
    existing: Model | None = None,
    models: Sequence[Model] | None = (),
) -> Plan:
    (folder / "bundle.yaml").write_text(text)
    files: list[Path] = []
    for number, overlay in enumerate(overlays):
        files.append(folder / f"overlay{number}.yaml")
        files[-1].write_text(overlay)
    return plan(folder / "bundle.yaml", files, existing, models)


def refusal(
    folder: Path,
    text: str,
    *overlays: str,
    existing: Model | None = None,
    models: Sequence[Model] | None = (),
) -> str:
    with pytest.raises(BundleError) as refused:
        planned(folder, text, *overlays, existing=existing, models=models)
    return "\n".join(refused.value.problems).replace(f"{folder}/", "")


def deployed(bundle: Plan) -> Model:
    """The model as it is once a plan of additions has been applied."""
    model = Model("m", "uuid")
    for change in bundle.changes:
        match change:
            case AddApplication():
                model = model.with_application(
                    Application(
                        change.name,
                        change.charm,
                        str(change.charm_path),
                        options=change.options,
                    )
                )
            case AddUnit(name):
                number = len(model.units_of(name))
                status = Status("active")
                model = model.with_unit(Unit(f"{name}/{number}", status, status))
            case AddRelation(provider, requirer, scope):
                number = len(model.relations)
                model = model.with_relation(Relation(number, (provider, requirer), scope))
            case _:
                raise AssertionError(change)
    return model
