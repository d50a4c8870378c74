"""The broker's database, where the broker was killed while it made or upgraded that."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "snap/local/bin/rabbitmq-database"
LOCK = "schema_upgrade_lock"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    database = tmp_path / "mnesia/microstack@localhost"
    database.mkdir(parents=True)
    (database / "schema.DAT").write_text("half")
    return database


def put_back(database: Path) -> dict[str, str]:
    """What the script leaves: each file of all databases."""
    environment = {**os.environ, "HOME": str(database.parents[1])}
    subprocess.run([SCRIPT], env=environment, check=True, capture_output=True)
    databases = database.parent
    files = (path for path in databases.rglob("*") if path.is_file())
    return {str(path.relative_to(databases)): path.read_text() for path in files}


def test_an_upgrade_that_was_cut_off_begins_again_with_what_was_before(database: Path):
    (database / LOCK).touch()
    backup = database.with_name(f"{database.name}-upgrade-backup")
    backup.mkdir()
    (backup / "schema.DAT").write_text("before")
    assert put_back(database) == {f"{database.name}/schema.DAT": "before"}


def test_a_first_start_that_was_cut_off_begins_again_with_nothing(database: Path):
    (database / LOCK).touch()
    assert put_back(database) == {}


def test_what_an_earlier_try_left_is_in_nobodys_way(database: Path):
    (database / LOCK).touch()
    earlier = database.with_name(f"{database.name}.cut-off")
    earlier.mkdir()
    (earlier / "rest").touch()
    assert put_back(database) == {}


def test_a_whole_database_stays(database: Path):
    assert put_back(database) == {f"{database.name}/schema.DAT": "half"}


def test_before_the_first_start_there_is_nothing_to_do(tmp_path: Path):
    assert put_back(tmp_path / "mnesia/microstack@localhost") == {}
