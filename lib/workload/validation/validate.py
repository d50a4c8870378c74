"""One run, from a look at the cloud to its reports."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workload.validation import inventory, removal, report, run, settings, supplies
from workload.validation.cloud import Cloud, CloudError, describe
from workload.validation.results import Outcome, Results, reasons, table
from workload.validation.selection import Selection, SelectionError, select

if TYPE_CHECKING:
    from openstack.connection import Connection

Say = Callable[[str], None]

KEPT_RUNS = 5
PULSE = 10.0
"""Seconds between two lines of progress; failures are told at once."""

CONFIG = "tempest.conf"
BAD_IMAGES = ".test_images_formats."
"""Tests that upload images which are not what they claim to be, and expect a refusal."""

TRACEBACK = 4000
"""Characters of a traceback in a result; the reports have all of it."""


class ValidationError(Exception):
    """Nothing could be run; the message says why."""


@dataclass(frozen=True)
class Request:
    """What to run: see `selection.select`."""

    wanted: str = "smoke"
    include: str = ""
    exclude: str = ""
    concurrency: int = 2

    def __str__(self) -> str:
        narrowed = [self.wanted]
        narrowed += [f"with {self.include}"] if self.include else []
        narrowed += [f"without {self.exclude}"] if self.exclude else []
        return " ".join(narrowed)


@dataclass(frozen=True)
class Place:
    """Where a cloud's credentials are, and where its runs are kept.

    Attributes:
        common: `$SNAP_COMMON`.
        image: image for guests; empty for the cloud's smallest.
        flavor: flavor for guests; empty for the smallest that the image fits.
    """

    common: Path
    image: str = ""
    flavor: str = ""

    @property
    def clouds(self) -> Path:
        """The rendered clouds.yaml."""
        return self.common / "etc/tempest/clouds.yaml"

    @property
    def runs(self) -> Path:
        """Folders of runs, oldest first by name."""
        return self.common / "lib/tempest/runs"

    @property
    def repository(self) -> Path:
        """Stestr's repository, which has the times of tests."""
        return self.common / "lib/tempest/stestr"

    @cached_property
    def entry(self) -> Mapping[str, Any]:
        """The account in clouds.yaml.

        Raises:
            ValidationError: there is none.
        """
        if self.clouds.exists():
            entry = json.loads(self.clouds.read_text())["clouds"]["validation"]
            if entry["auth"]["password"]:
                return entry
        raise ValidationError(
            "no credentials: relate tempest to keystone, as `microstack test` does by itself"
        )

    def connect(self) -> Connection:
        """Return a connection as the administrator.

        Raises:
            ValidationError: the cloud does not let it in.
        """
        import openstack
        from keystoneauth1.exceptions import ClientException
        from openstack.exceptions import SDKException

        try:
            connection = openstack.connect(
                auth=dict(self.entry["auth"]),
                region_name=self.entry["region_name"],
                load_yaml_config=False,
                load_envvars=False,
            )
            connection.authorize()
        except (ClientException, SDKException) as error:
            raise ValidationError(f"the cloud does not let the tests in: {error}") from None
        return connection

    def account(self) -> settings.Account:
        """Return the account as tempest.conf names its parts."""
        auth = self.entry["auth"]
        return settings.Account(
            username=auth["username"],
            password=auth["password"],
            project=auth["project_name"],
            user_domain=auth["user_domain_name"],
            project_domain=auth["project_domain_name"],
        )

    def new_run(self) -> Path:
        """Make a run's folder; only the newest runs are kept."""
        folder = self.runs / datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        folder.mkdir(mode=0o700, parents=True)
        for old in sorted(self.runs.iterdir())[:-KEPT_RUNS]:
            shutil.rmtree(old)
        return folder


def validate(place: Place, request: Request, say: Say) -> Mapping[str, Any]:
    """Run tests against the cloud; return what came of it.

    Raises:
        ValidationError: nothing could be run.
    """
    connection = place.connect()
    folder = place.new_run()
    stestr = run.Stestr(folder, place.repository)
    started = time.monotonic()
    try:
        say("looking at the cloud")
        cloud = describe(connection, place.image, place.flavor)
        say("looking for tests")
        installed = stestr.installed()
        selection = select(installed, request.wanted, request.include, request.exclude)
        for name in selection.missing:
            say(f"not in this Tempest: {name}")
        for old, new in selection.renamed.items():
            say(f"renamed: {old} is {new}")
        say(f"{len(selection.tests)} tests, {request.concurrency} at a time")
        before = inventory.take(connection)
        outcomes = _follow(connection, cloud, place, stestr, selection, request.concurrency, say)
        left = [str(thing) for thing in before.left(inventory.take(connection))]
    except (CloudError, SelectionError, run.RunError) as error:
        raise ValidationError(str(error)) from None
    seconds = time.monotonic() - started
    facts = _facts(cloud, request, seconds)
    write_reports(folder, request, facts, outcomes, selection, left)
    for line in table(outcomes).splitlines():
        say(line)
    return _result(folder, outcomes, selection, left, seconds)


