"""Order and convergence of hooks, on the pure functions alone: no agent, no charm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machine import action_changes, changes, progress, resolver
from machine.agenda import Agenda
from machine.charm import CharmMetadata
from machine.context import Context
from machine.life import Life, Status
from machine.model import Model
from machine.plan import AddApplication, AddUnit, RefreshCharm
from machine.relate import relate
from machine.unit import Hook

DB = CharmMetadata.model_validate(
    {
        "name": "db",
        "provides": {"database": {"interface": "db"}},
        "peers": {"cluster": {"interface": "cluster"}},
        "options": {"size": {"type": "int", "default": 1}},
    }
)
WEB = CharmMetadata.model_validate(
    {"name": "web", "requires": {"database": {"interface": "db"}}, "actions": {"poke": {}}}
)
AGENT = CharmMetadata.model_validate(
    {
        "name": "agent",
        "subordinate": True,
        "requires": {"host": {"interface": "juju-info", "scope": "container"}},
        "provides": {"metrics": {"interface": "metrics"}},
    }
)


def deployed(*units: tuple[str, CharmMetadata, int], relations: tuple[str, ...] = ()) -> Model:
    charms = {name: charm for name, charm, _ in units}
    plan = [AddApplication(name, charm, Path("/charm")) for name, charm, _ in units]
    plan += [AddUnit(name) for name, _, count in units for _ in range(count)]
    ends = (tuple(r.split()) for r in relations)
    plan += [relate((a, b), charms) for a, b in ends]
    return changes.applied(Model("m", "uuid"), plan, now=0.0)


class Run:
    """Runs what is due by the resolver, in an order a test chooses, with a charm of its own.

    The charm of every unit writes to each relation what it sees there, so that data flows.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.now = 1.0
        self.hooks: list[tuple[str, str]] = []
        self.agenda = Agenda()

    def due(self) -> dict[str, Hook]:
        self.check_agenda()
        units = self.model.units.values()
        hooks = {u.name: resolver.next_hook(self.model, u, self.now) for u in units}
        return {name: hook for name, hook in hooks.items() if hook}

    def step(self, name: str, *, fail: bool = False) -> Hook:
        return self.run(name, self.due()[name], fail=fail)

    def check_agenda(self) -> None:
        """What the agenda remembers is what the resolver says."""
        units = self.model.units.values()
        hooks = {u.name: resolver.next_hook(self.model, u, self.now) for u in units}
        due = self.agenda.due(self.model, self.now)
        assert due.hooks == {name: hook for name, hook in hooks.items() if hook}
        assert due.wakes is None or due.wakes > self.now

    def any_step(self, random: Random, *, fail: bool = False) -> bool:
        """Run one of the hooks that may come next; False if there is none."""
        self.check_agenda()
        units = sorted(self.model.units.values(), key=lambda u: u.name)
        legal = [(u.name, h) for u in units for h in resolver.legal_hooks(self.model, u, self.now)]
        if legal:
            self.run(*random.choice(legal), fail=fail)
        return bool(legal)

    def run(self, name: str, hook: Hook, *, fail: bool = False) -> Hook:
        self.model = progress.begin(self.model, name, hook, self.now, "127.0.0.1")
        if fail:
            self.model = progress.failed(self.model, name, self.now, 1.0)
            return hook
        context = Context(self.model, name, hook, self.now)
        self.charm(context)
        self.hooks.append((name, hook.name))
        self.model = context.apply(self.model)
        self.model = progress.delivered(self.model, context.seen, name, hook, self.now)
        return hook

    def charm(self, context: Context) -> None:
        for relation in context.draft.relations_of(context.application):
            if relation.id not in context.unit.views:
                continue
            members = ",".join(context.members(relation))
            context.write(relation, {"sees": members}, app=False)
            if context.leader:
                context.write(relation, {"leader": "is here"}, app=True)

    def settle(self) -> None:
        for _ in range(2000):
            due = self.due()
            if not due:
                return
            self.step(next(iter(due)))
        raise AssertionError(f"no end: {self.hooks[-10:]}")

    def of(self, unit: str) -> list[str]:
        return [hook for name, hook in self.hooks if name == unit]


