"""The workload plane under snapd: what the snap's hooks run.

The same engine as in the snap runtime, with services controlled by snapctl and config read from
it (https://snapcraft.io/docs/using-snapctl).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workload.components import ALL
from workload.configure import OPTIONS, ConfigError, Engine, ServiceError
from workload.layout import SNAP_NAME, Layout
from workload.ledger import Ledger, LedgerError
from workload.render import RenderError

SNAPCTL = "snapctl"


@dataclass(frozen=True)
class SnapLayout(Layout):
    """The folders snapd gives a snap; only those that the engine uses."""

    @property
    def snap(self) -> Path:
        """`$SNAP`."""
        return Path(os.environ["SNAP"])

    @property
    def snap_data(self) -> Path:
        """`$SNAP_DATA`."""
        return Path(os.environ["SNAP_DATA"])

    @property
    def snap_common(self) -> Path:
        """`$SNAP_COMMON`."""
        return Path(os.environ["SNAP_COMMON"])


class Snapctl:
    """Service control by snapd; a service that may run is enabled, so that it starts at boot."""

    def apply(self, *, start: Sequence[str], restart: Sequence[str], stop: Sequence[str]) -> None:
        """Make these changes; snapd orders starts by `after` and `before`."""
        self._control("stop", "--disable", stop)
        self._control("start", "--enable", start)
        self._control("restart", None, restart)

    def _control(self, action: str, option: str | None, services: Sequence[str]) -> None:
        if not services:
            return
        names = [f"{SNAP_NAME}.{service}" for service in services]
        command = [SNAPCTL, action, *([option] if option else []), *names]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except subprocess.CalledProcessError as error:
            raise ServiceError(f"cannot {action} {', '.join(services)}: {error.stderr}") from None


def read_config(keys: Iterable[str]) -> dict[str, Any]:
    """Return snap config's sections of these names; those without a value are left out."""
    command = [SNAPCTL, "get", "-d", *keys]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return {key: value for key, value in document.items() if value is not None}


def configure() -> None:
    """The `configure` hook: what it raises makes snapd refuse the change and restore config."""
    engine = _engine()
    document = read_config([*ALL, OPTIONS])
    engine.configure(document, only=engine.changed(document))


def install() -> None:
    """The `install` hook: nothing is configured, so nothing runs yet."""
    configure()


def remove() -> None:
    """The `remove` hook: leave the host as it was found."""
    Ledger(_layout().ledger).undo()


HOOKS: dict[str, Callable[[], None]] = {
    "configure": configure,
    "install": install,
    "remove": remove,
}


def main(arguments: Sequence[str]) -> int:
    """Run a hook as a program; returns its exit code."""
    try:
        HOOKS[arguments[0]]()
    except (ConfigError, LedgerError, RenderError, ServiceError) as error:
        print(error, file=sys.stderr)  # noqa: T201, snapd shows it to the user
        return 1
    return 0


def _engine() -> Engine:
    layout = _layout()
    return Engine(ALL.values(), layout, Snapctl())


def _layout() -> Layout:
    return SnapLayout()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
