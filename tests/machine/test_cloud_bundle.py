"""The cloud's bundle and overlays on `machine`, with its own charms and a stand-in for the snap.

From the bundle to the snap config of every component: what services get to see at the end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tenacity

from machine.client import Client
from workload.components import ALL

ROOT = Path(__file__).parents[2]
SETTLED = 120.0
"""Seconds; a few on an idle machine."""


@pytest.fixture(scope="module")
def noted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stand-in")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, noted: Path) -> Iterator[Client]:
    state = tmp_path_factory.mktemp("machine")
    socket = state / "machine.socket"
    folders = (Path(__file__).parent / "stand_ins", ROOT / "lib", ROOT)
    command = [sys.executable, "-m", "machine", "agent"]
    command += ["--state", str(state), "--socket", str(socket), "--address", "127.0.0.1"]
    command += ["--hook-env", f"STAND_IN={noted}", "--preload", "cloud_stand_in"]
    command += [word for folder in folders for word in ("--python-path", str(folder))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}
    with subprocess.Popen(command, env=environment) as agent:
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
            agent.terminate()


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
    assert notes(noted, "job") == [
        "cinder-db-sync",
        "cinder-lvm-check",
        "cinder-lvm-setup",
        "glance-db-sync",
        "keystone-bootstrap",
        "neutron-db-sync",
        "nova-db-sync",
        "placement-db-sync",
    ]


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
