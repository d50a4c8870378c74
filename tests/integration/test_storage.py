"""Juju's commands about storage: on whichever `juju` is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jubilant
import pytest

Charm = Callable[[str], Path]


@pytest.fixture(scope="module")
def probe(juju: jubilant.Juju, charm: Charm) -> jubilant.Juju:
    """The client of a model with an application whose charm takes storage."""
    juju.deploy(charm("probe"), "probe")
    settled(juju)
    return juju


def settled(juju: jubilant.Juju) -> None:
    juju.wait(jubilant.all_agents_idle, delay=0.2)


def known(juju: jubilant.Juju) -> dict[str, Any]:
    return json.loads(juju.cli("storage", "--format=json")).get("storage", {})


def units_of(storage: dict[str, Any]) -> list[str]:
    return list(storage.get("attachments", {}).get("units", {}))


def refusal(juju: jubilant.Juju, *arguments: str) -> str:
    with pytest.raises(jubilant.CLIError) as refused:
        juju.cli(*arguments)
    assert refused.value.returncode in (1, 2)  # 2: it makes no sense, whatever there is
    return refused.value.stderr


def added(juju: jubilant.Juju, unit: str = "probe/0", directive: str = "data") -> list[str]:
    before = known(juju).keys()
    juju.cli("add-storage", unit, directive)
    settled(juju)
    return sorted(known(juju).keys() - before)


def detached(juju: jubilant.Juju) -> str:
    (storage,) = added(juju)
    juju.cli("detach-storage", storage)
    juju.wait(lambda _: not units_of(known(juju)[storage]), delay=0.2)
    return storage


def test_more_is_added_listed_and_shown(probe: jubilant.Juju):
    first, second = added(probe, directive="data=2")
    for storage in (first, second):
        assert units_of(known(probe)[storage]) == ["probe/0"]
        assert known(probe)[storage]["kind"] == "filesystem"
    shown = json.loads(probe.cli("show-storage", first, second, "--format=json"))
    assert shown == {storage: known(probe)[storage] for storage in (first, second)}
    assert first in probe.cli("storage")
    assert first in probe.cli("status", "--storage")
    assert first not in json.loads(probe.cli("storage", "--volume", "--format=json"))


def test_what_was_detached_is_kept_and_attached_again(probe: jubilant.Juju):
    storage = detached(probe)
    assert known(probe)[storage]["status"]["current"] == "detached"
    probe.cli("attach-storage", "probe/0", storage)
    settled(probe)
    assert units_of(known(probe)[storage]) == ["probe/0"]


def test_a_new_unit_gets_what_was_detached(probe: jubilant.Juju):
    storage = detached(probe)
    before = probe.status().apps["probe"].units.keys()
    probe.cli("add-unit", "probe", "--attach-storage", storage)
    settled(probe)
    (new,) = probe.status().apps["probe"].units.keys() - before
    assert units_of(known(probe)[storage]) == [new]


def test_a_new_application_gets_what_was_detached(probe: jubilant.Juju, charm: Charm):
    storage = detached(probe)
    probe.cli("deploy", str(charm("probe")), "other", "--attach-storage", storage)
    settled(probe)
    assert units_of(known(probe)[storage]) == ["other/0"]


def test_what_is_removed_is_gone(probe: jubilant.Juju):
    (storage,) = added(probe)
    assert "attached" in refusal(probe, "remove-storage", storage)
    probe.cli("remove-storage", "--force", storage)
    settled(probe)
    assert storage not in known(probe)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("add-storage", "nobody/0", "data"), 'unit "nobody/0" not found'),
        (("add-storage", "probe/0", "nothing"), 'charm storage "nothing" not found'),
        (("add-storage", "probe/0", "data=ceph"), 'pool "ceph" not found'),
        (("attach-storage", "probe/0", "data/999"), 'storage "data/999" not found'),
        (("detach-storage", "data/999"), 'storage "data/999" not found'),
        (("remove-storage", "data/999"), 'storage "data/999" not found'),
        (("show-storage", "data/999"), "data/999"),
        (("storage", "--filesystem", "--volume"), "can not be used together"),
        (("add-unit", "probe", "--attach-storage", "data/999"), 'storage "data/999" not found'),
        (("add-unit", "probe", "-n", "2", "--attach-storage", "data/0"), "cannot be used with -n"),
        (("deploy", "PROBE", "x", "--attach-storage", "data/999"), 'storage "data/999" not found'),
        (("deploy", "PROBE", "x", "-n", "2", "--attach-storage", "data/0"), "with -n"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    probe: jubilant.Juju, charm: Charm, arguments: tuple[str, ...], complaint: str
):
    before = probe.status()
    given = [str(charm("probe")) if word == "PROBE" else word for word in arguments]
    assert complaint in refusal(probe, *given)
    after = probe.status()
    assert (after.storage, after.apps) == (before.storage, before.apps)
