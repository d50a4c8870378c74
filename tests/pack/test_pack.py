"""Every charm of the project packs, and the bundle is what Juju deploys with the packed ones."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from machine import bundle
from machine.charm import load_charm
from machine.model import Model
from machine.plan import AddApplication
from tests.benchmark.report import show, table
from tests.machine.agents import Agent
from tests.pack.charmcraft import Charmcraft

ROOT = Path(__file__).parents[2]
CHARMS = sorted(file.parent.name for file in ROOT.glob("charms/*/charmcraft.yaml"))
GATES = ("metadata", "juju-actions", "juju-config", "naming-conventions")
"""The linter `entrypoint` does not understand the dispatch that charmcraft itself writes."""

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="charmcraft is shown another os-release, which takes root"
)


@pytest.fixture(scope="module")
def charmcraft(tmp_path_factory: pytest.TempPathFactory) -> Charmcraft:
    return Charmcraft.installed(tmp_path_factory.mktemp("scratch"))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, for packing writes into it."""
    folder = tmp_path_factory.mktemp("checkout")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout.decode()
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    make_repository(folder)
    return folder


@pytest.fixture(scope="module")
def packed(charmcraft: Charmcraft, checkout: Path) -> Mapping[str, Path]:
    """The packed charms, by name; they are where the bundle says."""
    return {name: charmcraft.pack(checkout / "charms" / name) for name in CHARMS}


def make_repository(folder: Path) -> None:
    """The folder as a git repository: charmcraft builds from the root of one."""
    subprocess.run(["git", "init", "--quiet", folder], check=True)


def test_every_charm_packs(packed: Mapping[str, Path]) -> None:
    rows = [(name, f"{file.stat().st_size / 2**20:.1f}") for name, file in packed.items()]
    show(table(("charm", "MiB packed"), rows))
    for name, file in packed.items():
        assert load_charm(file).name == load_charm(ROOT / "charms" / name).name


@pytest.mark.parametrize("name", CHARMS)
def test_charmcraft_has_nothing_against_it(
    charmcraft: Charmcraft, packed: Mapping[str, Path], name: str
) -> None:
    found = charmcraft.linted(packed[name])
    assert {gate: found[gate] for gate in GATES} == dict.fromkeys(GATES, "ok")


def test_the_appliance_packs_as_one_charm(charmcraft: Charmcraft, checkout: Path) -> None:
    packed = charmcraft.pack(checkout)
    assert load_charm(packed).name == load_charm(ROOT).name
    found = charmcraft.linted(packed)
    assert {gate: found[gate] for gate in GATES} == dict.fromkeys(GATES, "ok")


def test_the_bundle_takes_the_packed_charms(packed: Mapping[str, Path], checkout: Path) -> None:
    plan = bundle.plan(checkout / "bundles/microstack.yaml", [], Model("m", "uuid"))
    added = {c.name: c.charm_path for c in plan.changes if isinstance(c, AddApplication)}
    assert added
    assert added == {name: packed[name].resolve() for name in added}


def test_a_packed_charm_runs_by_what_is_packed_with_it(
    charmcraft: Charmcraft, tmp_path: Path
) -> None:
    source = shutil.copytree(Path(__file__).parent / "small", tmp_path / "small")
    make_repository(source)
    file = charmcraft.pack(source)
    agent = Agent(tmp_path)
    agent.start()
    try:
        agent.deploy(f"applications: {{small: {{charm: {file}, num_units: 1}}}}")
        agent.settle()
        venv = agent.charm("small/0") / "venv"
        assert agent.message("small/0").startswith(f"ops is {venv}/")
    finally:
        agent.close()
