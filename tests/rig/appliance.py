"""The appliance's own snap in the machine with snapd, as tests install it and use it.

`MICROSTACK_SNAP` names a snap that was built already; without it, it is built first. So does
`MICROSTACK_FORMER_SNAP` with the one of OpenStack's release before.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tenacity
import yaml

from snap import meta
from tests.rig import snapd_image
from tests.rig.snapd_host import CHECKOUT, NAME, PATIENCE, Host
from tests.rig.snapd_machine import Machine, MachineError

SNAP = "microstack.snap"
PARTS = ("distribution", "confinement", "openstack", "machine", "appliance", "guest-image")
"""All but Tempest's."""
UP_TIMEOUT = 900
COMMON = Path("/var/snap/microstack/common")
DAEMONS = ("machine", "snap-api")

GUESTS = """
for process in /proc/[0-9]*; do
    case $(readlink $process/exe) in
        */qemu-system-*) cat $process/attr/current;;
    esac
done
"""
"""Prints the AppArmor profile that each guest is in."""

REQUIREMENTS = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root builds and boots the machine"),
    pytest.mark.skipif(
        sys.version_info[:2] != (3, 11),
        reason="the machine is Debian 12: a snap built for another Python does not run there",
    ),
]


def given(variable: str) -> Path | None:
    """Return the snap that a variable names."""
    path = os.environ.get(variable)
    return Path(path) if path else None


def build(folder: Path, parts: Sequence[str], checkout: Path = CHECKOUT) -> Path:
    """Build the snap of these parts of a checkout; return it."""
    command = [sys.executable, str(checkout / "snap/build.py"), "--output", str(folder)]
    subprocess.run([*command, "--parts", ",".join(parts)], check=True)
    return next(folder.glob("*.snap"))


@contextmanager
def booted(
    folder: Path, memory: str, parts: Sequence[str] = PARTS, more: Mapping[str, Path] | None = None
) -> Generator[Host]:
    """Boot the machine from an overlay of its image, with the snap at hand, and more of them."""
    snaps, backing = folder / "snaps", snapd_image.ensure()
    snaps.mkdir()
    own = given("MICROSTACK_SNAP") or build(folder / "out", parts)
    for name, path in {SNAP: own, **(more or {})}.items():
        os.link(path, snaps / name)
    with Machine(folder / "overlay", folder, backing=backing, memory=memory) as machine:
        host = Host(machine, snaps)
        host.boot()
        yield host


def plugs() -> dict[str, dict[str, Any]]:
    """Return the plugs of the snap, with what is declared of each."""
    document = meta.read(CHECKOUT / "snap/snapcraft.yaml")
    declared: dict[str, dict[str, Any] | None] = document["plugs"]
    parts = (*document["apps"].values(), *document["hooks"].values())
    names = {*declared, *(plug for part in parts for plug in part.get("plugs", ()))}
    return {name: declared.get(name) or {} for name in sorted(names)}


def deploy(host: Host, *applications: str, timeout: float = UP_TIMEOUT) -> str:
    """Run `up` with these applications of the bundle; none means all. Return what it wrote."""
    bundle = yaml.safe_load((CHECKOUT / "bundles/microstack.yaml").read_text())
    names = [name for name in bundle["applications"] if applications and name not in applications]
    overlay = COMMON / "overlay.yaml"
    text = yaml.safe_dump({"applications": dict.fromkeys(names)})
    host.machine.run("sh", "-c", f"cat >{overlay}", given=text)
    command = ["up", "--overlay", str(overlay), "--timeout", f"{timeout:g}"]
    return host.machine.run(NAME, *command, timeout=timeout + PATIENCE).output


def token(host: Host) -> str:
    """Return the project of a token that Keystone issues to the administrator."""
    issue = ["token", "issue", "--format", "value", "--column", "project_id"]
    return host.machine.run("microstack.openstack", *issue, timeout=PATIENCE).output.strip()


def awaited_token(host: Host) -> str:
    """Return the same as soon as Keystone answers; systemd only knows that it was started."""
    return _retrying()(token, host)


def await_libvirt(host: Host) -> None:
    """Wait until libvirt answers; systemd only knows that it was started."""
    _retrying()(host.machine.run, "microstack.virsh", "version")


def _retrying() -> tenacity.Retrying:
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(MachineError),
        stop=tenacity.stop_after_delay(PATIENCE),
        wait=tenacity.wait_fixed(1),
        reraise=True,
    )


def guest_profiles(host: Host) -> str:
    """Return the AppArmor profile that each guest is in, a line each."""
    return host.machine.shell(GUESTS).output
