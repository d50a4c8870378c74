"""Options of charms in snap config reach the model, and only what changed does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import yaml

from microstack import options


class Machine:
    """Notes what options it is given."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Mapping[str, Any], Sequence[str]]] = []

    def set_config(self, app: str, values: Mapping[str, Any], reset: Sequence[str] = ()) -> None:
        self.calls.append((app, values, reset))


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_options_that_are_new_are_set(machine: Machine):
    options.hand_on(machine, {"nova": {"debug": True}}, {})  # type: ignore[arg-type]
    assert machine.calls == [("nova", {"debug": True}, [])]


def test_an_option_that_is_gone_goes_back_to_its_default(machine: Machine):
    before = {"nova": {"debug": True, "port": 1}, "glance": {"debug": True}}
    options.hand_on(machine, {"nova": {"port": 1}}, before)  # type: ignore[arg-type]
    assert machine.calls == [("glance", {}, ["debug"]), ("nova", {"port": 1}, ["debug"])]


def test_what_stays_is_not_set_again(machine: Machine):
    same = {"nova": {"debug": True}}
    options.hand_on(machine, same, same)  # type: ignore[arg-type]
    assert machine.calls == []


def test_before_there_is_a_model_they_are_an_overlay_of_the_bundle():
    with options.overlay({"nova": {"debug": True}}) as (path,):
        document = yaml.safe_load(path.read_text())
    assert document == {"applications": {"nova": {"options": {"debug": True}}}}


def test_without_options_there_is_no_overlay():
    with options.overlay({}) as paths:
        assert paths == []


def test_a_value_that_is_no_option_is_refused():
    with pytest.raises(SystemExit, match=r"charms\.APPLICATION\.OPTION"):
        options.parse({"nova": 1})
