"""The page of guests' screens: the distribution's, with one module of this project's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

LOCAL = Path(__file__).parents[2] / "snap/local"
TICKET = Path("lib/workload/console/ticket.js")


@pytest.fixture
def snap(tmp_path: Path) -> Path:
    """What `$SNAP` has of the page."""
    snap = tmp_path / "snap"
    for path in ("main.js", "ticket.js", "thirdparty/rsa.js"):
        file = snap / "usr/share/spice-html5" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"the distribution's {path}")
    ours = snap / TICKET
    ours.parent.mkdir(parents=True)
    ours.write_text("ours")
    return snap


def start(snap: Path) -> subprocess.CompletedProcess[str]:
    """Start what says what it runs with."""
    environment = {**os.environ, "SNAP": str(snap), "SNAP_COMMON": str(snap.parent / "common")}
    command = [LOCAL / "bin/with-console-page", "echo", "proxy", "--config-file", "a b"]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def page(snap: Path) -> dict[str, str]:
    """What each file of the page holds, by its address."""
    folder = snap.parent / "common/run/nova/console"
    found = os.walk(folder, followlinks=True)
    paths = (Path(at) / name for at, _, names in found for name in names)
    return {str(path.relative_to(folder)): path.read_text() for path in paths}


def test_one_module_is_ours_and_has_the_distributions_beside_it(snap: Path):
    assert start(snap).returncode == 0
    assert page(snap) == {
        "main.js": "the distribution's main.js",
        "thirdparty/rsa.js": "the distribution's thirdparty/rsa.js",
        "ticket.js": "ours",
        "ticket-unpadded.js": "the distribution's ticket.js",
    }


def test_each_start_makes_the_page_anew(snap: Path):
    start(snap)
    first = page(snap)
    (snap / "usr/share/spice-html5/main.js").rename(snap / "usr/share/spice-html5/newer.js")
    done = start(snap)
    assert done.returncode == 0, done.stderr
    assert page(snap).keys() == first.keys() - {"main.js"} | {"newer.js"}


def test_then_the_command_runs(snap: Path):
    assert start(snap).stdout == "proxy --config-file a b\n"


def test_a_page_without_the_module_that_ours_goes_on_from_is_not_served(snap: Path):
    (snap / "usr/share/spice-html5/ticket.js").unlink()
    done = start(snap)
    assert done.returncode != 0
    assert "ticket.js" in done.stderr
    assert not done.stdout
