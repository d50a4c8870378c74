"""Profiles of AppArmor that are loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from workload.host.things.thing import Thing

PROFILES = Path("/sys/kernel/security/apparmor/profiles")
"""A line for each profile that is loaded: its name, and its mode in parentheses."""

PROFILE_REMOVAL = PROFILES.with_name(".remove")


class Profile(Thing):
    """A profile of AppArmor that is loaded."""

    kind: Literal["apparmor-profile"] = "apparmor-profile"
    name: str

    def __str__(self) -> str:
        return f"AppArmor profile {self.name}"

    def exists(self) -> bool:
        """Whether it is loaded."""
        return self.name in _profiles()

    def undo(self) -> None:
        """Unload it."""
        PROFILE_REMOVAL.write_text(self.name)


class GuestProfiles(Thing):
    """Profiles of AppArmor that libvirt makes and names by itself, one for each guest.

    Attributes:
        folder: with a file for each, named as it is; the host's own libvirt has another.
    """

    kind: Literal["guest-profiles"] = "guest-profiles"
    folder: Path

    def __str__(self) -> str:
        return "AppArmor profiles of guests"

    def exists(self) -> bool:
        """Whether any is loaded."""
        return bool(self._loaded())

    def undo(self) -> None:
        """Unload them."""
        for name in self._loaded():
            PROFILE_REMOVAL.write_text(name)

    def _loaded(self) -> list[str]:
        loaded = _profiles()
        return [path.name for path in self.folder.glob("libvirt-*") if path.name in loaded]


def _profiles() -> set[str]:
    lines = PROFILES.read_text().splitlines() if PROFILES.exists() else []
    return {line.rpartition(" (")[0] for line in lines}
