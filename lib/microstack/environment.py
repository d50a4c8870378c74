"""What a bare machine needs before the command line and the cloud can run.

Python environments are built from the hashed locks in `requirements/` and kept under a name that
holds the lock's digest, so that a changed lock gets a new environment and an unchanged one costs
a single `stat`. Distribution packages are the ones that `snap/snapcraft.yaml` stages: the
snap carries them, a checkout installs them.

Only the standard library is imported at the top: the launcher uses this module before there is
any environment.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

CACHE = Path(os.environ.get("MICROSTACK_CACHE", "/var/cache/microstack"))
"""Environments and the guest image; kept by `remove`, as installed packages are."""

LACKING = {("debian", "12"): {"qemu-system-modules-spice"}}
"""Packages that a release does not have, because what is in them is in another one there."""

OF_THE_SNAP_ALONE = ("confinement",)
"""Parts whose packages a checkout does without: it leaves the host's AppArmor as it is."""

PYTHON = "/usr/bin/python3"
"""The distribution's interpreter: libvirt-python and uWSGI are built against its headers."""

POLICY = Path("/usr/sbin/policy-rc.d")
NO_STARTS = "#!/bin/sh\n# Made by microstack while it installs packages.\nexit 101\n"

Progress = Callable[[str], None]


class InstallationError(Exception):
    """An environment or a package could not be installed; the message says which and why."""


def environment_path(lock: Path) -> Path:
    """Return where the environment of a lock file is kept (whether or not it is built)."""
    digest = hashlib.sha256(lock.read_bytes())
    digest.update(f"{sys.version_info[:2]}{sysconfig.get_platform()}".encode())
    return CACHE / f"{lock.stem}-{digest.hexdigest()[:12]}"


def ensure_environment(lock: Path, progress: Progress, *, system_packages: bool = False) -> Path:
    """Build the virtual environment of `lock` unless it is there; return its folder.

    Args:
        lock: hashed requirements.
        progress: called before what takes time.
        system_packages: whether the distribution's own Python packages are seen in it too.

    Raises:
        InstallationError: a package could not be installed.
    """
    target = environment_path(lock)
    complete = target / "complete"
    if complete.exists():
        return target
    with _exclusive(CACHE / "lock"):
        if complete.exists():
            return target
        progress(f"installing Python packages ({lock.name})")
        shutil.rmtree(target, ignore_errors=True)
        seen = ["--system-site-packages"] if system_packages else []
        _run([PYTHON, "-m", "venv", *seen, str(target)])
        _run([*_installer(target, lock), "--require-hashes", "--requirement", str(lock)])
        complete.touch()
    return target


def _installer(target: Path, lock: Path) -> list[str]:
    """Return the command that installs into `target`: uv once the project's environment is there.

    pip makes the first environment; uv, which is in it, makes the others in a third of the time.
    """
    uv = environment_path(lock.with_name("project.txt")) / "bin/uv"
    if uv.exists():
        python = str(target / "bin/python")
        # Of itself, uv trusts certificates of its own choice alone; pip those of the system.
        options = ["--quiet", "--system-certs", "--compile-bytecode", "--python", python]
        return [str(uv), "pip", "install", *options]
    return [str(target / "bin/python"), "-m", "pip", "install", "--quiet", "--no-input"]


def ensure_packages(packages: Sequence[str], progress: Progress) -> None:
    """Install the Debian packages that are missing, without letting them start services.

    Raises:
        InstallationError: apt-get refused, or there is no apt-get.
    """
    installed = _installed(packages)
    missing = [name for name in packages if name not in installed]
    before = CACHE / "units-before"
    if not missing and not before.exists():
        return
    if shutil.which("apt-get") is None:
        raise InstallationError(
            f"these packages are missing and there is no apt-get to install them: "
            f"{' '.join(missing)}"
        )
    with _exclusive(CACHE / "lock"):
        progress(f"installing {len(missing)} distribution packages")
        apt = ["apt-get", "--quiet", "--quiet", "--option", "DPkg::Lock::Timeout=300"]
        _run([*apt, "update"])
        # Kept in a file, so that a run that was cut off is made good by the next one.
        if not before.exists():
            before.write_text("\n".join(_unit_files()))
        with _no_service_starts():
            _run([*apt, "install", "--yes", "--no-install-recommends", *missing])
        _disable(_unit_files() - set(before.read_text().split()))
        before.unlink()


def distribution_packages(snapcraft: Path) -> list[str]:
    """Return the packages that the snap's parts stage and build with: what a checkout installs."""
    import yaml

    document: dict[str, Any] = yaml.safe_load(snapcraft.read_text())
    names: list[str] = []
    for name, part in document["parts"].items():
        if name in OF_THE_SNAP_ALONE:
            continue
        names += [*part.get("build-packages", ()), *part.get("stage-packages", ())]
    return sorted(set(names) - lacking())