class TestOrder:
    def test_a_new_unit_gets_hooks_in_jujus_order(self):
        run = Run(deployed(("db", DB, 1), ("web", WEB, 1), relations=("db web",)))
        run.settle()
        assert run.of("db/0")[:7] == [
            "install",
            "cluster-relation-created",
            "database-relation-created",
            "leader-elected",
            "config-changed",
            "start",
            "cluster-relation-changed",
        ]
        assert run.of("web/0")[:5] == [
            "install",
            "database-relation-created",
            "leader-elected",
            "config-changed",
            "start",
        ]

    def test_changed_follows_joined(self):
        run = Run(deployed(("db", DB, 1), ("web", WEB, 1), relations=("db web",)))
        run.settle()
        hooks = run.of("web/0")
        joined = hooks.index("database-relation-joined")
        assert hooks[joined + 1] == "database-relation-changed"

    def test_only_the_lowest_unit_is_elected(self):
        run = Run(deployed(("db", DB, 3)))
        run.settle()
        assert [u for u, hook in run.hooks if hook == "leader-elected"] == ["db/0"]

    def test_config_changed_comes_when_options_differ_and_not_when_they_are_back(self):
        run = Run(deployed(("db", DB, 1)))
        run.settle()
        before = run.model
        changed = changes.set_options(before, "db", {"size": 2}, (), 1.0)
        assert resolver.next_hook(changed, changed.units["db/0"], 1.0) == Hook("config-changed")
        back = changes.set_options(changed, "db", {}, ("size",), 1.0)
        assert resolver.next_hook(back, back.units["db/0"], 1.0) is None

    def test_a_new_charm_gets_upgrade_charm_then_config_changed(self):
        run = Run(deployed(("db", DB, 1)))
        run.settle()
        run.hooks.clear()
        refresh = RefreshCharm("db", DB, Path("/new"))
        run.model = changes.applied(run.model, [refresh], 1.0)
        run.settle()
        assert run.of("db/0") == ["upgrade-charm", "config-changed"]

    def test_update_status_comes_when_nothing_else_did_for_five_minutes(self):
        run = Run(deployed(("db", DB, 1)))
        run.settle()
        wakes = resolver.wake_at(run.model, run.model.units["db/0"], run.now)
        assert wakes is not None and 1.0 + 0.8 * 300 <= wakes <= 1.0 + 1.2 * 300
        assert not run.due()
        run.now = wakes
        assert run.due() == {"db/0": Hook("update-status")}

    def test_update_status_can_be_asked_for_and_then_comes_once(self):
        run = Run(deployed(("db", DB, 1)))
        run.settle()
        run.model = changes.update_status(run.model, run.now)
        assert run.due() == {"db/0": Hook("update-status")}
        run.settle()
        run.model = with_status(run.model, "db/0", "active")
        assert changes.update_status(run.model, run.now) is run.model


def with_status(model: Model, unit: str, current: str) -> Model:
    return model.with_unit(replace(model.units[unit], workload=Status(current)))


class TestFailure:
    def test_a_failed_hook_is_retried_later_and_later(self):
        run = Run(deployed(("db", DB, 1)))
        waits = []
        for _ in range(9):
            assert run.step("db/0", fail=True) == Hook("install")
            pending = run.model.units["db/0"].pending
            waits.append(pending.retry_at - run.now)
            assert not run.due()
            run.now = pending.retry_at
        assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]

    def test_an_action_runs_on_a_unit_whose_hook_failed(self):
        run = Run(deployed(("web", WEB, 1)))
        run.step("web/0", fail=True)
        run.model, queued = action_changes.enqueue(run.model, ["web/leader"], "poke", {}, 1.0)
        assert run.due() == {"web/0": Hook("poke", action=queued.tasks["web/0"])}

    def test_a_skipped_hook_counts_as_run(self):
        run = Run(deployed(("db", DB, 1)))
        run.step("db/0", fail=True)
        run.model = progress.skipped(run.model, "db/0", run.now)
        assert run.step("db/0").name == "cluster-relation-created"


