"""What a bundle makes of a model."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from machine import changes
from machine.bundle import plan
from machine.bundle_view import exported
from machine.model import EVERYONE, Exposure, Model
from machine.plan import (
    AddApplication,
    AddRelation,
    AddUnit,
    Expose,
    Plan,
    RefreshCharm,
    SetOptions,
    SetTrust,
)
from machine.relation import Offer, Scope
from tests.machine.bundles import GOOD, deployed, planned, refusal, with_charms


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return with_charms(tmp_path)


# ---- what is planned


def test_a_bundle_adds_applications_then_units_then_relations(folder: Path):
    assert [str(c) for c in planned(folder, GOOD).changes] == [
        f"deploy application db from {folder}/db",
        f"deploy application log from {folder}/log",
        f"deploy application web from {folder}/web",
        "add unit of db",
        "add unit of web",
        "add unit of web",
        "add relation db:sql - web:database",
        "add relation web:juju-info - log:host",
    ]


def test_a_deployed_bundle_plans_nothing(folder: Path):
    model = deployed(planned(folder, GOOD))
    assert planned(folder, GOOD, existing=model) == Plan()


def test_the_packed_charm_goes_before_the_folder_it_is_packed_from(folder: Path):
    with zipfile.ZipFile(folder / "db/db.charm", "w") as archive:
        archive.writestr("metadata.yaml", "name: db\nprovides: {sql: {interface: sql}}\n")
        archive.writestr("config.yaml", "options: {size: {type: int}}\n")
    change = planned(folder, GOOD).changes[0]
    assert isinstance(change, AddApplication)
    assert change.charm_path == folder / "db/db.charm"


def test_a_charm_keeps_the_name_it_was_given_through_a_link(folder: Path):
    """As in a snap, where `current` leads to one revision, and to another after a refresh."""
    current = folder.parent / "current"
    current.symlink_to(folder)
    planned(folder, GOOD)
    change = plan(current / "bundle.yaml").changes[0]
    assert isinstance(change, AddApplication)
    assert change.charm_path == current / "db"


def test_endpoints_are_inferred_where_only_one_fits(folder: Path):
    text = GOOD.replace("[web:database, db:sql]", "[db:sql, web]")
    relation = planned(folder, text).changes[-2]
    assert str(relation) == "add relation db:sql - web:database"


def test_a_relation_has_container_scope_if_one_end_has(folder: Path):
    relation = planned(folder, GOOD).changes[-1]
    assert isinstance(relation, AddRelation)
    assert relation.scope is Scope.CONTAINER


def test_only_what_differs_is_changed(folder: Path):
    model = deployed(planned(folder, GOOD))
    text = GOOD.replace("{size: 2}", "{size: 3, motd: hi}\n    expose: true\n    trust: true")
    text = text.replace("num_units: 2", "num_units: 3")
    assert planned(folder, text, existing=model).changes == (
        SetOptions("db", {"size": 3, "motd": "hi"}),
        SetTrust("db", True),
        Expose("db", {"": EVERYONE}),
        AddUnit("web"),
    )


def test_units_are_never_removed(folder: Path):
    model = deployed(planned(folder, GOOD))
    text = GOOD.replace("num_units: 2", "num_units: 1")
    assert planned(folder, text, existing=model).changes == ()


def test_a_changed_charm_is_refreshed(folder: Path):
    model = deployed(planned(folder, GOOD))
    (folder / "web/src").mkdir()
    (folder / "web/src/charm.py").write_text("pass")
    (change,) = planned(folder, GOOD, existing=model).changes
    assert isinstance(change, RefreshCharm)
    assert change.application == "web"


def test_text_and_binary_files_are_included_relative_to_the_bundle(folder: Path):
    (folder / "motd.txt").write_text("welcome\n")
    for include, meant in (("file", "welcome\n"), ("base64", "d2VsY29tZQo=")):
        text = GOOD.replace("{size: 2}", f'{{motd: "include-{include}://motd.txt"}}')
        change = planned(folder, text).changes[0]
        assert isinstance(change, AddApplication)
        assert change.options == {"motd": meant}


# ---- overlays


def test_overlays_merge_options_and_replace_other_keys(folder: Path):
    overlay = "applications: {db: {options: {motd: hi}}, web: {num_units: 1}}"
    changes = planned(folder, GOOD, overlay).changes
    assert isinstance(changes[0], AddApplication)
    assert changes[0].options == {"size": 2, "motd": "hi"}
    assert sum(isinstance(c, AddUnit) and c.application == "web" for c in changes) == 1


def test_an_overlay_with_null_removes_an_application_and_its_relations(folder: Path):
    changes = planned(folder, GOOD, "applications: {log: null}").changes
    assert not any("log" in str(change) for change in changes)


def test_further_documents_of_the_bundle_are_overlays(folder: Path):
    text = GOOD + "---\napplications: {web: {num_units: 1}}\n"
    assert sum(c == AddUnit("web") for c in planned(folder, text).changes) == 1


def test_a_problem_in_an_overlay_is_placed_in_the_overlay(folder: Path):
    overlay = "applications:\n  db:\n    options:\n      sice: 3\n"
    assert "overlay0.yaml:4: db: unknown option" in refusal(folder, GOOD, overlay)
    overlay = "relations:\n  - [web:databse, db:sql-admin]\n"
    assert "overlay0.yaml:2: charm" in refusal(folder, GOOD, overlay)


# ---- offers and exposed endpoints


def test_offers_and_exposed_endpoints_are_kept_and_planned_once(folder: Path):
    offers = "offers: {store: {endpoints: [sql], acl: {admin: admin}}}"
    cidrs = "sql-admin: {expose-to-cidrs: [10.1.0.0/16, 10.0.0.0/24]}"
    exposed = f"exposed-endpoints: {{sql: , {cidrs}}}"
    text = GOOD.replace("options: {size: 2}", f"{offers}\n    {exposed}")
    first = planned(folder, text)
    model = changes.applied(Model("m", "uuid"), first.changes, 0.0)
    assert model.offers["store"] == Offer("store", "db", ("sql",))
    db = model.applications["db"]
    some = Exposure(cidrs=("10.0.0.0/24", "10.1.0.0/16"))
    assert db.exposures == {"sql": EVERYONE, "sql-admin": some}
    assert not planned(folder, text, existing=model).changes
    taken = GOOD.replace("charm: ./web", "charm: ./web\n    offers: {store: {endpoints: [http]}}")
    told = refusal(folder, taken, existing=model)
    assert 'bundle.yaml:9: web: offer "store" already exists, of application db' in told


def test_what_was_exposed_one_by_one_is_exported_as_an_overlay(folder: Path):
    model = deployed(planned(folder, GOOD))
    some = Exposure(("alpha",), ("10.0.0.0/24",))
    model = changes.applied(model, [Expose("db", {"sql": some}), Expose("web", {})], 0.0)
    bundle, overlay = exported(model, "ubuntu@24.04")
    assert bundle["applications"]["web"]["expose"] is True
    assert "expose" not in bundle["applications"]["db"]
    to = {"expose-to-spaces": ["alpha"], "expose-to-cidrs": ["10.0.0.0/24"]}
    assert overlay["applications"] == {"db": {"exposed-endpoints": {"sql": to}}}


# ---- what is only told


def test_unknown_keys_are_told_and_ignored(folder: Path):
    text = GOOD.replace("num_units: 2", "num_units: 2\n    optoins: {}")
    (warning,) = planned(folder, text).warnings
    assert warning.endswith(
        "bundle.yaml:10: applications.web.optoins: unknown key, ignored (did you mean 'options'?)"
    )


def test_what_gets_no_unit_is_told(folder: Path):
    text = GOOD.replace("    num_units: 2\n", "").replace("[web, log]", "[web:database, db]")
    text = text.replace("  - [web:database, db:sql]\n", "").replace("db]", "db:sql]")
    told = "\n".join(planned(folder, text).warnings)
    assert "bundle.yaml:7: web gets no unit: it has no num_units" in told
    assert "bundle.yaml:9: log gets no unit: it is subordinate and has no relation" in told


def test_the_projects_own_bundle_is_right():
    checkout = Path(__file__).resolve().parents[2]
    assert plan(checkout / "bundles/microstack.yaml").warnings == ()
