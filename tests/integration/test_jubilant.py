"""What jubilant can ask of a `juju`, on whichever one it is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jubilant
import pytest

Charm = Callable[[str], Path]


@pytest.fixture(scope="module")
def pair(juju: jubilant.Juju, charm: Charm) -> jubilant.Juju:
    """The client of a model with a provider and a requirer, related and settled."""
    juju.deploy(charm("db"), "db")
    juju.deploy(charm("web"), "web")
    juju.integrate("db", "web")
    settled(juju, "db", "web")
    return juju


def settled(juju: jubilant.Juju, *apps: str) -> jubilant.Status:
    def ready(status: jubilant.Status) -> bool:
        return jubilant.all_active(status, *apps) and jubilant.all_agents_idle(status, *apps)

    return juju.wait(ready, delay=0.1, successes=2)


def message(status: jubilant.Status, unit: str) -> str:
    return status.get_units(unit.partition("/")[0])[unit].workload_status.message


def refusal(juju: jubilant.Juju, *arguments: str) -> str:
    with pytest.raises(jubilant.CLIError) as refused:
        juju.cli(*arguments)
    assert refused.value.returncode in (1, 2)  # 2: it makes no sense, whatever there is
    return refused.value.stderr


def test_units_come_and_go(pair: jubilant.Juju):
    pair.add_unit("web", num_units=2)
    status = pair.wait(lambda s: len(s.apps["web"].units) == 3, delay=0.1)
    status = settled(pair, "web")
    assert {message(status, unit) for unit in status.apps["web"].units} == {
        message(status, "web/0")
    }
    pair.remove_unit("web/0", "web/2")
    pair.wait(lambda s: set(s.apps["web"].units) == {"web/1"}, delay=0.1)
    status = pair.wait(lambda s: s.apps["web"].units["web/1"].leader, delay=0.1)
    seen_by_db = pair.show_unit("db/0").relation_info
    (relation,) = (r for r in seen_by_db if r.endpoint == "database")
    assert set(relation.related_units) == {"web/1"}


def test_a_relation_ends_and_comes_back(pair: jubilant.Juju):
    unit = next(iter(pair.status().apps["web"].units))
    pair.remove_relation("db", "web")
    pair.wait(lambda s: message(s, unit) == "relation database missing", delay=0.1)
    pair.integrate("web:database", "db:database")
    settled(pair, "web")


def test_a_relation_is_removed_by_its_id(pair: jubilant.Juju):
    unit = next(iter(pair.status().apps["web"].units))
    (relation,) = pair.show_unit(unit).relation_info
    pair.cli("remove-relation", str(relation.relation_id))
    pair.wait(lambda s: message(s, unit) == "relation database missing", delay=0.1)
    pair.cli("relate", "db", "web")
    settled(pair, "web")


class TestConfig:
    def test_it_is_set_and_reset(self, pair: jubilant.Juju):
        pair.config("web", {"greeting": "salut"})
        assert pair.config("web")["greeting"] == "salut"
        pair.config("web", reset="greeting")
        assert pair.config("web")["greeting"] == "hello"

    def test_an_application_is_trusted(self, pair: jubilant.Juju):
        pair.trust("web", scope="cluster")
        assert pair.config("web", app_config=True)["trust"] is True
        pair.trust("web", remove=True)
        assert pair.config("web", app_config=True)["trust"] is False


class TestExpose:
    def exposed(self, pair: jubilant.Juju) -> Any:
        shown = json.loads(pair.cli("show-application", "web", "--format=json"))["web"]
        assert (
            pair.status().apps["web"].exposed == shown["exposed"] == ("exposed-endpoints" in shown)
        )
        return shown.get("exposed-endpoints")

    def test_to_everyone(self, pair: jubilant.Juju):
        pair.cli("expose", "web")
        assert self.exposed(pair) == {"": {"expose-to-cidrs": ["0.0.0.0/0", "::/0"]}}
        pair.cli("unexpose", "web")
        assert self.exposed(pair) is None

    def test_endpoints_each_to_its_own(self, pair: jubilant.Juju):
        everyone = {"expose-to-cidrs": ["0.0.0.0/0", "::/0"]}
        pair.cli("expose", "web")
        pair.cli("expose", "web", "--endpoints", "database", "--to-spaces", "alpha")
        assert self.exposed(pair) == {"": everyone, "database": {"expose-to-spaces": ["alpha"]}}
        pair.cli(
            "expose", "web", "--endpoints", "database", "--to-cidrs", "10.1.0.0/16,10.0.0.0/24"
        )
        some = {"expose-to-cidrs": ["10.0.0.0/24", "10.1.0.0/16"]}
        assert self.exposed(pair) == {"": everyone, "database": some}
        pair.cli("unexpose", "web", "--endpoints", "database")
        assert self.exposed(pair) == {"": everyone}
        with pytest.raises(jubilant.CLIError, match='endpoint "database" is not exposed'):
            pair.cli("unexpose", "web", "--endpoints", "database")
        pair.cli("unexpose", "web")
        assert self.exposed(pair) is None

    @pytest.mark.parametrize(
        ("option", "value", "complaint"),
        [
            ("--endpoints", "nothing", 'endpoint "nothing" not found'),
            ("--to-cidrs", "10.0.0.1", 'unable to parse "10.0.0.1" as a CIDR'),
            ("--to-spaces", "dmz", 'space "dmz" not found'),
        ],
    )
    def test_to_what_is_not_there_is_refused(
        self, pair: jubilant.Juju, option: str, value: str, complaint: str
    ):
        with pytest.raises(jubilant.CLIError, match=complaint):
            pair.cli("expose", "web", option, value)
        assert self.exposed(pair) is None


def test_what_is_printed_can_be_written_to_a_file(pair: jubilant.Juju, tmp_path: Path):
    file = tmp_path / "status"
    assert pair.cli("status", "--format=oneline", "-o", str(file)) == ""
    assert "- db/0: " in file.read_text()
    with pytest.raises(jubilant.CLIError):
        pair.cli("show-unit", "nobody/0", "--output", str(file))
    assert "- db/0: " in file.read_text()


class TestRun:
    def test_an_action_has_results(self, pair: jubilant.Juju):
        task = pair.run("db/leader", "rotate", {"suffix": "z"})
        assert (task.status, task.results["count"]) == ("completed", "1")

    def test_an_action_may_fail(self, juju: jubilant.Juju, charm: Charm):
        juju.deploy(charm("recorder"), "recorder")
        juju.wait(lambda s: jubilant.all_agents_idle(s, "recorder"), delay=0.1)
        with pytest.raises(jubilant.TaskError) as failure:
            juju.run("recorder/0", "show", {"outcome": "fail"})
        assert (failure.value.task.status, failure.value.task.message) == ("failed", "as asked")
        juju.remove_application("recorder")
        juju.wait(lambda s: "recorder" not in s.apps, delay=0.1)


class TestExec:
    def test_a_command_runs_in_the_units_hook_context(self, pair: jubilant.Juju):
        assert pair.exec("config-get prefix", unit="db/0").stdout.strip() == "user"
        assert pair.exec("echo", "two words", "$HOME", unit="db/leader").stdout == (
            "two words $HOME\n"
        )

    def test_what_it_writes_and_returns_is_told(self, pair: jubilant.Juju):
        with pytest.raises(jubilant.TaskError) as failure:
            pair.exec("echo out; echo err >&2; exit 3", unit="db/0")
        task = failure.value.task
        assert (task.status, task.return_code) == ("completed", 3)
        assert (task.stdout, task.stderr) == ("out\n", "err\n")

    def test_what_it_writes_to_a_relation_is_kept(self, pair: jubilant.Juju):
        (relation,) = (r for r in pair.show_unit("db/0").relation_info if r.endpoint == "database")
        pair.exec(f"relation-set -r {relation.relation_id} seen=yes", unit="db/0")
        unit = next(iter(pair.status().apps["web"].units))
        (relation,) = pair.show_unit(unit).relation_info
        assert relation.related_units["db/0"].data["seen"] == "yes"

    def test_it_may_take_too_long(self, pair: jubilant.Juju):
        with pytest.raises(TimeoutError):
            pair.exec("sleep 2", unit="db/0", wait=0.2)

    def test_there_is_no_such_unit(self, pair: jubilant.Juju):
        with pytest.raises(ValueError, match='unit "db/7" not found'):
            pair.exec("true", unit="db/7")


def test_what_ran_is_told_again(pair: jubilant.Juju):
    task = pair.run("db/leader", "rotate", {"suffix": "y"})
    shown = json.loads(pair.cli("show-task", "--format=json", task.id))
    assert (shown["status"], shown["results"]["count"]) == ("completed", "1")
    assert set(shown["timing"]) == {"enqueued", "started", "completed"}
    listed = json.loads(pair.cli("operations", "--format=json"))
    assert any(task.id in operation["tasks"] for operation in listed.values())
    assert "rotate" in pair.cli("operations")


def test_parts_of_the_model_are_shown(pair: jubilant.Juju):
    assert "0" in json.loads(pair.cli("machines", "--format=json"))["machines"]
    assert "started" in pair.cli("machines")
    shown = json.loads(pair.cli("show-application", "db", "--format=json"))
    assert "db/0" in shown["db"]["units"]
    assert json.loads(pair.cli("storage", "--format=json")) == {}


def test_the_models_settings_are_shown(juju: jubilant.Juju):
    assert juju.model_config()["update-status-hook-interval"] == "5m"
    assert juju.cli("model-config", "update-status-hook-interval") == "5m\n"
    assert "Attribute" in juju.cli("model-config")


class TestSecrets:
    def test_a_secret_has_revisions(self, juju: jubilant.Juju):
        uri = juju.add_secret("token", {"key": "first"}, info="for tests")
        juju.update_secret(uri, {"key": "second"})
        latest = juju.show_secret("token", reveal=True)
        assert (latest.uri, latest.revision, latest.content) == (uri, 2, {"key": "second"})
        assert (latest.owner, latest.name, latest.description) == ("<model>", "token", "for tests")
        assert juju.show_secret(uri, reveal=True, revision=1).content == {"key": "first"}
        listed = juju.show_secret(uri, revisions=True).revisions
        assert [r.revision for r in listed or ()] == [1, 2]
        juju.remove_secret(uri)
        assert f'secret "{uri.unique_identifier}" not found' in refusal(
            juju, "show-secret", uri.unique_identifier
        )

    def test_content_is_shown_only_when_asked_for(self, juju: jubilant.Juju):
        uri = juju.add_secret("quiet", {"key": "hush-hush"})
        for arguments in (("secrets",), ("show-secret", "quiet"), ("secrets", "--format=json")):
            assert "hush-hush" not in juju.cli(*arguments)
        assert "hush-hush" in juju.cli("show-secret", "quiet", "--reveal")
        juju.remove_secret(uri)

    def test_only_who_was_granted_a_secret_reads_it(self, pair: jubilant.Juju):
        uri = pair.add_secret("shared", {"key": "value"})
        unit = next(iter(pair.status().apps["web"].units))
        with pytest.raises(jubilant.TaskError):
            pair.exec(f"secret-get {uri}", unit=unit)
        pair.grant_secret("shared", "web")
        (access,) = pair.show_secret(uri).access or ()
        assert (access.target, access.role) == ("application-web", "view")
        assert "value" in pair.exec(f"secret-get {uri}", unit=unit).stdout
        with pytest.raises(jubilant.TaskError):
            pair.exec(f"secret-get {uri}", unit="db/0")
        pair.cli("revoke-secret", "shared", "web")
        with pytest.raises(jubilant.TaskError):
            pair.exec(f"secret-get {uri}", unit=unit)
        pair.remove_secret(uri)

    def test_charms_secrets_are_listed_with_their_owner(self, pair: jubilant.Juju):
        assert {secret.owner for secret in pair.secrets(owner="application-db")} == {"db"}

    def test_a_name_is_given_once(self, juju: jubilant.Juju):
        uri = juju.add_secret("twice", {"key": "value"})
        assert 'secret with name "twice" already exists' in refusal(
            juju, "add-secret", "twice", "key=value"
        )
        juju.remove_secret(uri)

    def test_old_revisions_are_pruned_when_asked(self, juju: jubilant.Juju):
        uri = juju.add_secret("pruned", {"key": "1"})
        juju.update_secret(uri, {"key": "2"}, auto_prune=True)
        listed = juju.show_secret(uri, revisions=True).revisions
        assert [r.revision for r in listed or ()] == [2]
        juju.remove_secret(uri)


def test_a_charm_is_refreshed_from_a_path(pair: jubilant.Juju, charm: Charm):
    before = pair.status().apps["web"].charm_rev
    pair.refresh("web", path=charm("web"))
    settled(pair, "web")
    assert pair.status().apps["web"].charm_rev == before + 1


def test_the_log_is_shown(pair: jubilant.Juju):
    assert "unit-db-0" in pair.debug_log()


def test_version(juju: jubilant.Juju):
    assert juju.version().tuple >= (3, 6)
    assert json.loads(juju.cli("version", "--format=json", include_model=False))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("add-unit", "nobody"), 'application "nobody" not found'),
        (("remove-unit", "--no-prompt", "db/9"), 'unit "db/9" not found'),
        (("remove-relation", "db", "nobody"), "not found"),
        (("show-task", "4711"), 'task "4711" not found'),
        (("show-application", "nobody"), 'application "nobody" not found'),
        (("expose", "nobody"), 'application "nobody" not found'),
        (("grant-secret", "nothing", "db"), 'secret "nothing" not found'),
        (("add-secret", "empty"), "missing secret value or filename"),
    ],
)
def test_what_is_not_there_is_refused(
    pair: jubilant.Juju, arguments: tuple[str, ...], complaint: str
):
    assert complaint in refusal(pair, *arguments)


def test_an_application_goes(pair: jubilant.Juju):
    pair.remove_application("web", "db")
    pair.wait(lambda s: not s.apps, delay=0.1)
    assert pair.secrets() == []