class TestSubordinates:
    def model(self) -> Model:
        return deployed(("web", WEB, 2), ("agent", AGENT, 0), relations=("web agent",))

    def test_a_unit_comes_with_each_principal_that_enters_the_relation(self):
        run = Run(self.model())
        assert not run.model.units_of("agent")
        run.settle()
        agents = run.model.units_of("agent")
        assert {a.principal for a in agents} == {"web/0", "web/1"}

    def test_it_sees_its_own_principal_alone(self):
        run = Run(self.model())
        run.settle()
        (relation,) = run.model.relations.values()
        for agent in run.model.units_of("agent"):
            assert run.model.counterparts(relation, agent) == [agent.principal]
            assert relation.databag(agent.name).values["sees"] == agent.principal

    def test_it_goes_before_its_principal(self):
        run = Run(self.model())
        run.settle()
        run.hooks.clear()
        run.model = changes.remove_application(run.model, "web", 1.0)
        run.settle()
        order = [u.partition("/")[0] for u, hook in run.hooks if hook == "remove"]
        assert sorted(order[:2]) == ["agent", "agent"] or order.index("agent") < order.index("web")
        assert set(run.model.applications) == {"agent"}
        assert not run.model.units and not run.model.relations


class TestRemoval:
    def test_a_relation_ends_with_departed_then_broken(self):
        run = Run(deployed(("db", DB, 1), ("web", WEB, 1), relations=("db web",)))
        run.settle()
        run.hooks.clear()
        run.model = changes.remove_relation(run.model, ("db", "web:database"), 1.0)
        run.settle()
        for unit in ("db/0", "web/0"):
            assert run.of(unit) == ["database-relation-departed", "database-relation-broken"]
        assert [str(r) for r in run.model.relations.values()] == ["db:cluster"]

    def test_an_application_leaves_nothing(self):
        run = Run(deployed(("db", DB, 2), ("web", WEB, 2), relations=("db web",)))
        run.settle()
        run.hooks.clear()
        run.model = changes.remove_application(run.model, "db", 1.0)
        run.settle()
        for unit in ("db/0", "db/1"):
            assert run.of(unit)[-2:] == ["stop", "remove"]
        assert set(run.model.units) == {"web/0", "web/1"}
        assert not run.model.relations
        assert all(not u.views for u in run.model.units.values())

    @pytest.mark.parametrize("failed", [False, True])
    def test_a_unit_that_never_was_installed_goes_without_a_hook(self, failed: bool):
        run = Run(deployed(("db", DB, 1)))
        if failed:
            run.step("db/0", fail=True)
        run.model = changes.remove_application(run.model, "db", 1.0)
        assert not run.due()
        assert not run.model.units and not run.model.applications

    def test_a_unit_leaves_its_relations_then_stops(self):
        run = Run(deployed(("db", DB, 2), ("web", WEB, 1), relations=("db web",)))
        run.settle()
        run.hooks.clear()
        run.model = changes.remove_unit(run.model, "db/0", 1.0)
        run.settle()
        assert sorted(run.of("db/0")[:-3]) == [
            "cluster-relation-departed",
            "database-relation-departed",
        ]
        assert run.of("db/0")[-3:] == ["database-relation-broken", "stop", "remove"]
        assert "database-relation-departed" in run.of("web/0")
        assert "database-relation-broken" not in run.of("web/0")

    def test_a_unit_that_stays_is_elected(self):
        run = Run(deployed(("db", DB, 2)))
        run.settle()
        run.hooks.clear()
        run.model = changes.remove_unit(run.model, "db/0", 1.0)
        run.settle()
        assert run.of("db/1").count("leader-elected") == 1
        assert run.model.units["db/1"].leader

    def test_a_unit_takes_its_databags_along(self):
        run = Run(deployed(("db", DB, 2), ("web", WEB, 2), relations=("db web",)))
        run.settle()
        run.model = changes.remove_unit(run.model, "db/0", 1.0)
        run.settle()
        assert_no_stray_databag(run.model)
        (relation,) = (r for r in run.model.relations.values() if not r.peer)
        assert relation.databag("db").values == {"leader": "is here"}


