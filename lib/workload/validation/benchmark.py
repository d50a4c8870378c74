"""Rally's scenarios against the cloud: how long its operations take, alone and side by side."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workload.atomic import write_json
from workload.validation import inventory, run
from workload.validation.cloud import Cloud, CloudError, describe
from workload.validation.validate import Place, Say, ValidationError

ALL = "all"
ENVIRONMENT = "cloud"
"""What Rally calls the cloud in the run's own database."""


@dataclass(frozen=True)
class Request:
    """What to run: a scenario's name or `all`, how often, and how many at a time."""

    scenario: str = ALL
    times: int = 4
    concurrency: int = 2


def scenarios(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """Return for each name Rally's scenario with its arguments; without volumes no `volume`."""
    guest = {
        "image": {"id": cloud.image.id},
        "flavor": {"id": cloud.flavor.id},
        "auto_assign_nic": True,
    }
    found: dict[str, dict[str, Any]] = {
        "authenticate": {"Authenticate.keystone": {}},
        "network": {"NeutronNetworks.create_and_delete_networks": {"network_create_args": {}}},
        "boot": {"NovaServers.boot_and_delete_server": guest},
    }
    if cloud.volumes is not None:
        found["volume"] = {
            "CinderVolumes.create_and_attach_volume": {
                "size": 1,
                "image": guest["image"],
                "flavor": guest["flavor"],
                "create_vm_params": {"auto_assign_nic": True},
            }
        }
    return found


def task(cloud: Cloud, request: Request) -> dict[str, Any]:
    """Return Rally's task file (version 2), one subtask for each scenario.

    Raises:
        ValidationError: no such scenario, or the cloud has not what it needs.
    """
    known = scenarios(cloud)
    if request.scenario not in (ALL, *known):
        why = f" ({cloud.no_volumes})" if request.scenario == "volume" else ""
        raise ValidationError(f"no scenario {request.scenario}{why}: there are {', '.join(known)}")
    names = list(known) if request.scenario == ALL else [request.scenario]
    return {
        "version": 2,
        "title": "Benchmark of the cloud",
        "subtasks": [_subtask(name, known[name], request) for name in names],
    }


def run_scenarios(place: Place, request: Request, say: Say) -> Mapping[str, Any]:
    """Run scenarios; return for each the seconds its iterations took, and what failed.

    Raises:
        ValidationError: nothing could be run.
    """
    connection = place.connect()
    try:
        cloud = describe(connection, place.image, place.flavor)
    except CloudError as error:
        raise ValidationError(str(error)) from None
    folder = place.new_run()
    rally = _Rally(folder)
    write_json(folder / "task.json", task(cloud, request))
    write_json(folder / "cloud.json", _specification(place, cloud))
    before = inventory.take(connection)
    rally.prepare()
    say(f"{request.scenario}: {request.times} times, {request.concurrency} at a time")
    rally("task", "start", "--env", ENVIRONMENT, "--no-use", str(folder / "task.json"))
    rally.report()
    left = before.left(inventory.take(connection))
    if not (folder / "rally.json").exists():
        raise ValidationError(f"Rally ran nothing: {rally.last_lines()}")
    measured = [measure(w) for w in workloads(json.loads((folder / "rally.json").read_text()))]
    for line in measured:
        say(f"{line.name}: {line}")
    return {
        "scenarios": {line.name: str(line) for line in measured},
        "failed": sum(line.failed for line in measured),
        "failures": {line.name: line.error for line in measured if line.failed},
        "left": [str(thing) for thing in left],
        "report": str(folder / "report.html"),
    }


@dataclass(frozen=True)
class Measured:
    """What came of one scenario.

    Attributes:
        seconds: of its iterations that succeeded, in order of length.
        failed: iterations that did not.
        error: the first of their errors.
    """

    name: str
    seconds: Sequence[float]
    failed: int
    error: str

    def __str__(self) -> str:
        if not self.seconds:
            return f"{self.failed} failed"
        median = self.seconds[len(self.seconds) // 2]
        text = f"{self.seconds[0]:.2f} to {self.seconds[-1]:.2f} s, median {median:.2f} s"
        return f"{text}, {len(self.seconds)} done, {self.failed} failed"


def workloads(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return all workloads of Rally's report in JSON."""
    return [
        workload
        for found in document["tasks"]
        for subtask in found["subtasks"]
        for workload in subtask["workloads"]
    ]


def measure(workload: Mapping[str, Any]) -> Measured:
    """Return what came of a workload of Rally's report."""
    iterations: Sequence[Mapping[str, Any]] = workload["data"]
    failed = [iteration for iteration in iterations if iteration["error"]]
    done = sorted(i["duration"] for i in iterations if not i["error"])
    error = " ".join(map(str, failed[0]["error"][:2])) if failed else ""
    # Where its set-up failed there is no iteration at all.
    none = 0 if iterations else 1
    return Measured(next(iter(workload["scenario"])), done, len(failed) + none, error)


def _subtask(name: str, scenario: Mapping[str, Any], request: Request) -> dict[str, Any]:
    contexts: dict[str, Any] = {"users": {"tenants": 1, "users_per_tenant": 1}}
    if name in ("boot", "volume"):
        contexts["network"] = {}
    if name == "network":
        contexts["quotas"] = {"neutron": {"network": -1}}
    return {
        "title": name,
        "scenario": scenario,
        "contexts": contexts,
        "runner": {"constant": {"times": request.times, "concurrency": request.concurrency}},
        "sla": {"failure_rate": {"max": 0}},
    }


def _specification(place: Place, cloud: Cloud) -> dict[str, Any]:
    account = place.account()
    admin = {
        "username": account.username,
        "password": account.password,
        "project_name": account.project,
        "user_domain_name": account.user_domain,
        "project_domain_name": account.project_domain,
    }
    return {
        "existing@openstack": {
            "auth_url": cloud.auth_url,
            "region_name": cloud.region,
            "endpoint_type": "public",
            "admin": admin,
        }
    }


@dataclass(frozen=True)
class _Rally:
    """Rally with a database of its own in a run's folder."""

    folder: Path

    def prepare(self) -> None:
        """Make the database, and tell it of the cloud."""
        database = f"sqlite:///{self.folder / 'rally.db'}"
        (self.folder / "rally.conf").write_text(f"[database]\nconnection = {database}\n")
        self("db", "create")
        specification = str(self.folder / "cloud.json")
        self("env", "create", "--name", ENVIRONMENT, "--spec", specification, "--no-use")

    def report(self) -> None:
        """Write the reports of what was run, as JSON and as a web page."""
        tasks = self("task", "list", "--env", ENVIRONMENT, "--uuids-only").split()
        for kind, name in (("--json", "rally.json"), ("--html-static", "report.html")):
            self("task", "report", *tasks, kind, "--out", str(self.folder / name))

    def __call__(self, *arguments: str) -> str:
        """Run a command of Rally and return its output; its log is in rally.log.

        An SLA that was missed is an exit code too, so that only results tell of failures.
        """
        command = [str(run.PROGRAMS / "rally"), "--config-file", str(self.folder / "rally.conf")]
        with (self.folder / "rally.log").open("a") as log:
            done = subprocess.run(
                [*command, *arguments],
                cwd=self.folder,
                env=run.environment(HOME=str(self.folder)),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                check=False,
            )
            log.write(done.stdout)
        return done.stdout

    def last_lines(self) -> str:
        """Return the last of what Rally wrote."""
        return " | ".join((self.folder / "rally.log").read_text().strip().splitlines()[-3:])
