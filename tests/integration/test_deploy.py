"""What is deployed, shown, taken away or refused: on whichever `juju` is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jubilant
import pytest
import yaml

Charm = Callable[[str], Path]


@pytest.fixture(scope="module")
def apps(juju: jubilant.Juju, charm: Charm) -> jubilant.Juju:
    """The client of a model with two units of `db` and one of `web`."""
    juju.deploy(charm("db"), "db", num_units=2, config={"prefix": "u"}, to=["0", "0"])
    juju.deploy(charm("web"), "web", constraints={"mem": "1G"}, bind="alpha", trust=True)
    juju.integrate("db:database", "web:database")
    juju.wait(lambda s: jubilant.all_active(s) and jubilant.all_agents_idle(s), delay=0.2)
    return juju


def refusal(juju: jubilant.Juju, *arguments: str, code: int = 1) -> str:
    before = juju.status()
    with pytest.raises(jubilant.CLIError) as refused:
        juju.cli(*arguments)
    assert refused.value.returncode == code
    assert set(juju.status().apps) == set(before.apps)
    return refused.value.stderr


def test_what_was_asked_for_is_there(apps: jubilant.Juju):
    status = apps.status()
    assert len(status.apps["db"].units) == 2
    assert apps.config("db")["prefix"] == "u"
    assert apps.config("web", app_config=True)["trust"] is True


class TestStatus:
    @pytest.mark.parametrize(
        ("patterns", "units"),
        [
            (("db",), {"db/0", "db/1"}),
            (("db/1",), {"db/1"}),
            (("d*",), {"db/0", "db/1"}),
            (("web", "db/0"), {"web/0", "db/0"}),
            (("active",), {"db/0", "db/1", "web/0"}),
            (("blocked",), set()),
        ],
    )
    def test_patterns_choose(
        self, apps: jubilant.Juju, patterns: tuple[str, ...], units: set[str]
    ):
        found = json.loads(apps.cli("status", "--format=json", *patterns))["applications"]
        assert {unit for app in found.values() for unit in app["units"]} == units

    def test_relations_are_shown_when_asked_for(self, apps: jubilant.Juju):
        assert "web:database" in apps.cli("status", "--relations")
        assert "web:database" not in apps.cli("status")

    def test_yaml_says_the_same_as_json(self, apps: jubilant.Juju):
        shown = yaml.safe_load(apps.cli("status", "--format=yaml"))
        assert set(shown["applications"]["db"]["units"]) == {"db/0", "db/1"}

    def test_nothing_matches(self, apps: jubilant.Juju):
        _, told = apps._cli("status", "nothing")
        assert "Nothing matched specified filter" in told


class TestDebugLog:
    def test_lines_are_chosen(self, apps: jubilant.Juju):
        def entities(*arguments: str) -> set[str]:
            lines = apps.cli("debug-log", "--replay", "--no-tail", *arguments).splitlines()
            return {line.partition(":")[0] for line in lines}

        apps.exec("juju-log --log-level WARNING told", unit="db/0")
        apps.exec("juju-log --log-level WARNING told", unit="web/0")
        assert entities("--include=unit-db-0", "--level=WARNING") == {"unit-db-0"}
        assert "unit-db-0" not in entities("--exclude=unit-db-0")
        assert "unit-web-0" in entities("--include-module=unit")
        assert not entities("--include=unit-db-0", "--exclude-module=unit")

    def test_only_the_last_ones_are_shown(self, apps: jubilant.Juju):
        lines = apps.cli("debug-log", "--limit=2", "--include=unit-db-0").splitlines()
        assert len(lines) == 2


class TestErrors:
    def test_all_units_in_error_go_on(self, juju: jubilant.Juju, charm: Charm):
        for name in ("stuck", "jammed"):
            juju.deploy(charm("recorder"), name, config={"fail": "start"})
        juju.wait(lambda s: jubilant.any_error(s, "stuck"), delay=0.2, successes=1)
        juju.wait(lambda s: jubilant.any_error(s, "jammed"), delay=0.2, successes=1)
        for name in ("stuck", "jammed"):
            juju.config(name, {"fail": ""})
        juju.cli("resolved", "--all")
        juju.wait(lambda s: jubilant.all_agents_idle(s, "stuck", "jammed"), delay=0.2)
        juju.remove_application("stuck", "jammed")
        juju.wait(lambda s: not {"stuck", "jammed"} & set(s.apps), delay=0.2, successes=1)

    def test_a_unit_in_error_goes_by_force_alone(self, juju: jubilant.Juju, charm: Charm):
        juju.deploy(charm("recorder"), "bad", config={"fail": "stop"})
        juju.wait(lambda s: jubilant.all_agents_idle(s, "bad"), delay=0.2)
        juju.remove_unit("bad/0")
        juju.wait(lambda s: jubilant.any_error(s, "bad"), delay=0.2, successes=1)
        juju.remove_unit("bad/0", force=True)
        juju.wait(lambda s: not s.apps["bad"].units, delay=0.2, successes=1)
        juju.remove_application("bad", force=True, destroy_storage=True)
        juju.wait(lambda s: "bad" not in s.apps, delay=0.2, successes=1)


def test_what_would_go_is_only_told(apps: jubilant.Juju):
    assert apps.cli("remove-application", "--dry-run", "db").splitlines() == [
        "will remove application db",
        "- will remove unit db/0",
        "- will remove unit db/1",
    ]
    assert apps.cli("remove-unit", "--dry-run", "db/0") == "will remove unit db/0\n"
    assert apps.status().apps["db"].life == ""


def test_a_charm_is_refreshed_with_options(apps: jubilant.Juju, charm: Charm):
    apps.refresh("web", path=charm("web"), config={"greeting": "anew"}, trust=True)
    assert apps.config("web")["greeting"] == "anew"


def test_options_are_set_from_a_file(apps: jubilant.Juju, tmp_path: Path):
    (tmp_path / "options.yaml").write_text("db: {prefix: filed}\n")
    apps.cli("config", "db", "--file", str(tmp_path / "options.yaml"))
    assert apps.config("db")["prefix"] == "filed"
    apps.cli("config", "db", "--file=-", stdin="db: {prefix: piped}\n")
    assert apps.config("db")["prefix"] == "piped"
    apps.config("db", reset="prefix")
    assert apps.config("db")["prefix"] == "user"


def test_the_model_is_exported_as_a_bundle(apps: jubilant.Juju, tmp_path: Path):
    bundle = yaml.safe_load(apps.cli("export-bundle"))
    assert set(bundle["applications"]) == {"db", "web"}
    assert bundle["applications"]["db"]["num_units"] == 2
    assert bundle["applications"]["web"]["trust"] is True
    assert [sorted(ends) for ends in bundle["relations"]] == [["db:database", "web:database"]]
    file = tmp_path / "exported.yaml"
    apps.cli("export-bundle", "--filename", str(file))
    assert yaml.safe_load(file.read_text()) == bundle


BAD_CHARMS = {
    "no name": "summary: x\n",
    "no YAML": "name: [x\n",
    "a bad option": "name: x\nconfig: {options: {a: {type: int, default: many}}}\n",
    "an endpoint twice": "name: x\nprovides: {a: {interface: b}}\nrequires: {a: {interface: b}}\n",
}


@pytest.mark.parametrize("declared", BAD_CHARMS.values(), ids=BAD_CHARMS)
def test_a_malformed_charm_is_refused(juju: jubilant.Juju, tmp_path: Path, declared: str):
    (tmp_path / "charmcraft.yaml").write_text(declared)
    (tmp_path / "src").mkdir()
    (tmp_path / "src/charm.py").write_text("")
    assert refusal(juju, "deploy", str(tmp_path), "malformed")


BAD_BUNDLES = {
    "no YAML": "applications: [",
    "no application": "applications: {}",
    "no charm there": "applications: {x: {charm: ./nowhere, num_units: 1}}",
    "an unknown option": "applications: {x: {charm: DB, options: {colour: red}}}",
    "an option of another type": "applications: {x: {charm: DB, options: {prefix: 3}}}",
    "an unknown endpoint": "applications: {x: {charm: DB}, y: {charm: DB}}\n"
    "relations: [['x:nothing', y]]",
    "a relation to itself": "applications: {x: {charm: DB}}\nrelations: [[x, x]]",
    "a machine that nobody uses": "applications: {x: {charm: DB, num_units: 1}}\nmachines: {0: }",
}


@pytest.mark.parametrize("text", BAD_BUNDLES.values(), ids=BAD_BUNDLES)
def test_a_malformed_bundle_is_refused(
    juju: jubilant.Juju, charm: Charm, tmp_path: Path, text: str
):
    bundle = tmp_path / "bundle.yaml"
    bundle.write_text(text.replace("DB", str(charm("db"))))
    assert refusal(juju, "deploy", str(bundle))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("config", "db", "prefix=x", "--reset=prefix"), "prefix"),
        (("resolved", "--all", "db/0"), "--all"),
        (("resolved",), "no unit specified"),
        (("debug-log", "--tail", "--no-tail"), "--no-tail"),
        (("debug-log", "--level=LOUD"), "LOUD"),
        (("deploy", "DB", "x", "--fast"), "option provided but not defined: --fast"),
    ],
)
def test_what_makes_no_sense_is_refused_with_another_code(
    apps: jubilant.Juju, charm: Charm, arguments: tuple[str, ...], complaint: str
):
    given = [str(charm("db")) if word == "DB" else word for word in arguments]
    assert complaint in refusal(apps, *given, code=2)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("deploy", "DB", "x", "--config", "colour=red"), "colour"),
        (("deploy", "DB", "x", "--resource", "nothing=/etc/hostname"), "nothing"),
        (("deploy", "DB", "x", "--storage", "nothing=1"), "nothing"),
        (("deploy", "DB", "x", "--constraints", "colour=red"), "colour"),
        (("deploy", "DB", "x", "--constraints", "mem=lots"), "mem"),
        (("deploy", "DB", "x", "--bind", "nowhere"), "nowhere"),
        (("deploy", "DB", "x", "--overlay", "o.yaml"), "--overlay"),
        (("deploy", "DB", "Name"), "Name"),
        (("deploy", "DB", "db"), "already exists"),
        (("config", "db", "--file=/nonexistent"), "/nonexistent"),
        (("config", "db", "--reset=colour"), "colour"),
        (("remove-unit", "--no-prompt", "nobody/0"), "nobody/0"),
        (("remove-application", "--no-prompt", "nobody"), "nobody"),
        (("integrate", "db", "nobody"), "nobody"),
        (("trust", "nobody"), "nobody"),
        (("resolved", "nobody/0"), "nobody/0"),
        (("refresh", "db", "--path", "/nonexistent"), "/nonexistent"),
        (("show-unit", "nobody/0"), "nobody/0"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(
    apps: jubilant.Juju, charm: Charm, arguments: tuple[str, ...], complaint: str
):
    given = [str(charm("db")) if word == "DB" else word for word in arguments]
    assert complaint in refusal(apps, *given)