def lacking() -> set[str]:
    """Return the packages that this release does not have, as it has what is in them elsewhere."""
    return LACKING.get(_release(), set())


def _release() -> tuple[str, str]:
    """Return the distribution and its version, e.g. `("debian", "12")`."""
    try:
        known = platform.freedesktop_os_release()
    except OSError:
        return "", ""
    return known.get("ID", ""), known.get("VERSION_ID", "")


def link_snap_tree(snap: Path, checkout: Path, openstack: Path) -> None:
    """Lay out in a checkout's `$SNAP` the names that the real snap has there."""
    snap.mkdir(parents=True, exist_ok=True)
    targets = {
        "usr": Path("/usr"),
        "openstack": openstack,
        "bin": checkout / "snap/local/bin",
        "lib": checkout / "lib",
        "snap": checkout / "snap",
    }
    for name, target in targets.items():
        _link(snap / name, target)


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and Path(os.readlink(link)) == target:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def prepare(snap: Path, checkout: Path, progress: Progress) -> None:
    """Install everything the cloud runs from; quick when there is nothing to do.

    Args:
        snap: where `$SNAP` is laid out.
        checkout: the project's folder.
        progress: called with a line for each step that takes time.

    Raises:
        InstallationError: see the functions above.
    """
    ensure_packages(distribution_packages(checkout / "snap/snapcraft.yaml"), progress)
    openstack = ensure_environment(checkout / "requirements/openstack.txt", progress)
    _collect_dashboard_files(openstack, checkout, progress)
    link_snap_tree(snap, checkout, openstack)


def prepare_tests(snap: Path, checkout: Path, progress: Progress) -> None:
    """Install Tempest and Rally, which a cloud needs only to be tested.

    Raises:
        InstallationError: a package could not be installed.
    """
    folder = ensure_environment(checkout / "requirements/tempest.txt", progress)
    _link(snap / "tempest", folder)


def _collect_dashboard_files(openstack: Path, checkout: Path, progress: Progress) -> None:
    """Put Horizon's static files where it serves them from; they are part of the environment."""
    target = openstack / "share/dashboard"
    if target.exists():
        return
    progress("collecting the dashboard's files")
    command = [str(openstack / "bin/python"), "-m", "workload.jobs.dashboard_static", str(target)]
    _run(command, PYTHONPATH=str(checkout / "lib"))


def _installed(packages: Sequence[str]) -> set[str]:
    """Return which of these packages are installed; one question for all, as each costs a fork."""
    shown = "${Package} ${db:Status-Status}\n"
    query = ["dpkg-query", "--show", "--showformat", shown, *packages]
    # It fails where one of them is not known, and tells of the others all the same.
    result = subprocess.run(query, capture_output=True, text=True, check=False)
    lines = (line.split() for line in result.stdout.splitlines())
    return {name for name, status in lines if status == "installed"}


def _run(command: Sequence[str], **variables: str) -> None:
    # The user's pip may be set up to install elsewhere than into the environment it belongs to.
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    here = {"PIP_USER": "no", "PIP_REQUIRE_VIRTUALENV": "no", "DEBIAN_FRONTEND": "noninteractive"}
    environment = {**inherited, **here, **variables}
    result = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if result.returncode:
        last = "\n".join((result.stderr or result.stdout).strip().splitlines()[-5:])
        raise InstallationError(f"{' '.join(command[:4])} ... failed:\n{last}")


@contextlib.contextmanager
def _exclusive(path: Path) -> Generator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Whoever may read a file can lock it, and so keep root waiting.
    path.touch(mode=0o600)
    path.chmod(0o600)
    with path.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _no_service_starts() -> Generator[None]:
    """Keep package scripts from starting daemons (invoke-rc.d's policy layer, policy-rc.d(8))."""
    # One of our own is there where a run was killed; another is somebody else's, and says enough.
    if POLICY.exists() and POLICY.read_text(errors="replace") != NO_STARTS:
        yield
        return
    POLICY.write_text(NO_STARTS)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def _unit_files() -> set[str]:
    folders = (Path("/lib/systemd/system"), Path("/usr/lib/systemd/system"))
    return {
        path.name
        for folder in folders
        for path in folder.glob("*")
        if path.suffix in {".service", ".socket", ".timer"} and "@" not in path.name
    }


def _disable(units: set[str]) -> None:
    """The appliance runs these programs itself: their own units must not start at boot."""
    if units and shutil.which("systemctl"):
        now = ["--now"] if Path("/run/systemd/system").is_dir() else []
        _run(["systemctl", "disable", *now, *sorted(units)])
