"""AppArmor for guests, in the snap: what libvirt makes their profiles of.

libvirt gives each guest a profile of its own where one is loaded that is called `libvirtd` or as
its program is, and where the template is below /etc/apparmor.d (libvirt,
src/security/security_apparmor.c). In the snap libvirt has the profile that snapd made, and a
layout has $SNAP_COMMON/etc/apparmor.d in that place. This is run before each start of libvirt, so
that a refresh brings its own; it says why guests run unconfined where they do.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

from workload.host.things.apparmor import PROFILES, GuestProfiles, Profile
from workload.layout import Layout
from workload.ledger import Ledger

STAND_IN = "libvirtd"
"""The profile that libvirt looks for; where the host's own libvirt has loaded it, that serves."""

OWNER = "libvirtd"


class ProfileError(Exception):
    """Guests cannot be confined; the message says why."""


def prepare(layout: Layout) -> None:
    """Lay out the templates, and load the profile that libvirt looks for.

    Raises:
        ProfileError: this host's kernel or snapd does not let guests be confined.
    """
    try:
        PROFILES.read_text()
    except OSError as error:
        raise ProfileError(f"AppArmor: {PROFILES}: {error.strerror}") from None
    folder = layout.etc / "apparmor.d"
    shutil.copytree(layout.snap / "usr/share/apparmor.d", folder, dirs_exist_ok=True)
    ledger = Ledger(layout.ledger)
    ledger.make(OWNER, GuestProfiles(folder=folder / "libvirt"), lambda: None)
    ledger.make(OWNER, Profile(name=STAND_IN), lambda: _load(f"{folder}/microstack-libvirtd"))


def _load(path: str) -> None:
    try:
        subprocess.run(
            ["apparmor_parser", "--replace", "--skip-cache", path],
            check=True,
            capture_output=True,
            text=True,
        )
    except OSError as error:
        raise ProfileError(f"apparmor_parser: {error.strerror}") from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or ["no message"]
        raise ProfileError(f"apparmor_parser: {lines[-1]}") from None


def main() -> None:
    """Run as a program; libvirt is started whatever comes of it."""
    layout = Layout.from_environment()
    layout.guests_confined.unlink(missing_ok=True)
    try:
        prepare(layout)
        layout.guests_confined.touch()
    except ProfileError as error:
        print(f"guests run unconfined: {error}", file=sys.stderr)  # noqa: T201, the service's log


if __name__ == "__main__":
    main()