def generate_config(place: Place) -> Mapping[str, Any]:
    """Write tempest.conf as a run would have it; return where, and what it was made of."""
    connection = place.connect()
    try:
        cloud = describe(connection, place.image, place.flavor)
    except CloudError as error:
        raise ValidationError(str(error)) from None
    folder = place.new_run()
    # A run makes these for itself; the cloud's own stand for them.
    own = settings.Supplies(cloud.image.id, cloud.flavor.id, folder / "guest-image")
    path = _write_config(cloud, place, own, folder, bad_images=True)
    return {
        "config": str(path),
        "image": cloud.image.name,
        "flavor": cloud.flavor.name,
        "network": cloud.external_network[1],
        "volumes": cloud.no_volumes or "yes",
    }


def cleanup(place: Place, say: Say) -> Mapping[str, Any]:
    """Remove what Tempest and Rally made and a run that was cut off has left.

    Raises:
        ValidationError: the cloud does not let the tests in.
    """
    connection = place.connect()
    found = inventory.take(connection).of_tests()
    for thing in found:
        say(f"removing {thing}")
    for thing, answer in removal.remove(connection, found).items():
        say(f"{thing} stays: {answer}")
    left = inventory.take(connection).of_tests()
    return {"removed": len(set(found) - set(left)), "left": [str(thing) for thing in left]}


def _follow(
    connection: Connection,
    cloud: Cloud,
    place: Place,
    stestr: run.Stestr,
    selection: Selection,
    concurrency: int,
    say: Say,
) -> list[Outcome]:
    last = [time.monotonic()]

    def told(outcome: Outcome) -> None:
        if outcome.status == "failed":
            say(f"FAILED {outcome.name}")
        if outcome.status == "failed" or time.monotonic() - last[0] >= PULSE:
            last[0] = time.monotonic()
            say(results.progress)

    results = Results(selection.tests, told)
    with supplies.made(connection, cloud, stestr.folder) as own:
        bad = any(BAD_IMAGES in case.name for case in selection.tests)
        config = _write_config(cloud, place, own, stestr.folder, bad_images=bad)
        stestr.follow(results, concurrency, config)
    return results.end()


def _write_config(
    cloud: Cloud, place: Place, own: settings.Supplies, folder: Path, *, bad_images: bool
) -> Path:
    path = folder / CONFIG
    content = settings.sections(cloud, place.account(), own, folder, bad_images=bad_images)
    path.write_text(settings.render(content))
    return path


def _facts(cloud: Cloud, request: Request, seconds: float) -> dict[str, str]:
    from importlib.metadata import version

    return {
        "tests": str(request),
        "time": f"{seconds:.0f} s, {request.concurrency} at a time",
        "Tempest": version("tempest"),
        "cloud": f"{cloud.auth_url}, region {cloud.region}",
        "guests": f"image {cloud.image.name}, flavor {cloud.flavor.name}",
        "volumes": cloud.no_volumes or "yes",
        "ended": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def write_reports(
    folder: Path,
    request: Request,
    facts: Mapping[str, str],
    outcomes: Sequence[Outcome],
    selection: Selection,
    left: Sequence[str],
) -> None:
    """Write a run's reports into its folder."""
    report.write_junit(folder / "junit.xml", str(request), outcomes)
    report.write_html(
        folder / "report.html", f"Tempest: {request}", facts, outcomes, selection.missing, left
    )
    (folder / "results.json").write_text(
        json.dumps([asdict(outcome) for outcome in outcomes], indent=1)
    )


def _result(
    folder: Path,
    outcomes: Sequence[Outcome],
    selection: Selection,
    left: Sequence[str],
    seconds: float,
) -> dict[str, Any]:
    counts = {
        status: sum(outcome.status == status for outcome in outcomes)
        for status in ("passed", "failed", "skipped")
    }
    return {
        **counts,
        "missing": list(selection.missing),
        "left": list(left),
        "seconds": round(seconds),
        "skip-reasons": reasons(outcomes),
        "failures": {
            outcome.name: outcome.detail[-TRACEBACK:]
            for outcome in outcomes
            if outcome.status == "failed"
        },
        "report": str(folder / "report.html"),
        "junit": str(folder / "junit.xml"),
        "config": str(folder / CONFIG),
    }
