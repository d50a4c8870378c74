"""Supervisord is told what the table of services says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cloud import strangers
from workload.layout import Layout
from workload.runtime import boot, home
from workload.runtime.programs import Program, launcher, supervisord_conf
from workload.service_table import ServiceTable, TableError

SNAPCRAFT = Path(__file__).parents[2] / "snap/snapcraft.yaml"
LAYOUT = Layout(Path("/ms"))
LISTENER = Program("snapd", ["/python", "-m", "workload.runtime"], {"MICROSTACK_ROOT": "/ms"})
TABLE = """\
apps:
  web:
    command: bin/web --load 50 $SNAP_COMMON/etc/web.conf
    daemon: simple
    restart-condition: always
    environment:
      RATE: 50%
    stop-mode: sigint
    stop-timeout: 90s
  setup:
    command: bin/setup
    daemon: oneshot
"""
SERVICE_ENVIRONMENT = (
    'HOME="/ms/data",LANG="C.UTF-8",MICROSTACK_SERVICE="{name}@/ms",'
    'PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",{more}SNAP="/ms/snap",'
    'SNAP_COMMON="/ms/common",SNAP_DATA="/ms/data",SNAP_INSTANCE_NAME="microstack",'
    'SNAP_NAME="microstack",SNAP_REVISION="x1"'
)


def section(conf: str, name: str) -> dict[str, str]:
    body = conf.split(f"[{name}]\n")[1].split("\n[")[0]
    return dict(line.split(" = ", 1) for line in body.strip().splitlines())


@pytest.fixture
def conf() -> str:
    return supervisord_conf(LAYOUT, ServiceTable.parse(TABLE), LISTENER)


def test_a_daemon(conf: str):
    assert section(conf, "program:web") == {
        "command": "/ms/snap/bin/web --load 50 /ms/common/etc/web.conf",
        "directory": "/ms/data",
        "environment": SERVICE_ENVIRONMENT.format(name="web", more='RATE="50%%",'),
        "umask": "077",
        "autostart": "false",
        "autorestart": "true",
        "startsecs": "10",
        "startretries": "8",
        "exitcodes": "0",
        "stopsignal": "INT",
        "stopwaitsecs": "90",
        "stopasgroup": "false",
        "killasgroup": "false",
        "redirect_stderr": "true",
        "stdout_logfile": "/ms/common/log/web.log",
        "stdout_logfile_maxbytes": "10MB",
        "stdout_logfile_backups": "2",
    }


def test_a_oneshot_is_not_started_again_and_its_whole_group_is_stopped(conf: str):
    setup = section(conf, "program:setup")
    expected = {
        "autorestart": "false",
        "startsecs": "0",
        "startretries": "0",
        "stopasgroup": "true",
        "killasgroup": "true",
    }
    assert {key: setup[key] for key in expected} == expected


def test_the_embedded_snapd_is_told_of_every_change(conf: str):
    snapd = section(conf, "eventlistener:snapd")
    assert snapd["events"] == "PROCESS_STATE"
    assert snapd["autostart"] == "true"
    assert "stdout_logfile" not in snapd


def test_its_socket_is_roots_alone(conf: str):
    assert section(conf, "unix_http_server") == {
        "file": "/ms/run/supervisor.sock",
        "chmod": "0600",
    }


def test_services_find_empty_folders_at_home_instead_of_the_hosts(layout: Layout):
    table = """\
apps:
  web-worker:
    command: openstack/bin/python $SNAP/openstack/bin/web-working-class --config-file web.conf
    daemon: simple
"""
    layout.snap_data.mkdir(parents=True)
    home.make(layout, ServiceTable.parse(table))
    names = {"web", "web-api", "web-manage", "web-worker", "web-working-class", "python", "uwsgi"}
    assert {path.name for path in layout.snap_data.iterdir()} == {f"{n}.conf.d" for n in names}


def test_programs_of_the_appliance_start_with_it():
    program = Program("machine", ["/python", "-m", "machine", "agent"], {"A": "b"})
    conf = supervisord_conf(LAYOUT, ServiceTable.parse(TABLE), LISTENER, [program])
    machine = section(conf, "program:machine")
    assert machine["command"] == "/python -m machine agent"
    assert machine["autostart"] == "true"
    assert 'A="b"' in machine["environment"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("daemon: simple", "daemon: forking"), "apps.web.daemon: forking is not supported"),
        (("50%", "'a \"b\"'"), "apps.web.environment.RATE: has a quote"),
    ],
)
def test_what_supervisord_cannot_do_is_refused(change: tuple[str, str], message: str):
    table = ServiceTable.parse(TABLE.replace(*change))
    with pytest.raises(TableError, match=message):
        supervisord_conf(LAYOUT, table, LISTENER)


def test_a_command_keeps_its_callers_environment_but_not_another_pythons_modules():
    table = ServiceTable.parse("apps:\n  sync:\n    command: bin/sync all\n")
    script = launcher(LAYOUT, table.commands["sync"]).splitlines()
    assert "unset PYTHONPATH PYTHONHOME" in script
    assert "export SNAP_COMMON=/ms/common" in script
    assert script[-1] == 'exec /ms/snap/bin/sync all "$@"'


def test_changed_code_has_another_fingerprint_and_its_cache_does_not_count(tmp_path: Path) -> None:
    module = tmp_path / "charm.py"
    module.write_text("first = 1\n")
    before = boot.fingerprint(tmp_path)
    (tmp_path / "charm.cpython-311.pyc").write_bytes(b"compiled")
    assert boot.fingerprint(tmp_path) == before
    os.utime(module, ns=(1, 1))
    assert boot.fingerprint(tmp_path) != before


def test_every_program_of_the_table_has_a_folder_in_the_place_of_the_hosts(tmp_path: Path):
    layout = Layout(tmp_path)
    home.make(layout, ServiceTable.load(SNAPCRAFT))
    made = {path.name for path in layout.snap_data.iterdir()}
    assert {f"{name}.conf.d" for _, name in strangers.PROGRAMS} - made == set()