def assert_no_stray_databag(model: Model) -> None:
    owners = {owner for r in model.relations.values() for owner in r.databags}
    assert {owner for owner in owners if "/" in owner} <= set(model.units)


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=True))
def test_units_that_come_and_go_at_any_instant_are_told_of_and_forgotten(random: Random):
    apps = ("db", DB, 2), ("web", WEB, 2), ("agent", AGENT, 0)
    run = Run(deployed(*apps, relations=("db web", "web agent")))
    for _ in range(random.randrange(80)):
        if random.random() < 0.08:
            run.model = changes.add_units(run.model, random.choice(["db", "web"]), 1, run.now)
        alive = [u.name for u in run.model.units.values() if u.life is Life.ALIVE]
        principals = [name for name in sorted(alive) if not run.model.units[name].principal]
        if len(principals) > 2 and random.random() < 0.08:
            run.model = changes.remove_unit(run.model, random.choice(principals), run.now)
        run.any_step(random, fail=random.random() < 0.1)
        run.now += random.choice([0.0, 10.0])
    run.now += progress.RETRY_MOST
    run.settle()
    assert_told_everything(run.model)
    assert_no_stray_databag(run.model)
    for application in ("db", "web"):
        units = run.model.units_of(application)
        assert [u.name for u in units if u.leader] == [u.name for u in units[:1]]


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=True))
def test_any_order_of_deliveries_and_failures_converges(random: Random):
    """All orders end in the same databags, and everyone was told of every databag's last state."""
    apps = ("db", DB, 2), ("web", WEB, 2), ("agent", AGENT, 0)
    run = Run(deployed(*apps, relations=("db web", "web agent")))
    while run.any_step(random, fail=random.random() < 0.1):
        run.now += random.choice([0.0, 10.0])
    run.now += progress.RETRY_MOST
    run.settle()
    assert_told_everything(run.model)
    sees = {
        (r.endpoints[0].name, unit.partition("/")[0]): len(bag.values["sees"].split(","))
        for r in run.model.relations.values()
        for unit, bag in r.databags.items()
        if "/" in unit
    }
    assert sees == {
        ("cluster", "db"): 1,
        ("database", "db"): 2,
        ("database", "web"): 2,
        ("juju-info", "web"): 1,
        ("juju-info", "agent"): 1,
    }


def assert_told_everything(model: Model) -> None:
    for unit in model.units.values():
        assert unit.started and unit.life is Life.ALIVE and unit.pending is None
        for relation in model.relations_of(unit.application):
            view = unit.views[relation.id]
            members = model.counterparts(relation, unit)
            assert view.members == {m: relation.databag(m).version for m in members}
            remote = relation.remote(unit.application).application
            assert view.app_version == relation.databag(remote).version


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=True))
def test_removal_at_any_instant_leaves_nothing(random: Random):
    apps = ("db", DB, 2), ("web", WEB, 1), ("agent", AGENT, 0)
    run = Run(deployed(*apps, relations=("db web", "web agent")))
    for _ in range(random.randrange(60)):
        run.any_step(random)
    for name in random.sample(["db", "web", "agent"], 3):
        run.model = changes.remove_application(run.model, name, run.now)
    run.settle()
    assert not run.model.applications and not run.model.units and not run.model.relations


