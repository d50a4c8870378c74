"""Applications of other models, which a bundle names by the URLs of their offers."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine import bridge, changes
from machine.bundle import BundleError
from machine.bundle_view import exported
from machine.model import Model
from machine.plan import AddApplication, AddUnit
from tests.machine.bundles import planned, refusal, with_charms

FAR, HERE = "00000000-0000-0000-0000-00000000000f", "00000000-0000-0000-0000-000000000001"
BUNDLE = """\
saas:
  store:
    url: machine:admin/far.sql
applications:
  web: {charm: ./web, num_units: 1}
relations:
  - [web:database, store]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return with_charms(tmp_path)


@pytest.fixture
def far(folder: Path) -> Model:
    """A model that offers what a bundle can relate to."""
    text = "applications: {db: {charm: ./db/db.charm, num_units: 1}}"
    model = changes.applied(Model("far", FAR), planned(folder, text).changes, 0.0)
    return changes.offer(model, "db", ["sql"], "sql")


def test_they_are_consumed_and_related_once(folder: Path, far: Model):
    here = Model("here", HERE)
    first = planned(folder, BUNDLE, existing=here, models=[here, far])
    model = changes.applied(here, first.changes, 0.0)
    assert model.remotes["store"] == bridge.consume(here, far, "sql", "store").remotes["store"]
    (relation,) = (r for r in model.relations.values() if not r.peer)
    assert str(relation) == "store:sql web:database"
    again = planned(folder, BUNDLE, existing=model, models=[model, far])
    assert again.changes == ()
    assert exported(model, "ubuntu@24.04")[0]["saas"] == {
        "store": {"url": "machine:admin/far.sql"}
    }


def test_an_overlay_removes_one_with_its_relations(folder: Path, far: Model):
    plan = planned(folder, BUNDLE, "saas: {store: null}", models=[far])
    assert [type(change) for change in plan.changes] == [AddApplication, AddUnit]


def test_an_overlay_takes_another_offer_for_one(folder: Path, far: Model):
    other = "saas: {store: {url: admin/far.none}}"
    told = refusal(folder, BUNDLE, other, models=[far])
    assert told == 'overlay0.yaml:1: store: application offer "admin/far.none" not found'


@pytest.mark.parametrize("url", ["admin/far.none", "admin/none.sql", "other:admin/far.sql"])
def test_a_refusal_has_the_offers_that_were_not_found(folder: Path, far: Model, url: str):
    overlay = f"saas: {{store: {{url: {url}}}}}"
    with pytest.raises(BundleError) as refused:
        planned(folder, BUNDLE, overlay, models=[far])
    assert refused.value.unknown_offers == (url,)


def test_one_that_does_not_fit_is_told_with_file_and_line(folder: Path, far: Model):
    text = BUNDLE.replace("web:database", "web:cache")
    told = refusal(folder, text, models=[far])
    assert told == 'bundle.yaml:7: no relations found between "web:cache store"'


def test_where_other_models_are_not_known_all_else_is_verified(folder: Path):
    unknown = planned(folder, BUNDLE, models=None)
    assert unknown.unseen == ("machine:admin/far.sql",)
    assert [type(change) for change in unknown.changes] == [AddApplication, AddUnit]
    text = BUNDLE.replace("machine:admin/far.sql", "nothing") + "  - [web, gone]\n"
    told = refusal(folder, text, models=None).splitlines()
    assert told[0] == 'bundle.yaml:3: invalid offer URL "nothing" for SAAS store'
    assert told[1].startswith('bundle.yaml:8: relation "web gone" refers to application "gone"')


def test_the_models_own_offer_is_refused(folder: Path, far: Model):
    told = refusal(folder, BUNDLE, existing=far, models=[far])
    assert told == 'bundle.yaml:3: store: an offer of the model itself: relate to "sql"'


def test_two_of_them_are_not_related_here(folder: Path, far: Model):
    two = BUNDLE.replace("applications:", "  other: {url: admin/far.sql}\napplications:")
    told = refusal(folder, two.replace("[web:database,", "[other,"), models=[far])
    assert told == 'bundle.yaml:8: "other store": both are of other models'
