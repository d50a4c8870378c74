"""Several models beside each other, through jubilant, on whichever `juju` is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jubilant
import pytest

Charm = Callable[[str], Path]


def message(juju: jubilant.Juju, unit: str) -> str:
    return juju.status().get_units(unit.partition("/")[0])[unit].workload_status.message


def settled(juju: jubilant.Juju) -> jubilant.Status:
    def ready(status: jubilant.Status) -> bool:
        return jubilant.all_active(status) and jubilant.all_agents_idle(status)

    return juju.wait(ready, delay=0.1, successes=2)


def refusal(juju: jubilant.Juju, *arguments: str) -> str:
    with pytest.raises(jubilant.CLIError) as refused:
        juju.cli(*arguments, include_model=False)
    assert refused.value.returncode in (1, 2)  # 2: it makes no sense, whatever there is
    return refused.value.stderr


def names(juju: jubilant.Juju) -> set[str]:
    listed = json.loads(juju.cli("models", "--format=json", include_model=False))
    return {model["short-name"] for model in listed["models"]}


def test_two_models_have_the_same_names_in_them_and_do_not_meet(juju: jubilant.Juju, charm: Charm):
    with jubilant.temp_model() as other:
        for model, greeting in ((juju, "here"), (other, "there")):
            model.deploy(charm("db"), "db")
            model.deploy(charm("web"), "web", config={"greeting": greeting})
            model.integrate("db", "web")
        settled(juju)
        settled(other)
        assert message(juju, "web/0").startswith("here")
        assert message(other, "web/0").startswith("there")
        assert juju.show_model().model_uuid != other.show_model().model_uuid
        other.remove_application("web")
        other.wait(lambda s: "web" not in s.apps, delay=0.1)
        assert "web" in juju.status().apps
        assert other.exec("echo $JUJU_MODEL_NAME", unit="db/0").stdout.strip() == other.model
    assert juju.exec("echo $JUJU_MODEL_NAME", unit="db/0").stdout.strip() == juju.model
    settled(juju)


def test_a_destroyed_model_is_gone_and_its_name_is_free(juju: jubilant.Juju, charm: Charm):
    other = jubilant.Juju()
    other.add_model("short-lived")
    other.deploy(charm("db"), "db")
    assert "short-lived" in names(juju)
    other.destroy_model("short-lived", destroy_storage=True)
    assert "short-lived" not in names(juju)
    other.model = "short-lived"
    with pytest.raises(jubilant.CLIError, match="returned non-zero exit status 1") as refused:
        other.status()
    assert "/short-lived not found" in refused.value.stderr
    other.add_model("short-lived")
    assert other.status().apps == {}
    other.destroy_model("short-lived")


def test_a_model_in_error_goes_by_force(juju: jubilant.Juju, charm: Charm):
    with jubilant.temp_model() as other:
        other.deploy(charm("recorder"), "recorder", config={"fail": "stop"})
        other.deploy(charm("recorder"), "broken", config={"fail": "install"})
        other.wait(lambda s: jubilant.any_error(s, "broken"), delay=0.1)
    assert other.model is None


def test_a_model_goes_at_once_when_no_hook_is_waited_for(juju: jubilant.Juju, charm: Charm):
    other = jubilant.Juju()
    other.add_model("hanging")
    other.deploy(charm("recorder"), "recorder", config={"wait-for": "/nonexistent"})
    other.wait(
        lambda s: "config-changed" in s.apps["recorder"].units["recorder/0"].juju_status.message,
        delay=0.1,
    )
    other.destroy_model("hanging", force=True, no_wait=True, destroy_storage=True)
    assert "hanging" not in names(juju)


def test_the_current_model_is_the_one_commands_mean(juju: jubilant.Juju):
    nameless = jubilant.Juju()
    before = nameless.cli("switch").strip()
    nameless.cli("add-model", "in-focus")
    try:
        assert nameless.cli("switch").strip().endswith("/in-focus")
        assert nameless.status().model.name == "in-focus"
        listed = json.loads(nameless.cli("models", "--format=json"))
        assert listed["current-model"] == "in-focus"
        assert "in-focus*" in nameless.cli("models")
    finally:
        nameless.destroy_model("in-focus")
    assert "No model in focus." in refusal(nameless, "status")
    nameless.cli("switch", before)
    assert nameless.cli("switch").strip() == before


def test_the_environment_names_a_model_too(juju: jubilant.Juju, monkeypatch: pytest.MonkeyPatch):
    assert juju.model
    monkeypatch.setenv("JUJU_MODEL", juju.model)
    assert jubilant.Juju().status().model.name == juju.model


class TestModelConfig:
    def test_it_is_set_and_reset(self, juju: jubilant.Juju):
        juju.model_config({"update-status-hook-interval": "10m", "test-mode": True})
        assert juju.model_config()["update-status-hook-interval"] == "10m"
        assert juju.model_config()["test-mode"] is True
        juju.model_config(reset=["update-status-hook-interval", "test-mode"])
        assert juju.model_config()["update-status-hook-interval"] == "5m"
        assert juju.cli("model-config", "update-status-hook-interval") == "5m\n"

    def test_it_comes_with_a_new_model(self, juju: jubilant.Juju):
        with jubilant.temp_model(config={"logging-config": "<root>=DEBUG"}) as other:
            assert other.model_config()["logging-config"] == "<root>=DEBUG"

    def test_hooks_run_again_only_if_it_says_so(self, juju: jubilant.Juju, charm: Charm):
        with jubilant.temp_model(config={"automatically-retry-hooks": False}) as other:
            other.deploy(charm("recorder"), "recorder", config={"fail": "start"})
            other.wait(lambda s: jubilant.any_error(s, "recorder"), delay=0.1)
            other.config("recorder", {"fail": ""})
            assert jubilant.any_error(other.status(), "recorder")
            other.cli("resolved", "recorder/0")
            other.wait(
                lambda s: (
                    jubilant.all_agents_idle(s, "recorder")
                    and not jubilant.any_error(s, "recorder")
                ),
                delay=0.1,
            )

    def test_update_status_comes_as_often_as_it_says(self, juju: jubilant.Juju, charm: Charm):
        with jubilant.temp_model(config={"update-status-hook-interval": "1s"}) as other:
            other.deploy(charm("recorder"), "recorder")
            other.wait(lambda _: "hook update-status" in other.debug_log(), delay=0.2, successes=1)


def test_constraints_are_kept(juju: jubilant.Juju):
    juju.model_constraints({"mem": "2G", "cores": 2})
    assert juju.model_constraints() == {"mem": 2048, "cores": 2}
    juju.model_constraints({})
    assert juju.model_constraints() == {}


def test_where_there_is_nothing_to_list_there_is_a_header(juju: jubilant.Juju):
    with jubilant.temp_model() as empty:
        assert empty.cli("secrets").split()[:3] == ["ID", "Name", "Owner"]
        assert empty.cli("offers").split()[:2] == ["Offer", "User"]
        for command in ("storage", "operations"):
            assert empty.cli(command) == ""


def test_the_controller_is_shown(juju: jubilant.Juju):
    (controller,) = json.loads(
        juju.cli("show-controller", "--format=json", include_model=False)
    ).values()
    assert controller["details"]["agent-version"].startswith("3.6")
    shown = json.loads(juju.cli("whoami", "--format=json", include_model=False))
    assert shown["user"] == controller["account"]["user"]
    listed = json.loads(juju.cli("controllers", "--format=json", include_model=False))
    assert shown["controller"] == listed["current-controller"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("add-model", "Capital"), '"Capital" is not a valid name: model names may only'),
        (("destroy-model", "--no-prompt", "nothing"), "nothing not found"),
        (("switch", "nothing"), "nothing not found"),
        (("show-model", "nothing"), "nothing not found"),
        (("status", "-m", "nothing"), "nothing not found"),
        (("destroy-model", "x", "--timeout", "3s"), "--timeout can only be used with --force"),
        (("destroy-model", "x", "--no-wait"), "--no-wait without --force not valid"),
        (
            ("destroy-model", "x", "--destroy-storage", "--release-storage"),
            "--destroy-storage and --release-storage cannot both be specified",
        ),
    ],
)
def test_what_is_not_there_is_refused(
    juju: jubilant.Juju, arguments: tuple[str, ...], complaint: str
):
    before = names(juju)
    assert complaint in refusal(juju, *arguments)
    assert names(juju) == before


def test_a_models_name_is_given_once(juju: jubilant.Juju):
    assert juju.model
    assert "already exists" in refusal(juju, "add-model", juju.model)


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("update-status-hook-interval=soon", "soon"),
        ("automatically-retry-hooks=maybe", "maybe"),
        ("agent-version=9", "agent-version"),
    ],
)
def test_a_setting_that_does_not_fit_changes_nothing(
    juju: jubilant.Juju, setting: str, complaint: str
):
    before = juju.model_config()
    with pytest.raises(jubilant.CLIError) as refused:
        juju.cli("model-config", "test-mode=true", setting)
    assert (refused.value.returncode, complaint in refused.value.stderr) == (1, True)
    assert juju.model_config() == before
