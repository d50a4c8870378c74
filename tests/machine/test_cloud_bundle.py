"""The cloud's bundle and overlays on `machine`, with its own charms and a stand-in for the snap.

From the bundle to the snap config of every component: what services get to see at the end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tenacity

from machine.client import Client
from machine.model import Model
from machine.store import Store
from workload.components import ALL

ROOT = Path(__file__).parents[2]
SETTLED = 300.0
"""Seconds; ten on an idle machine."""


@pytest.fixture(scope="module")
def noted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stand-in")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, noted: Path) -> Iterator[Client]:
    with agent(tmp_path_factory.mktemp("machine"), noted) as client:
        yield client


@contextmanager
def agent(state: Path, noted: Path, *options: str) -> Iterator[Client]:
    """An agent with the bundle and the overlay deployed and settled."""
    socket = state / "machine.socket"
    folders = (Path(__file__).parent / "stand_ins", ROOT / "lib", ROOT)
    command = [sys.executable, "-m", "machine", "agent", *options]
    command += ["--state", str(state), "--socket", str(socket), "--address", "127.0.0.1"]
    command += ["--hook-env", f"STAND_IN={noted}", "--preload", "cloud_stand_in"]
    command += [word for folder in folders for word in ("--python-path", str(folder))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}
    with subprocess.Popen(command, env=environment) as process:
        try:
            for attempt in tenacity.Retrying(
                stop=tenacity.stop_after_delay(30), wait=tenacity.wait_fixed(0.05)
            ):
                with attempt:
                    assert socket.exists()
            client = Client(socket)
            bundles = ROOT / "bundles"
            overlays = sorted((bundles / "overlays").glob("*.yaml"))
            client.deploy(bundles / "microstack.yaml", overlays)
            client.wait_idle(SETTLED)
            yield client
        finally:
            process.terminate()


def notes(folder: Path, kind: str) -> list[str]:
    lines = (folder / "notes").read_text().splitlines()
    return sorted(line.removeprefix(f"{kind} ") for line in lines if line.startswith(f"{kind} "))


def test_every_application_becomes_active(client: Client) -> None:
    applications = client.status()["applications"]
    states = {name: entry["application-status"]["current"] for name, entry in applications.items()}
    assert states == dict.fromkeys(ALL, "active")


def test_no_hook_fails(client: Client) -> None:
    assert {record.outcome for record in client.hooks()} == {"done"}


def test_every_service_has_what_it_waits_for(client: Client, noted: Path) -> None:
    for name, component in ALL.items():
        config = json.loads((noted / f"{name}.json").read_text())
        awaited = {key for service in component.services for key in service.requires}
        unset = {
            key
            for key in awaited
            if not any(config[k] for k in config if k == key or k.startswith(f"{key}."))
        }
        assert (name, unset) == (name, set())


def test_jobs_run_once(client: Client, noted: Path) -> None:
    looks = {"cinder-lvm-usage"}
    assert [job for job in notes(noted, "job") if job not in looks] == [
        "cinder-db-sync",
        "cinder-lvm-check",
        "cinder-lvm-setup",
        "glance-db-sync",
        "keystone-bootstrap",
        "neutron-db-sync",
        "nova-db-sync",
        "placement-db-sync",
    ]


def test_the_backend_has_its_volume_type(client: Client, noted: Path) -> None:
    assert notes(noted, "volume-type") == ["lvm lvm"]


def test_every_schema_is_made(client: Client, noted: Path) -> None:
    assert notes(noted, "schema") == [
        "cinder",
        "glance",
        "keystone",
        "neutron",
        "nova",
        "nova_api",
        "nova_cell0",
        "placement",
    ]


def test_the_catalog_is_whole(client: Client, noted: Path) -> None:
    assert notes(noted, "service") == [
        "block-storage http://127.0.0.1:8776/v3",
        "compute http://127.0.0.1:8774/v2.1",
        "image http://127.0.0.1:9292",
        "network http://127.0.0.1:9696",
        "placement http://127.0.0.1:8778",
        "volumev3 http://127.0.0.1:8776/v3",
    ]


# ---- any legal order of hooks


SEEDS = range(int(os.environ.get("MICROSTACK_SEEDS", "3")))
"""How many orders are tried; CI has time for a few."""


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What snap config ends as in Juju's usual order."""
    return snap_config(tmp_path_factory.mktemp("usual"))


@pytest.mark.parametrize("seed", SEEDS)
def test_any_order_of_hooks_ends_in_the_same_snap_config(
    tmp_path: Path, usual: dict[str, Any], seed: int
) -> None:
    assert snap_config(tmp_path, "--shuffle", str(seed)) == usual


def snap_config(folder: Path, *options: str) -> dict[str, Any]:
    """Every component's snap config, with the names of secrets in place of what they hold."""
    state, noted = folder / "state", folder / "noted"
    for made in (state, noted):
        made.mkdir()
    with agent(state, noted, *options) as client:
        assert {record.outcome for record in client.hooks()} == {"done"}
    store = Store(state / "store.db", lambda: Model("", ""))
    text = json.dumps({name: json.loads((noted / f"{name}.json").read_text()) for name in ALL})
    for secret in store.model.secrets.values():
        for key, value in secret.revisions[secret.latest].content.items():
            if key == "username":
                continue  # The same in each run, and part of many another word.
            text = text.replace(json.dumps(value)[1:-1], f"<{secret.owner} {secret.label} {key}>")
    store.close()
    return json.loads(text)
