"""The broker's database, where the broker was killed while it made or upgraded that."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "snap/local/bin/rabbitmq-database"
NODE = "microstack@localhost"
WHOLE = ("schema.DAT", "msg_stores/vhosts/1/.vhost")


@pytest.fixture
def mnesia(tmp_path: Path) -> Path:
    """The folder of databases, which the configuration names."""
    (tmp_path / "env.conf").write_text(f"NODENAME={NODE}\nMNESIA_BASE={tmp_path}/mnesia\n")
    return tmp_path / "mnesia"


def put(folder: Path, *names: str) -> None:
    """Make files that hold the name of their folder."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(folder.name)


def put_back(mnesia: Path) -> dict[str, str]:
    """What the script leaves: each file of all databases."""
    environment = {**os.environ, "RABBITMQ_CONF_ENV_FILE": str(mnesia.parent / "env.conf")}
    subprocess.run([SCRIPT], env=environment, check=True)
    files = (path for path in mnesia.rglob("*") if path.is_file())
    return {str(path.relative_to(mnesia)): path.read_text() for path in files}


def test_a_whole_database_stays(mnesia: Path):
    put(mnesia / NODE, *WHOLE)
    assert put_back(mnesia) == {f"{NODE}/{name}": NODE for name in WHOLE}


def test_an_upgrade_that_was_cut_off_begins_again_with_what_was_before(mnesia: Path):
    backup = f"{NODE}-upgrade-backup"
    put(mnesia / NODE, *WHOLE, "schema_upgrade_lock")
    put(mnesia / backup, *WHOLE)
    assert put_back(mnesia) == {f"{NODE}/{name}": backup for name in WHOLE}


@pytest.mark.parametrize(
    "names", [("schema.DAT",), ("schema.DAT", "schema_version", "schema_upgrade_lock")]
)
def test_a_first_start_that_was_cut_off_begins_again_with_nothing(
    mnesia: Path, names: tuple[str, ...]
):
    put(mnesia / NODE, *names)
    put(mnesia / f"{NODE}.cut-off", "what an earlier try left")
    assert put_back(mnesia) == {}


def test_before_the_first_start_there_is_nothing_to_do(mnesia: Path):
    assert put_back(mnesia) == {}
