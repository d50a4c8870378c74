"""An offer relates two models: whatever one side has, the other gets, and nothing twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from machine import bridge, changes
from machine.changes import ChangeError
from machine.charm import CharmMetadata
from machine.life import Life, Status
from machine.model import Application, Model
from machine.relation import Databag, Endpoint, Relation, Role
from machine.secret import Grant, Secret, SecretRevision
from machine.settle import settle
from machine.unit import Unit, View

HERE, THERE = "6f8b2f9e-0000-4000-8000-000000000001", "6f8b2f9e-0000-4000-8000-000000000002"


def charm(name: str, **ends: Any) -> CharmMetadata:
    return CharmMetadata.model_validate({"name": name, **ends})


def model(identifier: str, name: str, application: Application) -> Model:
    idle = Status("active"), Status("idle")
    unit = Unit(f"{application.name}/0", *idle, installed=True, started=True)
    return Model(name, identifier).with_application(application).with_unit(unit)


@pytest.fixture
def provider() -> Model:
    db = Application("db", charm("db", provides={"sql": "sql", "host": {"interface": "h"}}), "/db")
    return changes.offer(model(THERE, "backend", db), "db", ("sql",), "store")


@pytest.fixture
def consumer(provider: Model) -> Model:
    """A model with a relation to what was consumed, which its unit has entered."""
    web = Application("web", charm("web", requires={"db": "sql"}), "/web")
    made = bridge.consume(model(HERE, "shop", web), provider, "store", "mysql")
    ends = (
        Endpoint("mysql", "sql", "sql", Role.PROVIDER),
        Endpoint("web", "db", "sql", Role.REQUIRER),
    )
    bags = {"web/0": Databag({"ingress-address": "10.0.0.1"}, 1)}
    made = made.with_relation(Relation(0, ends, members=frozenset({"web/0"}), databags=bags))
    return made.with_unit(replace(made.units["web/0"], views={0: View(created=True)}))


def proxy(provider: Model) -> str:
    (name,) = provider.remotes
    return name


def entered(provider: Model, **values: str) -> Model:
    """The offering model after its unit entered the relation and its leader wrote to it."""
    (relation,) = provider.relations.values()
    bags = {"db/0": Databag({}, 1), "db": Databag(values, 1)}
    relation = replace(
        relation,
        members=relation.members | {"db/0"},
        databags={**relation.databags, **bags},
    )
    unit = replace(provider.units["db/0"], views={relation.id: View(created=True)})
    return provider.with_relation(relation).with_unit(unit)


def test_each_side_has_what_the_other_wrote(provider: Model, consumer: Model):
    provider, consumer = bridge.bridged(provider, consumer, 1.0)
    (relation,) = provider.relations.values()
    name = proxy(provider)
    assert name.startswith("remote-")
    assert relation.databag(f"{name}/0").values == {"ingress-address": "10.0.0.1"}
    assert provider.counterparts(relation, provider.units["db/0"]) == [f"{name}/0"]
    provider, consumer = bridge.bridged(entered(provider, user="u"), consumer, 2.0)
    assert consumer.relations[0].databag("mysql").values == {"user": "u"}
    assert consumer.counterparts(consumer.relations[0], consumer.units["web/0"]) == ["mysql/0"]
    assert consumer.remotes["mysql"].status.current == "active"


def test_nothing_is_done_twice(provider: Model, consumer: Model):
    once = bridge.bridged(*bridge.bridged(provider, consumer, 1.0), 1.0)
    once = bridge.bridged(entered(once[0], user="u"), once[1], 2.0)
    again = bridge.bridged(*once, 3.0)
    assert (again[0] is once[0], again[1] is once[1]) == (True, True)


def test_a_unit_that_leaves_is_gone_on_the_other_side(provider: Model, consumer: Model):
    provider, consumer = bridge.bridged(provider, consumer, 1.0)
    left = replace(consumer.relations[0], members=frozenset())
    provider, _ = bridge.bridged(provider, consumer.with_relation(left), 2.0)
    (relation,) = provider.relations.values()
    assert provider.counterparts(relation, provider.units["db/0"]) == []


@pytest.mark.parametrize("side", ["provider", "consumer"])
def test_who_ends_the_relation_ends_it_for_both(provider: Model, consumer: Model, side: str):
    provider, consumer = bridge.bridged(provider, consumer, 1.0)
    provider, consumer = bridge.bridged(entered(provider), consumer, 2.0)
    if side == "provider":
        provider = bridge.remove_offer(provider, "store", 3.0, force=True)
    else:
        consumer = bridge.remove_saas(consumer, "mysql", 3.0)
    provider, consumer = bridge.bridged(provider, consumer, 4.0)
    lives = {r.life for m in (provider, consumer) for r in m.relations.values()}
    assert lives == {Life.DYING}


def test_what_stands_for_the_other_side_goes_with_the_relation(provider: Model, consumer: Model):
    provider, consumer = bridge.bridged(provider, consumer, 1.0)
    provider, consumer = bridge.bridged(entered(provider), consumer, 2.0)
    consumer = settle(replace(consumer, relations={}), 3.0)
    provider, _ = bridge.bridged(provider, consumer, 4.0)
    unit = replace(provider.units["db/0"], views={})
    assert settle(provider.with_unit(unit), 5.0).remotes == {}


def test_a_model_that_is_gone_takes_its_relations_along(provider: Model, consumer: Model):
    provider, consumer = bridge.bridged(provider, consumer, 1.0)
    alone = bridge.orphaned(consumer, {HERE}, 2.0)
    assert alone.relations[0].life is Life.DYING


class TestSecrets:
    @pytest.fixture
    def pair(self, provider: Model, consumer: Model) -> tuple[Model, Model]:
        provider, consumer = bridge.bridged(provider, consumer, 1.0)
        provider = entered(provider)
        (number,) = provider.relations
        grants = (Grant(proxy(provider), number),)
        secret = Secret("s1", "db", {1: SecretRevision({"key": "value"})}, grants=grants)
        return bridge.bridged(provider.with_secret(secret), consumer, 2.0)

    def test_what_was_granted_is_read(self, pair: tuple[Model, Model]):
        _, consumer = pair
        assert consumer.may_read(consumer.units["web/0"], consumer.secrets["s1"])
        assert not consumer.manages(consumer.units["web/0"], consumer.secrets["s1"])

    def test_what_was_not_granted_does_not_cross(self, provider: Model, consumer: Model):
        secret = Secret("s2", "db", {1: SecretRevision({"key": "value"})})
        _, consumer = bridge.bridged(provider.with_secret(secret), consumer, 1.0)
        assert consumer.secrets == {}

    def test_what_was_revoked_is_gone(self, pair: tuple[Model, Model]):
        provider, consumer = pair
        revoked = replace(provider.secrets["s1"], grants=())
        _, consumer = bridge.bridged(provider.with_secret(revoked), consumer, 3.0)
        assert consumer.secrets == {}


class TestRefusals:
    def test_what_is_not_there_is_not_offered(self, provider: Model):
        with pytest.raises(ChangeError, match='application "nobody" not found'):
            changes.offer(provider, "nobody", ("sql",), "x")
        with pytest.raises(ChangeError, match='has no endpoint "nothing" to offer'):
            changes.offer(provider, "db", ("nothing",), "x")

    def test_what_is_not_offered_is_not_consumed(self, provider: Model, consumer: Model):
        with pytest.raises(ChangeError, match=r'application offer "admin/backend\.x" not found'):
            bridge.consume(consumer, provider, "x", "x")
        with pytest.raises(ChangeError, match='application "web" already exists'):
            bridge.consume(consumer, provider, "store", "web")

    def test_what_is_in_use_stays(self, provider: Model, consumer: Model):
        provider, _ = bridge.bridged(provider, consumer, 1.0)
        with pytest.raises(ChangeError, match="offer has 1 relation"):
            bridge.remove_offer(provider, "store", 2.0, force=False)
        with pytest.raises(ChangeError, match="application is used by 1 offer"):
            changes.remove_application(provider, "db", 2.0)
