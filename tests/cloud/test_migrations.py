"""A first migration that is cut off, job and server killed, does not stop the next one.

The jobs run as in the cloud, against a MariaDB of this module's own.
"""

from __future__ import annotations

import base64
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pymysql
import pytest

from microstack.environment import environment_path
from tests.cloud.conftest import CHECKOUT
from tests.cloud.host_state import HostState
from tests.workload.filled import files
from workload.layout import Layout
from workload.runtime import home
from workload.service_table import ServiceTable

SEED = 2026
MOMENTS = 3
FEWEST_TABLES = 12
"""Each of the services has more."""

JOBS = {
    "keystone": ("keystone_bootstrap",),
    "glance": ("db_sync", "glance"),
    "placement": ("db_sync", "placement"),
    "nova": ("nova_db_sync",),
    "neutron": ("db_sync", "neutron"),
    "cinder": ("db_sync", "cinder"),
}
DATABASES = {
    "nova": {
        "api_database": "nova_api",
        "database": "nova",
        "cell0_database": "nova_cell0",
    }
}
PASSWORD = "a p@ss%word"
TIMEOUT = 120.0


@dataclass
class Server:
    """A MariaDB of its own, on loopback."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> dict[str, object]:
        return {"host": "127.0.0.1", "port": self.port, "username": "t", "password": PASSWORD}

    def make(self) -> None:
        prepare = ["mariadb-install-db", "--no-defaults", f"--datadir={self.folder}/data"]
        subprocess.run([*prepare, "--skip-test-db"], check=True, capture_output=True)
        grants = f"GRANT ALL ON *.* TO t@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
        (self.folder / "init.sql").write_text(grants)

    def start(self) -> None:
        """Start it as the cloud does where durability is concerned."""
        options = {
            "datadir": self.folder / "data",
            "socket": self.folder / "sock",
            "pid-file": self.folder / "pid",
            "init-file": self.folder / "init.sql",
            "bind-address": "127.0.0.1",
            "port": self.port,
            "innodb-flush-log-at-trx-commit": 2,
            "user": "root",
        }
        command = ["mariadbd", "--no-defaults", "--skip-name-resolve"]
        command += [f"--{name}={value}" for name, value in options.items()]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self.answers, "MariaDB")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def answers(self) -> bool:
        try:
            self.query("SELECT 1")
        except pymysql.OperationalError:
            return False
        return True

    def query(self, statement: str) -> list[tuple[object, ...]]:
        connection = pymysql.connect(
            host="127.0.0.1", port=self.port, user="t", password=PASSWORD, autocommit=True
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def tables(self, databases: list[str]) -> int:
        """Return how many tables there are."""
        names = ", ".join(f"'{name}'" for name in databases)
        counted = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema"
        ((count,),) = self.query(f"{counted} IN ({names})")
        return int(str(count))

    def schema(self, database: str) -> list[tuple[object, ...]]:
        """Return what can be told apart of a schema."""
        columns = "table_name, column_name, column_type, is_nullable, column_key"
        described = f"SELECT {columns} FROM information_schema.columns"
        return self.query(f"{described} WHERE table_schema = '{database}' ORDER BY 1, 2")


class Migrations:
    """The jobs, with configuration rendered as in the cloud."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.environment = environment_path(CHECKOUT / "requirements/openstack.txt")

    def prepare(self, component: str) -> list[str]:
        """Make a component's databases anew, and its configuration; return the databases."""
        keys = DATABASES.get(component, {"database": component})
        layout = Layout(self.folder)
        home.make(layout, ServiceTable.load(CHECKOUT / "snap/snapcraft.yaml"))
        changes = {key: {**self.server.address, "name": name} for key, name in keys.items()}
        for path, text in files(layout, component, **changes).items():
            target = layout.etc / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        if component == "keystone":
            self._make_keys(layout)
        for name in keys.values():
            self.server.query(f"DROP DATABASE IF EXISTS `{name}`")
            self.server.query(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb3")
        return list(keys.values())

    def _make_keys(self, layout: Layout) -> None:
        for repository in ("fernet-keys", "credential-keys"):
            folder = layout.etc / "keystone" / repository
            folder.mkdir(exist_ok=True)
            for name in ("0", "1"):
                (folder / name).write_bytes(base64.urlsafe_b64encode(name.encode() * 32))

    def begin(self, component: str) -> subprocess.Popen[str]:
        """Start a component's job."""
        layout = Layout(self.folder)
        variables = {**layout.environment(), "PYTHONPATH": str(CHECKOUT / "lib")}
        module, *arguments = JOBS[component]
        python = str(self.environment / "bin/python")
        return subprocess.Popen(
            [python, "-m", f"workload.jobs.{module}", *arguments],
            env={"PATH": os.environ["PATH"], "PYTHONWARNINGS": "ignore", **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, component: str) -> tuple[int, str]:
        """Run a component's job; return its exit code and its output."""
        job = self.begin(component)
        output, _ = job.communicate(timeout=TIMEOUT)
        return job.returncode, output

    def cut(self, component: str, databases: list[str], tables: int) -> None:
        """Kill job and server as soon as there are so many tables; start the server again."""
        job = self.begin(component)
        wait_until(
            lambda: self.server.tables(databases) >= tables or job.poll() is not None, "tables"
        )
        assert job.poll() is None, job.communicate()[0]
        os.killpg(job.pid, signal.SIGKILL)
        self.server.kill()
        job.communicate()
        self.server.start()


@pytest.fixture(scope="module")
def migrations(
    host_before: HostState, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Migrations]:
    folder = tmp_path_factory.mktemp("migrations")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Server(folder, port)
    server.make()
    server.start()
    yield Migrations(server, folder)
    server.kill()


@pytest.mark.parametrize("component", JOBS)
def test_a_first_migration_that_was_cut_off_succeeds_when_it_is_run_again(
    migrations: Migrations, component: str
) -> None:
    databases = migrations.prepare(component)
    chance = random.Random(f"{SEED} {component}")
    migrations.cut(component, databases, chance.randint(2, FEWEST_TABLES - 1))
    code, output = migrations.run(component)
    assert code == 0, output
    assert migrations.server.tables(databases) > FEWEST_TABLES


def test_whenever_it_is_cut_off_the_schema_comes_out_the_same(migrations: Migrations) -> None:
    databases = migrations.prepare("glance")
    assert migrations.run("glance")[0] == 0
    assert migrations.run("glance")[0] == 0  # again without harm
    whole = migrations.server.schema("glance")
    count = migrations.server.tables(databases)

    chance = random.Random(SEED)
    migrations.prepare("glance")
    for _ in range(MOMENTS):
        migrations.cut("glance", databases, chance.randint(1, count - 1))
    code, output = migrations.run("glance")
    assert code == 0, output
    assert migrations.server.schema("glance") == whole


def test_a_database_that_holds_data_is_never_emptied(migrations: Migrations) -> None:
    """An upgrade's migration that fails says what to do, and leaves all as it is."""
    migrations.prepare("placement")
    assert migrations.run("placement")[0] == 0
    query = migrations.server.query
    query("INSERT INTO placement.traits (name) VALUES ('CUSTOM_DATA')")
    query("UPDATE placement.alembic_version SET version_num = 'b4ed3a175331'")
    before = migrations.server.schema("placement")

    code, output = migrations.run("placement")
    assert code == 1
    assert "placement holds data and was left as it is" in output
    assert "migrate-database" in output
    assert migrations.server.schema("placement") == before
    assert query("SELECT name FROM placement.traits") == [("CUSTOM_DATA",)]


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {TIMEOUT:g} s"
