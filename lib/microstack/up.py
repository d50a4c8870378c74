"""`microstack up`: from a bare host, or from wherever it was left, to a running cloud.

Every step is idempotent and keeps what it did, so that a run that was cut off is resumed by the
next one.
"""

from __future__ import annotations

import queue
import shlex
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import typer

from microstack import duration, options, preflight
from microstack.errors import Failure, Interrupted, UsageFailure
from microstack.installation import Installation, Machine, program
from microstack.model import Application, Status, applications
from microstack.progress import Progress, progress

EXAMPLES = """\b
Examples:
  microstack up
  microstack up --overlay small.yaml --image https://example.org/cloud.qcow2
"""

TIMEOUT = 1800.0
"""A slow machine with everything to install takes minutes; half an hour means that it hangs."""

QUIET_BLOCKED = 10.0
"""Nothing runs and what is not active is blocked: only the user can change that."""

QUIET = 120.0
"""Nothing runs and nothing changes: longer than the machine waits before the first retries."""

REACTION = 1.0
"""What a hook of one unit causes at others has begun by then."""

MANY = 12
"""Changes to the model that are still listed one by one."""

PULSE = 0.5
"""Seconds between two looks at the clock while nothing changes."""

RECONNECT = 30.0
"""The supervisor starts a killed agent again in a second or two."""


def up(
    bundle: Annotated[
        Path | None, typer.Option("--bundle", metavar="FILE", help="Bundle to deploy.")
    ] = None,
    overlay: Annotated[
        list[Path] | None,
        typer.Option("--overlay", metavar="FILE", help="Overlay of the bundle; may be repeated."),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(metavar="FILE|URL", help="Image for guests besides the built-in one."),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            parser=duration.parse,
            metavar="DURATION",
            help="How long to wait for the applications, e.g. 900 or 15m.",
        ),
    ] = TIMEOUT,
    shuffle: Annotated[
        int | None,
        typer.Option(
            metavar="SEED", hidden=True, help="For tests: hooks one at a time, in another order."
        ),
    ] = None,
) -> None:
    """Bring the cloud up; resumes after any interruption."""
    request = Request(bundle, tuple(overlay or ()), image, timeout)
    installation = Installation.from_environment()
    if shuffle is not None:
        installation = replace(installation, shuffle=shuffle)
    try:
        with progress(sys.stdout) as shown:
            lines = bring_up(installation, request, shown)
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted; what is up so far stays up",
            f"resume with {program()} {request}, or undo it with {program()} remove",
        ) from None
    typer.echo("\n".join(["", *lines]))


@dataclass(frozen=True)
class Request:
    """What the user asks `up` for."""

    bundle: Path | None = None
    overlays: tuple[Path, ...] = ()
    image: str | None = None
    timeout: float = TIMEOUT

    def __str__(self) -> str:
        words = ["up", *(["--bundle", str(self.bundle)] if self.bundle else [])]
        for overlay in self.overlays:
            words += ["--overlay", str(overlay)]
        words += ["--image", self.image] if self.image else []
        return shlex.join(words)


def bring_up(installation: Installation, request: Request, shown: Progress) -> list[str]:
    """Bring the cloud up; return the lines to end with.

    Raises:
        Failure: a step failed, or an application did not become active.
    """
    bundle = request.bundle or installation.bundle
    for file in (bundle, *request.overlays):
        if not file.is_file():
            raise UsageFailure(f"{file}: no such file", "name a bundle or overlay in YAML")
    shown.step("looking at the host")
    deployed = _deployed(installation)
    wanted = preflight.read(bundle, request.overlays, deployed, others=installation.exists)
    if wanted.offers and deployed is not None:
        preflight.verify_offers(installation.machine(), bundle, request.overlays)
    if installation.exists and deployed is None:
        # Which ports its options name cannot be asked now; a taken one shows in its status.
        wanted = replace(wanted, ports={})
    facts = installation.observe()
    preflight.require(preflight.check(facts, wanted, installation.running))
    with (
        installation.exclusively(),
        preflight.subnet_overlay(facts, wanted, installation.exists) as moved,
        options.overlay(installation.options()) as chosen,
    ):
        installation.prepare(shown.step)
        if "tempest" in wanted.applications:
            installation.prepare_tests(shown.step)
        shown.step("starting the machine agent and the snap runtime")
        installation.start()
        shown.step("deploying the bundle")
        machine = installation.machine()
        for line in summary(machine.deploy(bundle, (*moved, *chosen, *request.overlays))):
            shown.note(line)
        machine.update_status()
        shown.step("waiting for the applications")
        final = Watch(installation.machine, shown, request.timeout).until_settled()
        shown.step("making networks, flavors, image and credentials")
        endpoints = installation.set_up_cloud(machine, request.image, shown.step)
    return [*_host_lacks(final), *endpoints]


def _deployed(installation: Installation) -> preflight.Options | None:
    """Return the options of what is there, None where the agent cannot be asked just now."""
    from machine.client import Error

    try:
        return preflight.deployed(installation.machine())
    except (Error, Failure):
        return None


