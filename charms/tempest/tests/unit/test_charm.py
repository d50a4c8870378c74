"""tempest's charm: an account becomes snap config, actions run the snap's tests and tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ops
import pytest
import yaml
from ops import testing

from charmbase import load_charm, snap
from charmbase.testing import FakeSnap, disagreements
from interfaces.testing import PASSWORD, identity_admin

FOLDER = Path(__file__).parents[2]
CHARM = load_charm(FOLDER)

PASSED = {"passed": 3, "failed": 0, "skip-reasons": {"no volumes": 2}, "missing": ["a", "b"]}


class Followed:
    """The snap's job, which writes two lines and ends as it is told to."""

    def __init__(self) -> None:
        self.arguments: list[str] = []
        self.done = snap.Done(0, PASSED, [])

    def __call__(self, job: str, arguments: Sequence[str], told: Callable[[str], None]) -> Any:
        self.arguments = [job, *arguments]
        told("1 of 3 tests done")
        return self.done


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSnap:
    fake = FakeSnap()
    fake.patch(monkeypatch)
    return fake


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch, fake: FakeSnap) -> Followed:
    followed = Followed()
    monkeypatch.setattr(snap, "follow_job", followed)
    return followed


def ready(**config: str) -> testing.State:
    keystone, secret = identity_admin("admin-tempest")
    return testing.State(leader=True, config=config, relations=[keystone], secrets=[secret])


def act(
    name: str, state: testing.State | None = None, **params: Any
) -> testing.Context[ops.CharmBase]:
    context = testing.Context(CHARM)
    action = yaml.safe_load((FOLDER / "charmcraft.yaml").read_text())["actions"][name]
    defaults = {key: value["default"] for key, value in action.get("params", {}).items()}
    context.run(context.on.action(name, params=defaults | params), state or ready())
    return context


def test_declarations_agree_with_charmcraft_yaml() -> None:
    assert disagreements(CHARM, FOLDER) == []


def test_says_that_keystone_is_missing(fake: FakeSnap) -> None:
    context = testing.Context(CHARM)
    out = context.run(context.on.update_status(), testing.State(leader=True))
    assert out.unit_status == ops.BlockedStatus("relation identity-admin missing")


def test_an_administrators_account_becomes_snap_config(fake: FakeSnap) -> None:
    context = testing.Context(CHARM)
    out = context.run(context.on.update_status(), ready())
    assert out.unit_status == ops.ActiveStatus()
    assert fake.sections["tempest"] == {
        "debug": False,
        "identity.auth-url": "http://192.0.2.1:5000/v3",
        "identity.region": "RegionOne",
        "identity.username": "admin-tempest",
        "identity.password": PASSWORD,
        "identity.project-name": "admin-tempest",
        "identity.project-domain-name": "Default",
        "identity.user-domain-name": "Default",
    }


def test_validate_hands_its_parameters_on_and_tells_progress_and_result(
    followed: Followed,
) -> None:
    context = act("validate", list="interop-2018.02", concurrency=3, include="network")
    assert followed.arguments == [
        "test",
        "validate",
        "--list=interop-2018.02",
        "--concurrency=3",
        "--include=network",
    ]
    assert context.action_logs == ["1 of 3 tests done"]
    assert context.action_results == {
        "passed": "3",
        "failed": "0",
        "skip-reasons": "no volumes: 2",
        "missing": "a\nb",
    }


def test_the_options_say_what_guests_are_made_of(followed: Followed) -> None:
    act("generate-config", ready(image="small", flavor="m1.tiny"))
    assert followed.arguments[1:] == ["--image=small", "--flavor=m1.tiny", "generate-config"]


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        ({"failed": 2, "left": []}, "2 failed"),
        ({"failed": 0, "left": ["servers tempest-x"]}, "left in the cloud: servers tempest-x"),
    ],
)
def test_a_run_that_failed_fails_the_action_and_gives_its_results_all_the_same(
    followed: Followed, document: dict[str, Any], verdict: str
) -> None:
    followed.done = snap.Done(1, document, [])
    context = testing.Context(CHARM)
    with pytest.raises(testing.ActionFailed) as caught:
        context.run(context.on.action("cleanup"), ready())
    assert caught.value.message == verdict
    assert context.action_results is not None
    assert context.action_results["failed"] == str(document["failed"])


def test_what_could_not_be_run_says_why(followed: Followed) -> None:
    followed.done = snap.Done(2, None, ["error: the cloud has no external network"])
    with pytest.raises(testing.ActionFailed, match="the cloud has no external network"):
        act("validate")


def test_a_run_that_was_killed_says_what_removes_its_leftovers(followed: Followed) -> None:
    followed.done = snap.Done(-9, None, ["1 of 3 tests done", "2 of 3 tests done"])
    with pytest.raises(testing.ActionFailed) as caught:
        act("validate")
    assert caught.value.message == (
        "validate ended with -9 (2 of 3 tests done): what it made is removed by the action cleanup"
    )


def test_without_credentials_nothing_is_run(followed: Followed) -> None:
    with pytest.raises(testing.ActionFailed, match="the cloud's credentials are not here yet"):
        act("validate", testing.State(leader=True))
    assert followed.arguments == []


def test_no_secret_is_in_the_arguments_or_the_log(followed: Followed) -> None:
    context = act("validate")
    shown = [*followed.arguments, *(line.message for line in context.juju_log)]
    assert not [line for line in shown if PASSWORD in line]
