"""What the interoperability guideline says must pass does, and a run of it leaves nothing behind.

Of compute a part that boots one guest; the whole list is the tox environment `interop`.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest
import yaml
from openstack.connection import Connection
from openstack.identity.v3.project import Project

from tests.cloud.conftest import ARTEFACTS, Microstack
from tests.cloud.guests import wait_until
from workload.runtime import processes

GUIDELINE = "interop-2018.02"
PARTS = (
    r"^tempest\.api\.(identity|image|network)\.",
    r"^tempest\.api\.compute\.(flavors|keypairs|quotas|test_versions)",
    r"^tempest\.api\.compute\.(images\.test_images_oneserver|servers\.test_create_server)\.",
)
GONE = "00000000-0000-0000-0000-000000000000 tempest.api.network.test_gone.GoneTest.test_gone"
THERE = "tempest.api.compute.flavors.test_flavors.FlavorsV2TestJSON.test_list_flavors"
CUT_OFF = r"test_create_server\.ServersTestJSON\."
"""Tests that have a guest from their first step to their last."""
TIMEOUT = 1200.0


@dataclass(frozen=True)
class Run:
    """A run of the command line, with each line and whether the command ran on when it came."""

    code: int
    lines: tuple[tuple[str, bool], ...]
    before: frozenset[str]
    after: frozenset[str]
    reports: Path

    @property
    def output(self) -> str:
        return "\n".join(line for line, _ in self.lines)


def everything(connection: Connection) -> frozenset[str]:
    """Name all that a run could leave, as the SDK lists it."""
    compute, network = connection.compute, connection.network
    projects = list(connection.identity.projects())
    _make_default_groups(connection, projects)
    found = {
        "project": projects,
        "user": connection.identity.users(),
        "role": connection.identity.roles(),
        "server": compute.servers(all_projects=True),
        "flavor": compute.flavors(),
        "image": connection.image.images(),
        "network": network.networks(),
        "subnet": network.subnets(),
        "port": network.ports(),
        "router": network.routers(),
        "floating address": network.ips(),
        "security group": network.security_groups(),
        "volume": connection.block_storage.volumes(all_projects=True),
    }
    return frozenset(f"{kind} {thing.id}" for kind, things in found.items() for thing in things)


def _make_default_groups(connection: Connection, projects: Iterable[Project]) -> None:
    """Let Neutron make the default security group of each project, which it does at a listing.

    Nova lists the groups of a first guest as a user of the project `service`: that project's
    group is the cloud's, though it comes with a test's guest.
    """
    for project in projects:
        assert list(connection.network.security_groups(project_id=project.id))


@pytest.fixture(scope="module")
def deployed(cloud: Microstack) -> Microstack:
    """The cloud with the tests' charm, whose account is part of the cloud."""
    listed = ARTEFACTS / "listed.txt"
    ARTEFACTS.mkdir(exist_ok=True)
    listed.write_text(f"{GONE}\n{THERE}\n")
    told = cloud("test", str(listed), timeout=TIMEOUT)
    assert "not in this Tempest: tempest.api.network.test_gone.GoneTest.test_gone" in told.stderr
    assert "test_gone" in told.stdout
    return cloud


@pytest.fixture(scope="module")
def run(deployed: Microstack, connection: Connection) -> Iterator[Run]:
    """The chosen parts of the guideline, run once for all tests here."""
    before = everything(connection)
    reports = ARTEFACTS / "validation"
    options = ("--include", "|".join(PARTS), "-j", "2", "--output", str(reports))
    with deployed.begun("test", GUIDELINE, *options) as process:
        assert process.stdout is not None
        lines = [(line.rstrip(), process.poll() is None) for line in process.stdout]
        code = process.wait(TIMEOUT)
    yield Run(code, tuple(lines), before, everything(connection), reports)


def test_all_pass(run: Run) -> None:
    assert run.code == 0, run.output
    counts = next(line.split() for line, _ in run.lines if line.startswith("total"))
    assert int(counts[1]) >= 95
    assert counts[2] == "0"


def test_progress_is_told_while_it_runs(run: Run) -> None:
    told = [line for line, running in run.lines if running and "remaining, about" in line]
    assert len(told) >= 2, run.output


def test_nothing_is_left_in_the_cloud(run: Run) -> None:
    assert run.after == run.before


def test_the_reports_have_every_test(run: Run) -> None:
    suite = ElementTree.parse(run.reports / "junit.xml").getroot()
    assert suite.get("failures") == "0"
    page = (run.reports / "report.html").read_text()
    assert len(suite) >= 95
    for case in suite:
        assert f"{case.get('classname')}.{case.get('name')}" in page


def test_what_is_skipped_says_why(run: Run) -> None:
    suite = ElementTree.parse(run.reports / "junit.xml").getroot()
    skipped = suite.findall("testcase/skipped")
    assert [reason.get("message") for reason in skipped if not reason.get("message")] == []


def test_the_configuration_is_the_clouds_own_and_roots_alone(
    deployed: Microstack, connection: Connection
) -> None:
    result = yaml.safe_load(deployed("run", "tempest/0", "generate-config").stdout)
    config = Path(result["config"])
    assert config.stat().st_mode & 0o077 == 0
    external = next(connection.network.networks(is_router_external=True))
    assert f"public_network_id = {external.id}" in config.read_text()


def test_a_list_that_is_not_there_fails_and_says_which_there_are(deployed: Microstack) -> None:
    refused = deployed("test", "interop-1999.01", check=False)
    assert refused.returncode == 1
    assert "there are interop-2018.02, interop-2020.06" in refused.stderr


@pytest.mark.parametrize("how", ["killed", "interrupted"])
def test_a_run_that_is_cut_off_is_cleaned_up(
    deployed: Microstack, connection: Connection, how: str
) -> None:
    before = everything(connection)
    compute = connection.compute
    with deployed.begun("test", CUT_OFF, "-j", "2") as process:
        wait_until(
            lambda: any(compute.servers(all_projects=True, name="tempest-")), "a guest", 300
        )
        tests = session()
        if how == "killed":
            for runner in running(tests):
                runner.kill()
        else:
            process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=120)
    assert process.returncode == {"killed": 1, "interrupted": 130}[how], told
    assert "hint: ./microstack run tempest/leader cleanup" in told
    assert running(tests) == []
    first, second = (deployed("run", "tempest/leader", "cleanup").stdout for _ in range(2))
    assert everything(connection) == before
    assert int(yaml.safe_load(first)["removed"]) > 0
    assert yaml.safe_load(second) == {"removed": "0", "left": ""}


def session() -> int:
    """Return the session that the snap's command runs tests in: the number of its process."""
    command = ["-m", "workload.validation"]
    found = psutil.process_iter(["cmdline"])
    return next(p.pid for p in found if (p.info["cmdline"] or [])[1:3] == command)


def running(session: int) -> list[psutil.Process]:
    """Return the processes of a session that live; what is dead its new parent may yet reap."""
    ours = (p for p in psutil.process_iter(["status"]) if processes.session_of(p) == session)
    return [p for p in ours if p.info["status"] != psutil.STATUS_ZOMBIE]


def test_the_account_goes_with_the_charm(deployed: Microstack, connection: Connection) -> None:
    deployed("juju", "remove-application", "tempest", "--no-prompt")

    def gone() -> bool:
        identity = connection.identity
        left = [*identity.users(), *identity.projects()]
        return not any(found.name == "admin-tempest" for found in left)

    wait_until(gone, "the end of the account admin-tempest and its project", 60)
