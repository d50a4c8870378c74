"""Which revision of the snap files and services follow: the hook `configure` notes it at its end.

Until then a refresh or revert is under way: snapd starts the appliance's own services before it
runs that hook.
"""

from __future__ import annotations

from pathlib import Path

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from workload import atomic
from workload.layout import Layout

PAUSE = 0.2


def followed(layout: Layout) -> str:
    """Return the revision that was noted last; before there is a note, this one."""
    path = _path(layout)
    return path.read_text() if path.exists() else layout.revision


def note(layout: Layout) -> None:
    """Note this revision."""
    atomic.write(_path(layout), layout.revision.encode())


def await_noted(layout: Layout, timeout: float) -> bool:
    """Return whether this revision is noted, within some seconds."""
    retrying = Retrying(
        retry=retry_if_result(lambda revision: revision != layout.revision),
        wait=wait_fixed(PAUSE),
        stop=stop_after_delay(timeout),
        retry_error_callback=lambda _: "",
    )
    return retrying(followed, layout) == layout.revision


def _path(layout: Layout) -> Path:
    return layout.root / "revision"