def summary(changes: Sequence[str]) -> list[str]:
    """Return what a deployment changed: line for line, or counted where it is much."""
    warnings = [line for line in changes if line.startswith("warning: ")]
    if len(changes) <= MANY:
        return list(changes)
    counted = Counter(line.split()[1] for line in changes if line not in warnings)
    counts = ", ".join(f"{count} {thing}s" for thing, count in counted.items())
    return [f"deployed: {counts}", *warnings]


def _host_lacks(final: Iterable[Application]) -> list[str]:
    return [f"{app.name} is off: {app.host_lacks}" for app in final if app.host_lacks]


@dataclass
class Watch:
    """Follows the applications until there is nothing more to wait for.

    Attributes:
        connect: gives a client of the agent; again after the agent was lost.
        timeout: seconds for all of it.
    """

    connect: Callable[[], Machine]
    shown: Progress
    timeout: float
    clock: Callable[[], float] = time.monotonic
    _told: set[tuple[str, str]] = field(init=False, default_factory=set[tuple[str, str]])

    def until_settled(self) -> list[Application]:
        """Return the applications once each is active, or says what its host lacks.

        Raises:
            Failure: naming what is not active and why, when time is up or nothing moves.
        """
        deadline = self.clock() + self.timeout
        heard = changed = self.clock()
        current: list[Application] = []
        seen: list[Application] = []
        looked_again: set[str] | None = None
        changes = self._listen()
        while True:
            try:
                change = changes.get(timeout=PULSE)
            except queue.Empty:
                change = None
            now = self.clock()
            if isinstance(change, Exception):
                changes = self._reconnect(change)
            elif change is not None:
                current, heard = applications(change), now
                if seen != (picture := [_without_looks(application) for application in current]):
                    seen, changed = picture, now
                self.shown.show(current)
                self._tell_failures(current)
                if all(application.settled for application in current):
                    return current
            if now > deadline:
                raise not_active(current, f"after {self.timeout:g} s")
            if now - heard > REACTION and now - changed > _patience(current):
                waiting = {app.name for app in current if not app.settled}
                if waiting == looked_again:
                    raise not_active(current, "and nothing is running that would change it")
                # On a slow machine, what did not answer in time may well do so by now.
                looked_again, changed = waiting, now
                self.connect().update_status()

    def _listen(self) -> queue.Queue[Status | Exception]:
        """Put each status that the agent sends into a queue, so that waiting stays bounded."""
        changes: queue.Queue[Status | Exception] = queue.Queue()
        machine = self.connect()

        def listen() -> None:
            try:
                for status in machine.watch():
                    changes.put(status)
                changes.put(ConnectionError("the machine agent closed the connection"))
            except Exception as error:  # whatever it is, the waiting thread must hear of it
                changes.put(error)

        threading.Thread(target=listen, name="watch", daemon=True).start()
        return changes

    def _reconnect(self, lost: Exception) -> queue.Queue[Status | Exception]:
        """Listen again after the agent was lost: its supervisor starts it again.

        Raises:
            Failure: it did not come back.
        """
        import tenacity

        try:
            for attempt in tenacity.Retrying(
                stop=tenacity.stop_after_delay(RECONNECT), wait=tenacity.wait_fixed(0.2)
            ):
                with attempt:
                    self.connect().status()
        except tenacity.RetryError:
            raise Failure(
                f"the machine agent does not answer: {lost}", f"{program()} logs machine"
            ) from None
        return self._listen()

    def _tell_failures(self, current: Iterable[Application]) -> None:
        """Tell of each failed hook once, when it happens."""
        for application in current:
            for unit in application.failed_units:
                if (unit.name, unit.message) not in self._told:
                    self._told.add((unit.name, unit.message))
                    where = f"{program()} debug-log --app {application.name}"
                    self.shown.note(f"{unit.name}: {unit.message} (see: {where})")


def _without_looks(application: Application) -> Application:
    """Return it as it is while its units do not look at their status, which changes nothing."""
    units = [
        replace(unit, agent="idle", agent_message="") if unit.looks else unit
        for unit in application.units
    ]
    return replace(application, units=tuple(units))


def _patience(current: Sequence[Application]) -> float:
    waiting = [application for application in current if not application.settled]
    if not current or any(application.busy for application in current):
        return float("inf")
    return QUIET_BLOCKED if all(app.status == "blocked" for app in waiting) else QUIET


def not_active(current: Sequence[Application], when: str) -> Failure:
    """Return the failure that names the applications that are not active, and why."""
    waiting = [application for application in current if not application.settled]
    names = "; ".join(
        f"{app.name} ({app.status}{f': {app.message}' if app.message else ''})" for app in waiting
    )
    count = f"{len(waiting)} of {len(current)} applications are not active {when}"
    example = waiting[0].name if waiting else "NAME"
    hint = f"{program()} doctor explains; {program()} debug-log --app {example}"
    return Failure(f"{count}: {names}", hint)
