"""Secrets of the model, and charms that take another's place: on the pure functions alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from machine import changes, user_secrets
from machine.changes import ChangeError
from machine.charm import CharmMetadata
from machine.model import Model
from machine.plan import AddApplication, AddUnit
from machine.relate import relate


def charm(name: str, **declared: Any) -> CharmMetadata:
    return CharmMetadata.model_validate({"name": name, **declared})


DB = charm("db", provides={"database": {"interface": "db"}})
WEB = charm("web", requires={"database": {"interface": "db"}})


@pytest.fixture
def model() -> Model:
    plan = [AddApplication(c.name, c, Path("/charm")) for c in (DB, WEB)]
    related = relate(("db", "web"), {"db": DB, "web": WEB})
    return changes.applied(Model("m", "uuid"), [*plan, AddUnit("web"), related], 0.0)


def test_a_grant_goes_with_the_application(model: Model):
    model, number = user_secrets.add(model, "token", {"key": "value"}, "", 1.0)
    model = user_secrets.grant(model, "token", ["web"], True)
    assert model.may_read(model.units["web/0"], model.secrets[number])
    model = changes.remove_application(model, "db", 1.0)
    assert model.secrets[number].grants
    model = changes.remove_application(model, "web", 1.0)
    assert not model.secrets[number].grants


def test_the_same_content_is_no_new_revision(model: Model):
    model, number = user_secrets.add(model, "token", {"key": "value"}, "", 1.0)
    model = user_secrets.update(model, "token", {"key": "value"}, "for tests", None, None, 2.0)
    assert model.secrets[number].latest == 1
    assert model.secrets[number].description == "for tests"


def test_no_unit_may_change_a_secret_of_the_model(model: Model):
    model, number = user_secrets.add(model, "token", {"key": "value"}, "", 1.0)
    assert not model.manages(model.units["web/0"], model.secrets[number])


def test_revisions_are_removed_one_by_one_or_together(model: Model):
    model, number = user_secrets.add(model, "token", {"key": "1"}, "", 1.0)
    model = user_secrets.update(model, "token", {"key": "2"}, None, None, None, 2.0)
    assert list(user_secrets.remove(model, "token", 1).secrets[number].revisions) == [2]
    assert not user_secrets.remove(model, "token", None).secrets
    with pytest.raises(ChangeError, match="revision 7 not found"):
        user_secrets.remove(model, "token", 7)


@pytest.mark.parametrize(
    ("other", "complaint"),
    [
        (charm("shop"), 'its charm is "web", not "shop"'),
        (charm("web"), 'would break relation "db:database web:database"'),
        (charm("web", requires={"database": {"interface": "sql"}}), "would break relation"),
        (
            charm(
                "web",
                subordinate=True,
                requires={"host": {"interface": "juju-info", "scope": "container"}},
            ),
            "cannot change an application's subordinacy",
        ),
    ],
)
def test_a_charm_that_does_not_fit_is_refused(model: Model, other: CharmMetadata, complaint: str):
    with pytest.raises(ChangeError, match=complaint):
        changes.refresh(model, "web", other, Path("/other"), 1.0)
