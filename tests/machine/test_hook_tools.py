"""Each hook tool as ops calls it, and the transaction that a hook is."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from machine import action_changes, changes, hook_tools, progress, resolver
from machine.charm import CharmMetadata
from machine.context import Context
from machine.model import Model
from machine.plan import AddApplication, AddUnit
from machine.relate import relate
from machine.unit import Hook

DB = CharmMetadata.model_validate(
    {
        "name": "db",
        "provides": {"database": {"interface": "db"}},
        "peers": {"cluster": {"interface": "cluster"}},
        "options": {
            "size": {"type": "int", "default": 1},
            "ratio": {"type": "float", "default": 0.5},
            "on": {"type": "boolean", "default": False},
            "name": {"type": "string"},
        },
        "actions": {"backup": {"params": {"where": {"type": "string", "default": "/tmp"}}}},
        "storage": {"data": {"type": "filesystem", "multiple": {"range": "0-2"}}},
    }
)
WEB = CharmMetadata.model_validate({"name": "web", "requires": {"database": {"interface": "db"}}})
UPDATE = Hook("update-status")


class Host:
    """Records what acts at once."""

    address = "127.0.0.1"

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def set_status(self, context: Context, status: str, message: str, *, app: bool) -> None:
        self.calls.append(("status", status, message, app))

    def set_version(self, context: Context, version: str) -> None:
        self.calls.append(("version", version))

    def reboot(self, context: Context, *, now: bool) -> None:
        self.calls.append(("reboot", now))

    def resource(self, context: Context, name: str) -> str:
        return f"/resources/{name}"

    def log(self, context: Context, level: str, message: str) -> None:
        self.calls.append(("log", level, message))

    def log_action(self, context: Context, message: str) -> None:
        self.calls.append(("action-log", message))


class Tools:
    """One hook of one unit, and calls of its tools."""

    def __init__(self, model: Model, unit: str, hook: Hook = UPDATE) -> None:
        self.context = Context(model, unit, hook, now=100.0)
        self.host = Host()

    def __call__(self, *argv: str, stdin: str = "") -> str:
        reply = hook_tools.run(self.context, self.host, argv, stdin)
        assert reply.code == 0, reply
        return reply.stdout

    def json(self, *argv: str, stdin: str = "") -> Any:
        return json.loads(self(*argv, "--format=json", stdin=stdin))

    def error(self, *argv: str, stdin: str = "") -> tuple[int, str]:
        reply = hook_tools.run(self.context, self.host, argv, stdin)
        assert reply.code and not reply.stdout
        return reply.code, reply.stderr

    def commit(self, model: Model) -> Model:
        return self.context.apply(model)


@pytest.fixture(scope="module")
def model() -> Model:
    """Two units of db, one of web, related, all hooks run: relation 0 is cluster, 1 database."""
    charms = {"db": DB, "web": WEB}
    plan = [
        *(AddApplication(name, charm, Path("/charm")) for name, charm in charms.items()),
        *(AddUnit(name) for name in ("db", "db", "web")),
        relate(("db", "web"), charms),
    ]
    model = changes.applied(Model("m", "uuid"), plan, now=0.0)
    return settled(model)


def settled(model: Model, now: float = 1.0) -> Model:
    while due := next(
        (
            (name, hook)
            for name, unit in model.units.items()
            if (hook := resolver.next_hook(model, unit, now))
        ),
        None,
    ):
        seen = progress.begin(model, *due, now, "127.0.0.1")
        model = progress.delivered(seen, seen, *due, now)
    return model


class TestTransaction:
    def test_a_hook_sees_its_own_writes_and_nobody_else_does_before_the_commit(self, model: Model):
        tools = Tools(model, "db/0")
        tools("relation-set", "-r", "database:1", "--file", "-", stdin='{"a": "1"}')
        assert tools.json("relation-get", "-r", "database:1", "-", "db/0")["a"] == "1"
        assert "a" not in model.relations[1].databag("db/0").values
        after = tools.commit(model)
        assert after.relations[1].databag("db/0").values["a"] == "1"

    def test_a_hook_is_shown_the_model_as_of_its_start(self, model: Model):
        tools = Tools(model, "web/0")
        provider = Tools(model, "db/0")
        provider("relation-set", "-r", "1", "--app", "k=v")
        provider.commit(model)
        assert tools.json("relation-get", "-r", "1", "--app", "-", "db") == {}

    def test_what_others_committed_meanwhile_is_kept(self, model: Model):
        first, second = Tools(model, "db/0"), Tools(model, "db/1")
        first("relation-set", "-r", "database:1", "mine=1")
        second("relation-set", "-r", "database:1", "mine=2")
        after = second.commit(first.commit(model))
        bags = after.relations[1].databags
        assert (bags["db/0"].values["mine"], bags["db/1"].values["mine"]) == ("1", "2")

    def test_writes_that_come_out_equal_are_no_change(self, model: Model):
        tools = Tools(model, "db/0")
        before = model.relations[1].databag("db/0")
        tools("relation-set", "-r", "database:1", "egress-subnets=")
        tools("relation-set", "-r", "database:1", "egress-subnets=127.0.0.1/32")
        assert tools.commit(model).relations[1].databag("db/0") == before

    def test_many_writes_are_one_change(self, model: Model):
        tools = Tools(model, "db/0")
        for value in "abc":
            tools("relation-set", "-r", "database:1", f"k={value}")
        version = model.relations[1].databag("db/0").version
        assert tools.commit(model).relations[1].databag("db/0").version == version + 1

    def test_writes_to_a_relation_that_went_away_meanwhile_are_dropped(self, model: Model):
        tools = Tools(model, "db/0")
        tools("relation-set", "-r", "database:1", "k=v")
        gone = replace(model, relations={0: model.relations[0]})
        assert tools.commit(gone) == gone


class TestRelations:
    def test_ids_and_members(self, model: Model):
        tools = Tools(model, "db/0")
        assert tools.json("relation-ids", "database") == ["database:1"]
        assert tools.json("relation-ids", "nothing") == []
        assert tools.json("relation-list", "-r", "database:1") == ["web/0"]
        assert tools.json("relation-list", "--app", "-r", "database:1") == "web"
        assert tools.json("relation-list", "-r", "cluster:0") == ["db/1"]

    def test_a_unit_that_departs_is_not_listed_and_still_readable(self, model: Model):
        hook = Hook("database-relation-departed", 1, "web", "web/0", "web/0")
        tools = Tools(model, "db/0", hook)
        assert tools.json("relation-list") == []
        assert tools.json("relation-get", "-", "web/0")["private-address"] == "127.0.0.1"

    def test_addresses_stand_in_a_units_databag(self, model: Model):
        assert Tools(model, "db/0").json("relation-get", "-r", "1", "-", "web/0") == {
            "egress-subnets": "127.0.0.1/32",
            "ingress-address": "127.0.0.1",
            "private-address": "127.0.0.1",
        }

    @pytest.mark.parametrize("reference", ["9", "database:9", "cluster:1", "database:x", "x"])
    def test_unknown_relations_are_usage_errors_in_the_words_ops_looks_for(
        self, model: Model, reference: str
    ):
        code, text = Tools(model, "db/0").error("relation-get", "-r", reference, "-", "web/0")
        assert code == 2
        assert text == (f'ERROR invalid value "{reference}" for option -r: relation not found\n')
        assert re.search(r"relation (\d+ )?not found", text)

    def test_a_follower_writes_no_application_databag(self, model: Model):
        tools = Tools(model, "db/1")
        refused = tools.error("relation-set", "-r", "database:1", "--app", "k=v")
        assert refused == (1, "ERROR cannot write relation settings\n")
        assert tools.commit(model) == model

    def test_a_follower_reads_its_own_application_databag_on_peer_relations_alone(
        self, model: Model
    ):
        tools = Tools(model, "db/1")
        assert tools.json("relation-get", "-r", "cluster:0", "--app", "-", "db") == {}
        refused = tools.error("relation-get", "-r", "database:1", "--app", "-", "db")
        assert refused == (1, "ERROR permission denied\n")

    def test_units_outside_the_relation_are_not_readable(self, model: Model):
        refused = Tools(model, "web/0").error("relation-get", "-r", "1", "-", "other/0")
        assert refused == (1, "ERROR permission denied\n")

    def test_an_empty_value_deletes_its_key(self, model: Model):
        tools = Tools(model, "db/0")
        tools("relation-set", "-r", "1", "--file", "-", stdin='{"a": "1", "b": "2"}')
        tools("relation-set", "-r", "1", "--file", "-", stdin='{"a": ""}')
        bag = tools.json("relation-get", "-r", "1", "-", "db/0")
        assert "a" not in bag and bag["b"] == "2"

    def test_the_hooks_relation_is_the_default(self, model: Model):
        hook = Hook("database-relation-changed", 1, "web", "web/0")
        assert Tools(model, "db/0", hook).json("relation-get")["private-address"]
        assert Tools(model, "db/0", hook).json("relation-get", "private-address") == "127.0.0.1"

    def test_the_remote_model_is_this_one(self, model: Model):
        assert Tools(model, "db/0").json("relation-model-get", "-r", "1") == {"uuid": "uuid"}

    def test_network(self, model: Model):
        network = Tools(model, "db/0").json("network-get", "-r", "1", "database")
        (bound,) = network["bind-addresses"]
        assert bound["interface-name"] == "lo"
        assert bound["addresses"] == [
            {"hostname": "", "value": "127.0.0.1", "cidr": "127.0.0.0/8"}
        ]
        assert network["egress-subnets"] == ["127.0.0.1/32"]
        assert network["ingress-addresses"] == ["127.0.0.1"]
        code, text = Tools(model, "db/0").error("network-get", "nothing")
        assert (code, "no network config found for binding" in text) == (1, True)


class TestSecrets:
    def test_the_owners_secret_is_readable_in_the_same_hook_and_by_whom_it_is_granted(
        self, model: Model, tmp_path: Path
    ):
        (tmp_path / "password").write_text("s3cret\n")
        owner = Tools(model, "db/0")
        uri = owner("secret-add", "--label", "l", "--owner", "application",
                    f"password#file={tmp_path}/password").strip()  # fmt: skip
        assert re.fullmatch("secret:[0-9a-v]{20}", uri)
        assert owner.json("secret-get", "--label", "l") == {"password": "s3cret\n"}
        owner("secret-grant", "--relation", "1", uri)
        after = owner.commit(model)
        assert Tools(after, "web/0").json("secret-get", uri) == {"password": "s3cret\n"}

    def secret(self, model: Model, *grant: str) -> tuple[Model, str]:
        owner = Tools(model, "db/0")
        uri = owner("secret-add", "password=one", "--label", "l").strip()
        if grant:
            owner("secret-grant", *grant, uri)
        return owner.commit(model), uri

    def test_without_a_grant_it_is_refused(self, model: Model):
        model, uri = self.secret(model)
        assert Tools(model, "web/0").error("secret-get", uri) == (1, "ERROR permission denied\n")

    def test_a_grant_to_a_unit_is_for_that_unit(self, model: Model):
        model, uri = self.secret(model, "--relation", "1", "--unit", "web/9")
        assert Tools(model, "web/0").error("secret-get", uri)[1] == "ERROR permission denied\n"

    def test_a_revoked_grant_is_gone(self, model: Model):
        model, uri = self.secret(model, "--relation", "1")
        owner = Tools(model, "db/0")
        owner("secret-revoke", "--relation", "1", uri)
        assert Tools(owner.commit(model), "web/0").error("secret-get", uri)[0] == 1

    def test_a_grant_ends_with_its_relation(self, model: Model):
        model, uri = self.secret(model, "--relation", "1")
        model = settled(changes.remove_relation(model, ("db", "web"), 1.0))
        assert Tools(model, "web/0").error("secret-get", uri)[1] == "ERROR permission denied\n"

    def test_unknown_secrets_are_not_found_in_the_words_ops_looks_for(self, model: Model):
        tools = Tools(model, "db/0")
        assert "not found" in tools.error("secret-get", "secret:0123456789abcdefghij")[1]
        assert "not found" in tools.error("secret-get", "--label", "x")[1]
        assert "not found" in tools.error("secret-info-get", "--label", "x")[1]

    def test_followers_neither_make_nor_change_the_applications_secrets(self, model: Model):
        model, uri = self.secret(model)
        follower = Tools(model, "db/1")
        assert follower.json("secret-get", uri) == {"password": "one"}
        assert "not the leader" in follower.error("secret-add", "key=v")[1]
        assert "not found" in follower.error("secret-set", uri, "password=two")[1]
        assert "not found" in follower.error("secret-info-get", uri)[1]

    @pytest.mark.parametrize("key", ["k", "no", "a--b", "tail-", "Key", "1st", "a_b"])
    def test_keys_are_those_that_juju_takes(self, model: Model, key: str):
        said = Tools(model, "db/0").error("secret-add", f"{key}=value")[1]
        assert said == f'ERROR key "{key}" not valid\n'

    def test_units_make_secrets_of_their_own(self, model: Model):
        follower = Tools(model, "db/1")
        uri = follower("secret-add", "--owner", "unit", "key=value").strip()
        model = follower.commit(model)
        assert Tools(model, "db/0").error("secret-get", uri)[1] == "ERROR permission denied\n"

    def test_consumers_track_a_revision_until_they_refresh(self, model: Model):
        model, uri = self.secret(model, "--relation", "1")
        consumer = Tools(model, "web/0")
        assert consumer.json("secret-get", uri, "--label", "mine") == {"password": "one"}
        model = consumer.commit(model)
        owner = Tools(model, "db/0")
        owner("secret-set", uri, "password=two")
        model = owner.commit(model)
        assert resolver.next_hook(model, model.units["web/0"], 1.0) == Hook(
            "secret-changed", secret=uri.removeprefix("secret:")
        )
        consumer = Tools(model, "web/0")
        assert consumer.json("secret-get", "--label", "mine") == {"password": "one"}
        assert consumer.json("secret-get", uri, "--peek") == {"password": "two"}
        assert consumer.json("secret-get", uri) == {"password": "one"}
        assert consumer.json("secret-get", uri, "--refresh") == {"password": "two"}
        model = consumer.commit(model)
        assert Tools(model, "web/0").json("secret-get", uri) == {"password": "two"}
        assert resolver.next_hook(model, model.units["web/0"], 1.0) is None

    def test_the_owner_is_told_of_revisions_that_nobody_tracks(self, model: Model):
        model, uri = self.secret(model)
        owner = Tools(model, "db/0")
        owner("secret-set", uri, "password=two")
        model = owner.commit(model)
        hook = resolver.next_hook(model, model.units["db/0"], 1.0)
        assert hook == Hook("secret-remove", secret=uri.removeprefix("secret:"), revision=1)
        owner = Tools(model, "db/0", hook)
        owner("secret-remove", uri, "--revision", "1")
        model = owner.commit(model)
        assert list(model.secrets[hook.secret].revisions) == [2]

    def test_equal_content_makes_no_revision(self, model: Model):
        model, uri = self.secret(model)
        owner = Tools(model, "db/0")
        owner("secret-set", uri, "password=one")
        assert owner.json("secret-info-get", uri)[uri.removeprefix("secret:")]["revision"] == 1

    def test_info(self, model: Model):
        owner = Tools(model, "db/0")
        uri = owner("secret-add", "key=v", "--label", "l", "--description", "d", "--rotate",
                    "daily", "--expire", "1h").strip()  # fmt: skip
        (info,) = owner.json("secret-info-get", uri).values()
        assert info == {
            "revision": 1,
            "label": "l",
            "owner": "application",
            "description": "d",
            "rotation": "daily",
            "rotates": "1970-01-02T00:01:40Z",
            "expiry": "1970-01-01T01:01:40Z",
        }
        model = owner.commit(model)
        assert resolver.wake_at(model, model.units["db/0"], 1000.0) == 3700.0
        due = resolver.next_hook(model, model.units["db/0"], 90000.0)
        assert due and due.name == "secret-expired"

    def test_its_owner_is_asked_to_rotate_it_again_and_again(self, model: Model):
        owner = Tools(model, "db/0")
        uri = owner("secret-add", "key=v", "--rotate", "daily").strip()
        model = owner.commit(model)
        day, secret_id = 86400.0, uri.removeprefix("secret:")
        rotate = Hook("secret-rotate", secret=secret_id)

        def due(unit: str, now: float) -> Hook | None:
            # Shortly before update-status would be due.
            units = {n: replace(u, last_hook=now - 1) for n, u in model.units.items()}
            return resolver.next_hook(replace(model, units=units), units[unit], now)

        assert due("db/0", day) is None
        assert due("db/0", 100.0 + day) == rotate
        assert due("db/1", 100.0 + day) is None
        later = 200.0 + day
        model = progress.delivered(model, model, "db/0", rotate, later)
        assert due("db/0", later + 1) is None
        assert due("db/0", later + day) == rotate
        owner = Tools(model, "db/0")
        owner("secret-set", uri, "--rotate", "never")
        model = owner.commit(model)
        assert due("db/0", later + 9 * day) is None

    def test_a_removed_secret_is_gone(self, model: Model):
        model, uri = self.secret(model)
        owner = Tools(model, "db/0")
        assert owner.json("secret-ids") == [uri.removeprefix("secret:")]
        owner("secret-remove", uri)
        assert owner.json("secret-ids") == []
        assert not owner.commit(model).secrets

    def test_content_is_in_no_error_and_no_representation(self, model: Model):
        model, uri = self.secret(model)
        assert "'one'" not in repr(model.secrets)
        error = Tools(model, "db/0").error("secret-set", uri, "--file", "-", stdin="a: [hidden")
        assert "hidden" not in error[1]


class TestUnit:
    def test_config_has_types_and_no_keys_without_a_value(self, model: Model):
        tools = Tools(model, "db/0")
        assert tools.json("config-get") == {"size": 1, "ratio": 0.5, "on": False}
        assert tools.json("config-get", "name") is None
        assert tools.json("config-get", "size") == 1

    def test_leadership(self, model: Model):
        assert Tools(model, "db/0").json("is-leader") is True
        assert Tools(model, "db/1").json("is-leader") is False

    def test_status_acts_at_once_and_flags_take_values_as_ops_writes_them(self, model: Model):
        tools = Tools(model, "db/0")
        tools("status-set", "--application=False", "waiting", "--", "-for it")
        tools("status-set", "--application=True", "active")
        assert tools.host.calls == [
            ("status", "waiting", "-for it", False),
            ("status", "active", "", True),
        ]
        assert tools.error("status-set", "perfect")[0] == 2

    def test_followers_set_and_read_no_application_status(self, model: Model):
        tools = Tools(model, "db/1")
        assert "not the leader" in tools.error("status-set", "--application=True", "active")[1]
        assert "not the leader" in tools.error("status-get", "--application=true")[1]

    def test_status_get(self, model: Model):
        tools = Tools(model, "db/0")
        unit = tools.json("status-get", "--include-data", "--application=false")
        assert unit == {"status": "unknown", "message": "", "status-data": {}}
        app = tools.json("status-get", "--include-data", "--application=true")
        assert set(app["application-status"]["units"]) == {"db/0", "db/1"}

    def test_ports(self, model: Model):
        tools = Tools(model, "db/0")
        for port in ("8774/tcp", "icmp", "53/udp", "8000-8010/tcp", "8774/tcp"):
            tools("open-port", port)
        tools("close-port", "53/udp")
        assert tools.json("opened-ports") == ["icmp", "8000-8010/tcp", "8774/tcp"]
        assert [str(p) for p in tools.commit(model).units["db/0"].ports] == [
            "icmp", "8000-8010/tcp", "8774/tcp"]  # fmt: skip
        assert tools.error("open-port", "99999/tcp")[0] == 2

    def test_log(self, model: Model):
        tools = Tools(model, "db/0")
        tools("juju-log", "--log-level", "WARNING", "--", "--it is")
        assert tools.host.calls == [("log", "WARNING", "--it is")]

    def test_state(self, model: Model):
        tools = Tools(model, "db/0")
        tools("state-set", "--file", "-", stdin='{"a": "1", "b": "2"}')
        tools("state-delete", "a")
        assert tools("state-get", "b") == "2\n"
        assert tools("state-get", "a") == ""
        assert tools.commit(model).units["db/0"].state == {"b": "2"}

    def test_goal_state(self, model: Model):
        goal = Tools(model, "db/0").json("goal-state")
        assert set(goal["units"]) == {"db/0", "db/1"}
        assert set(goal["relations"]["database"]) == {"web", "web/0"}
        assert goal["units"]["db/0"]["since"] == "1970-01-01T00:00:01Z"

    def test_storage(self, model: Model):
        tools = Tools(model, "db/0")
        tools("storage-add", "data=2")
        assert tools.json("storage-list", "data") == ["data/0", "data/1"]
        assert tools.json("storage-get", "-s", "data/0")["kind"] == "filesystem"
        assert "at most 2" in tools.error("storage-add", "data")[1]
        after = tools.commit(model)
        due = resolver.next_hook(after, after.units["db/0"], 1.0)
        assert due == Hook("data-storage-attached", storage="data/0")

    def test_resources(self, model: Model):
        assert "not found" in Tools(model, "db/0").error("resource-get", "image")[1]

    def test_actions(self, model: Model):
        model, queued = action_changes.enqueue(model, ["db/leader"], "backup", {}, 1.0)
        tools = Tools(model, "db/0", Hook("backup", action=queued.tasks["db/0"]))
        assert tools.json("action-get") == {"where": "/tmp"}
        assert tools.json("action-get", "where") == "/tmp"
        tools("action-set", "out.size=3", "out.name=x=y")
        tools("action-log", "--", "half way")
        tools("action-fail", "--", "no room")
        assert tools.context.results == {"out": {"size": "3", "name": "x=y"}}
        assert tools.context.failure == "no room"
        assert tools.host.calls == [("action-log", "half way")]
        assert tools.error("action-set", "Bad=1")[0] == 2
        assert tools.error("action-set", "stdout=1")[0] == 2
        assert Tools(model, "db/0").error("action-get") == (1, "ERROR not running an action\n")

    def test_unknown_flags_and_tools_are_usage_errors(self, model: Model):
        tools = Tools(model, "db/0")
        assert tools.error("is-leader", "--what") == (
            2, "ERROR option provided but not defined: --what\n")  # fmt: skip
        assert tools.error("relation-list", "-r")[0] == 2
        assert tools.error("pod-spec-set")[0] == 127

    def test_a_message_is_one_argument(self, model: Model):
        tools = Tools(model, "db/0")
        assert tools.error("status-set", "active", "all", "is", "well") == (
            2, 'ERROR unrecognized args: ["is" "well"]\n')  # fmt: skip
        tools("status-set", "active", "all is well")

    def test_a_letter_may_have_its_value_or_the_next_letter_beside_it(self, model: Model):
        tools = Tools(model, "web/0")
        assert tools("relation-list", "-r1") == tools("relation-list", "-r", "1") != ""
        tools("juju-log", "-lDEBUG", "told")
        assert tools.host.calls[-1] == ("log", "DEBUG", "told")
        assert tools.error("config-get", "-ax") == (
            2, "ERROR option provided but not defined: -x\n")  # fmt: skip


@pytest.mark.parametrize(
    ("params", "problem"),
    [({"where": 1}, 'parameter "where" must be string'), ({}, None)],
)
def test_parameters_of_actions_are_checked_before_they_run(
    model: Model, params: dict[str, object], problem: str | None
):
    _, queued = action_changes.enqueue(model, ["db/0"], "backup", params, 1.0)
    assert problem is None or problem in queued.errors["db/0"]
    assert bool(queued.tasks) == (problem is None)
