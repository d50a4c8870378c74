"""What `up` makes sure of before it changes anything."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microstack import host
from microstack.errors import Failure, HostFailure
from microstack.host import Facts, Finding

if TYPE_CHECKING:
    from microstack.installation import Machine

Options = Mapping[str, Mapping[str, Any]]
"""Options of applications that have a value, by application."""

SUBNET_OPTION = "external-bridge-address"
BRIDGE_OPTION = "external-bridge"

NO_OFFERS = (
    "only models of this host offer something: bring the cloud up without saas, "
    "add the model that offers it, then run up again with saas"
)
"""What to do about offers that are not there, on a host where nothing was ever brought up."""


@dataclass(frozen=True)
class Wanted:
    """What a bundle will need of the host.

    Attributes:
        ports: TCP port -> the option that sets it, e.g. `keystone.port`.
        address: the host's address on the provider network, None where no charm asks for one.
        bridge: the bridge that has it.
        application: the application whose option it is.
        chosen: whether the bundle sets it, instead of leaving it at its default.
        applications: what it deploys.
        offers: of other models, which it relates to and only the agent knows; by URL.
    """

    ports: Mapping[int, str]
    address: str | None
    bridge: str
    application: str
    chosen: bool
    applications: frozenset[str] = frozenset()
    offers: tuple[str, ...] = ()


def read(
    bundle: Path,
    overlays: Sequence[Path],
    deployed: Options | None = None,
    *,
    others: bool = False,
) -> Wanted:
    """Verify a bundle whole, and read what it will need.

    Args:
        bundle: the bundle's file.
        overlays: files merged over it.
        deployed: options of the applications that are there; a bundle leaves those that it
            does not set as they are.
        others: whether there may be other models, whose offers are then for `verify_offers`.

    Raises:
        Failure: naming everything that is wrong with it, with file and line.
    """
    from machine.bundle import BundleError, plan
    from machine.plan import AddApplication

    try:
        planned = plan(bundle, overlays, models=None if others else ())
    except BundleError as error:
        hints = ["nothing was changed", *([NO_OFFERS] if error.unknown_offers else [])]
        raise Failure(str(error), "\n".join(hints)) from None
    known = deployed or {}
    needs = wanted(
        (c.name, {**c.charm.defaults, **known.get(c.name, {}), **c.options}, c.options)
        for c in planned.changes
        if isinstance(c, AddApplication)
    )
    return replace(needs, offers=planned.unseen)


def verify_offers(machine: Machine, bundle: Path, overlays: Sequence[Path]) -> None:
    """Have the agent, which has the other models, verify a bundle that relates to them.

    Raises:
        Failure: naming everything that is wrong with it, with file and line.
    """
    from machine.client import BundleError

    try:
        machine.deploy(bundle, overlays, dry_run=True)
    except BundleError as error:
        raise Failure(str(error), "nothing was changed") from None


def deployed(machine: Machine) -> Options:
    """Return the options of the applications that are there."""
    return {name: machine.config(name) for name in machine.status()["applications"]}


def wanted(
    applications: Iterable[tuple[str, Mapping[str, Any], Collection[str]]],
) -> Wanted:
    """Return what applications need: each one's name, options' values, and options chosen."""
    ports: dict[int, str] = {}
    address, bridge, owner, chosen = None, "", "", False
    names: set[str] = set()
    for name, values, given in applications:
        names.add(name)
        for option, value in values.items():
            if isinstance(value, int) and option.split("-")[-1] == "port":
                ports.setdefault(value, f"{name}.{option}")
        if SUBNET_OPTION in values:
            address = str(values[SUBNET_OPTION]) or None
            bridge, owner = str(values.get(BRIDGE_OPTION, "")), name
            chosen = SUBNET_OPTION in given
    return Wanted(ports, address, bridge, owner, chosen, frozenset(names))


def check(facts: Facts, wanted: Wanted, running: bool) -> list[Finding]:
    """Judge the host; what a cloud that is `running` here uses is not missing."""
    findings = [
        host.check_root(facts),
        host.check_distribution(facts),
        host.check_memory(facts, running),
        *host.check_disk(facts, running),
        *host.check_reach(facts),
        *host.check_ports(facts, wanted.ports),
        *host.check_features(facts),
    ]
    if wanted.address and wanted.chosen:
        findings.append(host.check_subnet(facts, wanted.address, wanted.bridge))
    return findings


def require(findings: Iterable[Finding]) -> None:
    """Refuse a host that is not fit.

    Raises:
        HostFailure: with everything that is wrong, one line each.
    """
    failed = [finding for finding in findings if finding.level == "fail"]
    if failed:
        hints = dict.fromkeys(finding.hint for finding in failed if finding.hint)
        raise HostFailure("\n".join(f.text for f in failed), "\n".join(hints) or None)


@contextmanager
def subnet_overlay(facts: Facts, wanted: Wanted, running: bool) -> Generator[list[Path]]:
    """Give an overlay that moves the provider network where its default is taken.

    A subnet that the user chose is never moved: `check` refuses it instead. Nor is that of a
    cloud that runs already.

    Raises:
        HostFailure: no subnet of the size is free.
    """
    if wanted.address is None or wanted.chosen or running:
        yield []
        return
    address = host.free_address(facts, wanted.address, wanted.bridge)
    if address is None:
        taken = host.check_subnet(facts, wanted.address, wanted.bridge)
        raise HostFailure(taken.text, taken.hint)
    if address == wanted.address:
        yield []
        return
    with tempfile.TemporaryDirectory() as folder:
        overlay = Path(folder) / "subnet.yaml"
        overlay.write_text(
            f"applications:\n  {wanted.application}:\n"
            f'    options:\n      {SUBNET_OPTION}: "{address}"\n'
        )
        yield [overlay]
