"""The bundle with its overlays, the charms and the snap fit together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from charmbase import load_charm
from charmbase.testing import disagreements
from machine import charm as metadata
from machine.bundle import plan
from machine.plan import AddApplication, AddRelation
from workload.components import ALL

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "bundles" / "microstack.yaml"
OVERLAYS = sorted((ROOT / "bundles" / "overlays").glob("*.yaml"))
CHARMS = sorted(path.parent for path in ROOT.glob("charms/*/charmcraft.yaml"))

each_charm = pytest.mark.parametrize("folder", CHARMS, ids=lambda folder: folder.name)


def charmcraft(folder: Path) -> dict[str, Any]:
    return yaml.safe_load((folder / "charmcraft.yaml").read_text())


def test_the_bundle_is_valid_and_uses_every_charm_with_its_overlays():
    assert plan(BUNDLE).warnings == ()
    made = plan(BUNDLE, OVERLAYS)
    deployed = {change.name for change in made.changes if isinstance(change, AddApplication)}
    assert made.warnings == ()
    assert deployed == {folder.name for folder in CHARMS}


@each_charm
def test_the_bundle_relates_whatever_a_charm_requires(folder: Path):
    related = {
        end
        for change in plan(BUNDLE, OVERLAYS).changes
        if isinstance(change, AddRelation)
        for end in (change.provider, change.requirer)
    }
    required = charmcraft(folder).get("requires", {})
    needed = {name for name, endpoint in required.items() if not endpoint["optional"]}
    assert needed <= {end.name for end in related if end.application == folder.name}


@each_charm
def test_a_charm_declares_in_code_what_it_declares_in_yaml(folder: Path):
    assert disagreements(load_charm(folder), folder) == []


@each_charm
def test_a_charm_maps_whatever_a_service_of_its_component_waits_for(folder: Path):
    charm = load_charm(folder)
    services = ALL[charm.component].services
    awaited = {key for service in services for key in service.requires}
    unmapped = {
        key
        for key in awaited
        if not any(source == key or source.startswith(f"{key}.") for source in charm.sources)
    }
    assert unmapped == set()


@each_charm
def test_a_probe_asks_services_that_the_snap_has(folder: Path):
    charm = load_charm(folder)
    known = {service.name for service in ALL[charm.component].services}
    probes = getattr(charm.probe, "probes", (charm.probe,))
    assert {name for probe in probes for name in getattr(probe, "names", ())} <= known


@each_charm
def test_every_job_is_a_command_of_the_snap(folder: Path):
    apps = yaml.safe_load((ROOT / "snap" / "snapcraft.yaml").read_text())["apps"]
    for job in load_charm(folder).jobs():
        assert "daemon" not in apps[job.name]


@each_charm
def test_charmcraft_yaml_says_everything_that_is_asked_of_a_charm(folder: Path):
    document = charmcraft(folder)
    assert document["name"] == folder.name
    assert document["base"] == "ubuntu@24.04"
    assert document["platforms"].keys() == {"amd64", "arm64"}
    assert document["assumes"] == ["juju >= 3.6"]
    assert document["parts"]["charm"]["source-subdir"] == f"charms/{folder.name}"
    assert all(document[key] for key in ("title", "summary", "description", "links"))
    for role in ("provides", "requires", "peers"):
        for endpoint in document.get(role, {}).values():
            assert endpoint.keys() >= {"interface", "optional", "description"}
    for option in document["config"]["options"].values():
        assert option.keys() == {"type", "default", "description"}
    for action in document.get("actions", {}).values():
        assert action["additionalProperties"] is False
        assert action["description"]


@each_charm
def test_defaults_of_options_are_of_their_type(folder: Path):
    for option in metadata.load_charm(folder).options.values():
        assert option.default is not None
        assert metadata.parse_option(option, option.default) == option.default


@each_charm
def test_the_readme_names_every_endpoint_option_and_action(folder: Path):
    document = charmcraft(folder)
    readme = (folder / "README.md").read_text()
    names = [*document["config"]["options"], *document.get("actions", {})]
    for role in ("provides", "requires", "peers"):
        names += document.get(role, {})
    assert [name for name in names if f"`{name}`" not in readme] == []
