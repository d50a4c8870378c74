"""What the snap's hooks run: `python -m workload.snapd.hooks NAME`.

What `configure` raises makes snapd refuse the change and put the config back that was.
https://snapcraft.io/docs/supported-snap-hooks
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from workload import atomic, render
from workload.components import ALL
from workload.host.things import Directory, File
from workload.layout import Layout
from workload.ledger import Ledger, LedgerError
from workload.runtime import options, processes
from workload.runtime.services import Services, State
from workload.runtime.snap import REFUSALS, Snap
from workload.service_table import ServiceTable
from workload.snapd import leftovers, revision
from workload.snapd.config import SnapConfig
from workload.snapd.services import SnapdServices
from workload.snapd.snapctl import SnapctlError

LOCK_TIMEOUT = 10.0
"""Seconds for a component that the API's server is configuring; it may itself wait for this hook
to end before it can start a service, so this one gives way."""

LIBVIRT_RUN = Path("/run/libvirt")
"""Compiled into libvirt. A layout cannot put another folder there, so the snap uses this one."""

IPTABLES_LOCK = Path("/run/xtables.lock")
"""Made by the first iptables that runs after a boot, and left."""

FAILURES = (LedgerError, SnapctlError, processes.ProcessesLeftError)

OPTIONS_PROGRAM = (sys.executable, "-m", "microstack.options")
"""Takes the options of charms. It knows of the model, of which this plane does not."""


def install() -> None:
    """Make the folders; nothing is configured, so nothing runs yet."""
    layout = Layout.from_environment()
    render.make_folders(layout)
    # Made by libvirt and iptables, as often as the host boots; undone last, as they come first.
    ledger = Ledger(layout.ledger)
    ledger.make("libvirtd", Directory(path=LIBVIRT_RUN, contents=True), lambda: None)
    ledger.make("iptables", File(path=IPTABLES_LOCK), lambda: None)


def configure() -> None:
    """Follow config that was set; in a refresh or revert, also what is new of this revision.

    snapd leaves running what belongs to the cloud (`refresh-mode: endure`). Here, and not in
    `post-refresh`, is decided what is restarted: that hook would have to wait for it, and snapd
    undoes a refresh when it takes longer than two and a half minutes. A revert to the oldest
    revision is like an install to snapd: it disables all services.
    """
    layout = Layout.from_environment()
    render.make_folders(layout)
    store = SnapConfig(layout)
    runner = SnapdServices(ServiceTable.load(layout.snapcraft))
    before, enabled = revision.followed(layout), _noted(_enabled(layout))
    moved = before != layout.revision
    all_disabled = moved and not runner.enabled()
    failed = runner.failed(_noted(_asked(layout)))
    if all_disabled:
        failed += runner.lost(enabled)
    revisions = (before, layout.revision) if moved else ()
    outcome = _snap(layout, store, runner).follow(revisions=revisions, failed=failed)
    _note(_asked(layout), [*outcome.started, *outcome.restarted])
    if all_disabled:
        runner.enable_again(enabled)
    store.hide(store.document())
    revision.note(layout)


def pre_refresh() -> None:
    """Note what is enabled: snapd removes all services before the new revision's hooks run."""
    layout = Layout.from_environment()
    runner = SnapdServices(ServiceTable.load(layout.snapcraft))
    _note(_enabled(layout), runner.enabled())


def connect() -> None:
    """Start again what died: what it was not allowed before, it may be now.

    An interface that the store does not connect by itself is connected after services have tried.
    """
    runner = SnapdServices(ServiceTable.load(Layout.from_environment().snapcraft))
    listed = runner.processes().items()
    died = [name for name, process in listed if process.state is State.FATAL]
    runner.apply(start=died, restart=(), stop=())


def remove() -> None:
    """Leave the host as it was found; snapd has stopped the services."""
    leftovers.end()
    Ledger(Layout.from_environment().ledger).undo()


HOOKS: dict[str, Callable[[], None]] = {
    "configure": configure,
    "connect-plug-microstack-support": connect,
    "install": install,
    "pre-refresh": pre_refresh,
    "remove": remove,
}


def main(arguments: Sequence[str]) -> int:
    """Run a hook; return its exit code."""
    try:
        HOOKS[arguments[0]]()
    except (*REFUSALS, *FAILURES) as error:
        print(error, file=sys.stderr)  # noqa: T201, snapd shows it to the user
        return 1
    return 0


def _snap(layout: Layout, store: SnapConfig, runner: Services | None = None) -> Snap:
    table = ServiceTable.load(layout.snapcraft)
    runner = runner or SnapdServices(table)
    return Snap(
        layout,
        ALL.values(),
        table,
        runner,
        store=store,
        lock_timeout=LOCK_TIMEOUT,
        on_options=partial(options.hand_on, OPTIONS_PROGRAM),
    )


def _enabled(layout: Layout) -> Path:
    """Where it is noted what was enabled before this revision came; a revert forgets it."""
    return layout.root / "enabled"


def _asked(layout: Layout) -> Path:
    """Where it is noted what snapd was asked to start once the hook has ended."""
    return layout.root / "asked"


def _noted(path: Path) -> list[str]:
    return json.loads(path.read_text()) if path.exists() else []


def _note(path: Path, services: list[str]) -> None:
    atomic.write(path, json.dumps(services).encode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
