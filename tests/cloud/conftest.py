"""One cloud for all tests here, brought up as a user would: `./microstack up`.

The tests change this host and therefore need root and a host with no cloud on it. Modules run in
the order of `ORDER`: what stops, breaks and removes the cloud comes after what uses it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from openstack.connection import Connection
from playwright.sync_api import Browser, sync_playwright

from microstack import model
from tests.cloud import strangers
from tests.cloud.guests import Guest
from tests.cloud.host_state import HostState
from workload.layout import Layout

CHECKOUT = Path(__file__).parents[2]
ARTEFACTS = CHECKOUT / "tests" / "artefacts"
ORDER = (
    "test_migrations",
    "test_up",
    "test_guests",
    "test_console",
    "test_dashboard",
    "test_validation",
    "test_faults",
    "test_remove",
)

SDK_WARNINGS = "default"
"""openstacksdk 4 warns of methods of its own that it calls itself, and gives up a service when a
warning is made an error; what it warns of is not this project's to mend."""

CHROMIUM = "/usr/bin/chromium"
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put this folder's tests into the order that one cloud can go through."""
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    rest = [item for item in items if item not in here]
    for item in here:
        item.add_marker(pytest.mark.filterwarnings(SDK_WARNINGS))
    here.sort(key=lambda item: _place(item.path.stem))
    items[:] = [*rest, *here]


def _place(module: str) -> int:
    return ORDER.index(module) if module in ORDER else len(ORDER) - 1


class Microstack:
    """The command line, as a user at this checkout has it."""

    def __call__(
        self,
        *arguments: str,
        timeout: float = 900,
        check: bool = True,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, in at most `timeout` seconds; its output is in failures."""
        command = [str(CHECKOUT / "microstack"), *arguments]
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **strangers.VARIABLES, **variables},
        )
        if check and result.returncode:
            output = f"{result.stdout}\n{result.stderr}"
            pytest.fail(f"microstack {' '.join(arguments)}: {result.returncode}\n{output}")
        return result

    @contextmanager
    def begun(self, *arguments: str) -> Generator[subprocess.Popen[str]]:
        """A command that the test interrupts; killed where the test fails before it has ended.

        It hears interrupts also where a shell runs the tests in the background, and they do not.
        """
        process = subprocess.Popen(
            ["env", "--default-signal=INT", str(CHECKOUT / "microstack"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **strangers.VARIABLES},
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                process.communicate()

    def status(self) -> dict[str, Any]:
        """Return `status --format json`."""
        return json.loads(self("status", "--format", "json").stdout)

    def unsettled(self) -> dict[str, str]:
        """Return what says that it neither is active nor that the host lacks something for it."""
        found = model.applications(self.status())
        return {a.name: a.status for a in found if not a.active and a.host_lacks is None}

    def applications(self) -> dict[str, str]:
        """Return the status of each application."""
        return {
            application.name: application.status
            for application in model.applications(self.status())
        }


@pytest.fixture(scope="session")
def microstack() -> Microstack:
    """The command line."""
    return Microstack()


@pytest.fixture(scope="session")
def host_before(microstack: Microstack) -> Iterator[HostState]:
    """The host as it was before there was a cloud; packages and environments are there."""
    if os.geteuid() != 0:
        pytest.skip("brings a cloud up on this host, which needs root")
    if Layout.from_environment().root.exists():
        pytest.fail(f"a cloud is here already: {CHECKOUT}/microstack remove --yes")
    microstack("prepare")
    microstack("remove", "--yes")  # what is installed stays, the folder it was prepared in goes
    # All that follows is tested on a host that has configuration of its own for everything.
    with strangers.planted():
        yield collect_host()


@pytest.fixture(scope="session")
def cloud(microstack: Microstack, host_before: HostState) -> Iterator[Microstack]:
    """A cloud on this host, all up that the host can run; removed when the tests end."""
    microstack("up")
    yield microstack
    microstack("remove", "--yes")


@pytest.fixture(scope="session")
def connection(cloud: Microstack) -> Connection:
    """The cloud's administrator, through the SDK."""
    from microstack.cloud import connect

    return connect()


@pytest.fixture(scope="session")
def t1(cloud: Microstack) -> Guest:
    """The first guest; the tests leave it running."""
    return Guest.printed(cloud("launch", "t1", "--wait").stdout)


@pytest.fixture(scope="session")
def t2(cloud: Microstack) -> Guest:
    """A second guest, on the same network."""
    return Guest.printed(cloud("launch", "t2", "--wait").stdout)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The distribution's Chromium, without a window and without calling home.

    It ends with the module: its processes must not be taken for the cloud's.
    """
    ARTEFACTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=CHROMIUM_OPTIONS,
            # What it writes at home would be taken for the cloud's.
            env={**os.environ, "HOME": str(tmp_path_factory.mktemp("home"))},
        )
        yield browser
        browser.close()


def collect_host() -> HostState:
    """Look at the host, leaving out the checkout, which tests and Python write to."""
    return HostState.collect(without=(CHECKOUT,))