class TestShuffle:
    """Hooks one at a time, in an order that a seed chooses."""

    def hooks(self, seed: int) -> list[tuple[str, str]]:
        run = Run(deployed(("db", DB, 2), ("web", WEB, 1), relations=("db web",)))
        while chosen := resolver.shuffled(run.model, run.now, seed):
            run.run(*chosen)
        assert_told_everything(run.model)
        return run.hooks

    def test_a_seed_is_one_order_and_another_seed_another(self):
        orders = {tuple(self.hooks(seed)) for seed in range(8)}
        assert self.hooks(3) == self.hooks(3)
        assert len(orders) == 8

    @pytest.mark.parametrize("seed", range(8))
    def test_it_keeps_what_juju_promises(self, seed: int):
        for unit in ("db/0", "db/1", "web/0"):
            hooks = [hook for name, hook in self.hooks(seed) if name == unit]
            assert hooks[0] == "install"
            assert hooks[hooks.index("config-changed") + 1] == "start"
            created = [hooks.index(h) for h in hooks if h.endswith("-created")]
            told = [hooks.index(h) for h in hooks if h.endswith(("-joined", "-changed"))]
            assert max(created) < hooks.index("config-changed") <= min(told)
            joined = hooks.index("database-relation-joined")
            assert "database-relation-changed" in hooks[joined:]

    def test_a_hook_that_was_killed_runs_again_before_any_other(self):
        run = Run(deployed(("db", DB, 2), ("web", WEB, 1), relations=("db web",)))
        for _ in range(12):
            name, hook = chosen = resolver.shuffled(run.model, run.now, 1)
            killed = progress.begin(run.model, name, hook, run.now, "127.0.0.1")
            assert resolver.shuffled(killed, run.now, 1) == chosen
            run.run(name, hook)

    @pytest.mark.parametrize("seed", range(8))
    def test_update_status_waits_until_there_is_nothing_else(self, seed: int):
        run = Run(deployed(("db", DB, 1), ("web", WEB, 1)))
        run.settle()
        run.now += 1.2 * 300
        run.model = changes.set_options(run.model, "db", {"size": 2}, (), run.now)
        assert resolver.shuffled(run.model, run.now, seed) == ("db/0", Hook("config-changed"))


def test_a_unit_in_a_thousand_relations_is_told_of_each():
    webs = [(f"web{n}x", WEB, 0) for n in range(1000)]
    relations = tuple(f"db {name}" for name, _, _ in webs)
    run = Run(deployed(("db", DB, 1), *webs, relations=relations))
    run.charm = lambda _: None
    while hook := resolver.next_hook(run.model, run.model.units["db/0"], run.now):
        run.run("db/0", hook)
    assert run.of("db/0").count("database-relation-created") == 1000
    assert_told_everything(run.model)


@pytest.mark.parametrize("later", ["changed", "removed"])
def test_what_changes_while_a_hook_runs_is_delivered_after_it(later: str):
    run = Run(deployed(("db", DB, 1), ("web", WEB, 1), relations=("db web",)))
    run.settle()
    (relation,) = (r for r in run.model.relations.values() if not r.peer)
    bag = replace(relation.databag("db/0"), values={"a": "1"}, version=10)
    run.model = run.model.with_relation(
        replace(relation, databags={**relation.databags, "db/0": bag})
    )
    hook = run.due()["web/0"]
    seen = run.model = progress.begin(run.model, "web/0", hook, 1.0, "127.0.0.1")
    if later == "removed":
        run.model = changes.remove_relation(run.model, ("web", "db"), 1.0)
        expected = "database-relation-departed"
    else:
        relation = run.model.relations[relation.id]
        bag = replace(bag, values={"a": "2"}, version=11)
        run.model = run.model.with_relation(
            replace(relation, databags={**relation.databags, "db/0": bag})
        )
        expected = "database-relation-changed"
    run.model = progress.delivered(run.model, seen, "web/0", hook, 1.0)
    assert run.due()["web/0"].name == expected
