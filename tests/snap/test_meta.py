"""snapcraft.yaml and what is made of it for snapd, without building anything."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
import typer
import yaml

from microstack import cli
from workload import detect
from workload.service_table import ServiceTable

ROOT = Path(__file__).parents[2]
SNAP = ROOT / "snap"

_spec = importlib.util.spec_from_file_location("snap_meta", SNAP / "meta.py")
assert _spec is not None and _spec.loader is not None
meta = importlib.util.module_from_spec(_spec)
sys.modules["snap_meta"] = meta
_spec.loader.exec_module(meta)

DOCUMENT: dict[str, Any] = meta.read(SNAP / "snapcraft.yaml")
APPS: dict[str, dict[str, Any]] = DOCUMENT["apps"]
SERVICES = {name for name, app in APPS.items() if "daemon" in app}
HOOKS = {path.name for path in (SNAP / "hooks").iterdir()}

SNAPCRAFT_KEYS = {
    *("name", "base", "version", "summary", "description", "license", "grade", "confinement"),
    *("compression", "platforms", "system-usernames", "environment", "layout", "plugs", "hooks"),
    *("apps", "parts"),
}
APP_KEYS = {
    *("command", "daemon", "environment", "plugs", "after", "before", "completer"),
    *("install-mode", "refresh-mode", "restart-condition", "stop-mode", "stop-timeout"),
    *("stop-command", "post-stop-command"),
}
PART_KEYS = {
    *("plugin", "source", "after", "build-packages", "stage-packages", "organize", "stage"),
    *("prime", "override-build", "override-prime"),
}
NO_LAYOUT = ("/dev", "/home", "/proc", "/run", "/snap", "/sys", "/tmp", "/var/run")
"""Where snapd allows none (https://snapcraft.io/docs/snap-layouts)."""

BASE_PATHS = [
    *("/etc/apparmor.d", "/etc/group", "/etc/passwd", "/usr/sbin/apparmor_parser"),
    "/usr/lib/x86_64-linux-gnu/xtables",
]
"""Layouts where core24 has a file or folder: of base-passwd, apparmor and iptables."""

ALSO_IN_THE_BASE = {
    **{"apparmor_parser": "apparmor", "mkfs.vfat": "dosfstools", "ip": "iproute2"},
    **{"iptables": "iptables", "ping": "iputils-ping", "modprobe": "kmod", "losetup": "mount"},
    **{"umount": "mount", "sysctl": "procps", "blkid": "util-linux", "nsenter": "util-linux"},
    **{"mkfs.ext4": "e2fsprogs"},
}
"""Programs that the snap runs, and their packages, which core24 has too: it is Ubuntu's minimal
system and more (canonical/core-base, branch core24, hooks/001-extra-packages.chroot)."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What a build would have primed, as far as commands go."""
    for app in APPS.values():
        command = tmp_path / app["command"].split()[0]
        command.parent.mkdir(parents=True, exist_ok=True)
        command.touch(mode=0o755)
    return tmp_path


# -- snapcraft.yaml -----------------------------------------------------------------------------


def test_every_key_is_one_of_snapcrafts():
    assert DOCUMENT.keys() <= SNAPCRAFT_KEYS
    assert {key for app in APPS.values() for key in app} <= APP_KEYS
    assert {key for part in DOCUMENT["parts"].values() for key in part} <= PART_KEYS


def test_a_key_that_stands_twice_is_refused_with_its_line(tmp_path: Path):
    path = tmp_path / "snapcraft.yaml"
    path.write_text("apps:\n  a:\n    command: x\n    command: y\n")
    with pytest.raises(meta.MetaError, match="line 4: command already stands in line 3"):
        meta.read(path)


@pytest.mark.parametrize("path", sorted(DOCUMENT["layout"]))
def test_a_layout_is_where_snapd_allows_one(path: str):
    assert not path.startswith(NO_LAYOUT)


@pytest.mark.parametrize("path", BASE_PATHS)
def test_where_the_base_has_something_a_layout_is_bound_over_it(path: str):
    # snapd makes no symlink there ("existing file in the way"), and the snap is not installed.
    assert DOCUMENT["layout"][path].keys() <= {"bind", "bind-file"}


def test_every_account_that_the_snap_looks_up_is_in_its_own_list():
    # In place of the host's. snapd gives snap_daemon this number on every host (snapd,
    # snap/system_usernames.go).
    folder = SNAP / "local/accounts"
    accounts = {
        name: [line.split(":") for line in (folder / name).read_text().splitlines()]
        for name in ("passwd", "group")
    }
    for entries in accounts.values():
        numbers = {entry[0]: int(entry[2]) for entry in entries}
        assert numbers["root"] == 0
        assert numbers["snap_daemon"] == 584788
        assert detect.QEMU_ACCOUNT in numbers
    for name, file in ("/etc/passwd", "passwd"), ("/etc/group", "group"):
        assert DOCUMENT["layout"][name] == {"bind-file": f"$SNAP/accounts/{file}"}


@pytest.mark.parametrize("name", sorted(HOOKS))
def test_a_hook_is_a_program_that_has_plugs(name: str):
    assert (SNAP / "hooks" / name).stat().st_mode & 0o111 == 0o111
    assert DOCUMENT["hooks"][name]["plugs"]


def test_a_plug_is_declared_for_the_snap_only_where_it_has_attributes():
    # Without attributes snapcraft takes it for one that was forgotten to be given to an app; one
    # that no app has, snapd gives to all.
    parts = (*APPS.values(), *DOCUMENT["hooks"].values())
    given = {plug for part in parts for plug in part.get("plugs", ())}
    assert [name for name, attributes in DOCUMENT["plugs"].items() if not attributes] == []
    assert DOCUMENT["plugs"].keys() <= given


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_service_starts_before_it_is_configured(name: str):
    assert APPS[name]["install-mode"] == "disable"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_refresh_leaves_services_running_but_for_the_appliances_own(name: str):
    # The hook `configure` restarts what is another program or reads other files.
    endures = APPS[name].get("refresh-mode") == "endure"
    assert endures == (name not in {"machine", "snap-api"})


def test_libvirt_is_restarted_without_the_guests():
    assert APPS["libvirtd"]["stop-mode"] == "sigterm"


@pytest.mark.parametrize("name", ["distribution", "confinement", "openstack"])
def test_a_part_that_services_are_run_from_notes_what_it_is(name: str):
    part = DOCUMENT["parts"][name]
    commands = [line.split() for line in part["override-build"].splitlines()]
    scripts = [f'"$CRAFT_PROJECT_DIR/snap/{script}"' for script in ("digest", "environment")]
    assert [words[1] for words in commands if words and words[0] in scripts] == [name]
    assert "digests" in part.get("stage", ["digests"])


@pytest.mark.parametrize("program", sorted(ALSO_IN_THE_BASE))
def test_what_the_base_has_too_is_staged_by_the_name_of_its_package(program: str):
    # What is only depended upon, and in the base, snapcraft leaves out; and few of the base's own
    # programs does snapd let a strict snap run (snapd, interfaces/apparmor/template.go).
    parts = DOCUMENT["parts"].values()
    named = {name for part in parts for name in part.get("stage-packages", ())}
    assert ALSO_IN_THE_BASE[program] in named


def test_no_module_is_loaded_by_a_service_of_its_own_where_the_interface_does_it():
    assert not [name for name, app in APPS.items() if "modprobe" in app["command"]]


def test_commands_have_the_names_that_users_of_snaps_expect():
    assert {"microstack", "juju", "openstack", "ovn-nbctl", "ovn-sbctl", "ovs-vsctl"} <= {*APPS}


@pytest.mark.parametrize("path", sorted((SNAP / "local/bin").iterdir()), ids=lambda it: it.name)
def test_a_script_does_not_run_install(path: Path):
    # It is none of the base's programs that snapd lets a strict snap run (snapd,
    # interfaces/apparmor/template.go).
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert not [line for line in lines if "install" in line.split()]


def complete(*words: str) -> set[str]:
    """Return what bash offers for the last of these words."""
    script = """
        source "$0"; COMP_WORDS=(microstack "$@"); COMP_CWORD=$#
        _microstack; printf '%s\\n' "${COMPREPLY[@]}"
    """
    command = ["bash", "-c", script, str(SNAP / "local/completion/microstack"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_completion_knows_every_command_and_its_options():
    commands = cast("typer.core.TyperGroup", typer.main.get_command(cli.app)).commands
    assert complete("") == {*commands, "--help"}
    for name, command in commands.items():
        options = {
            next(word for word in option.opts if word.startswith("--"))
            for option in command.params
            if isinstance(option, typer.core.TyperOption) and not option.hidden
        }
        assert complete(name, "-") == options | {"--help"}


def test_completion_finds_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "overlay.yaml").touch()
    monkeypatch.chdir(tmp_path)
    assert complete("up", "--overlay", "over") == {"overlay.yaml"}


# -- meta/snap.yaml -------------------------------------------------------------------------------


def test_snapd_is_told_of_every_app_and_hook(tree: Path):
    made = meta.snap_yaml(DOCUMENT, HOOKS, tree)
    assert made["apps"].keys() == APPS.keys()
    assert made["hooks"].keys() == HOOKS
    assert made["architectures"] == ["amd64"]
    assert "parts" not in made


def test_an_app_that_was_not_built_is_left_out_and_nothing_waits_for_it(tree: Path):
    (tree / "bin/ovsdb-server").unlink()
    made = meta.snap_yaml(DOCUMENT, HOOKS, tree)
    assert "ovsdb-server" not in made["apps"]
    assert made["apps"]["ovs-vswitchd"]["after"] == []


def test_the_file_reads_back_as_what_the_snap_runtime_runs(tree: Path):
    (tree / "snap.yaml").write_text("")
    meta.write(DOCUMENT, ROOT, tree)
    written = yaml.safe_load((tree / "meta/snap.yaml").read_text())
    table = ServiceTable.load(SNAP / "snapcraft.yaml")
    assert written["apps"]["nova-compute"]["command"].split()[0] == "bin/nova-compute"
    assert table.services.keys() <= written["apps"].keys()
    assert {path.name for path in (tree / "meta/hooks").iterdir()} == HOOKS


def test_what_did_not_change_is_not_written_again(tree: Path):
    meta.write(DOCUMENT, ROOT, tree)
    (tree / "meta/hooks/disconnect-plug-gone").touch()
    files = [path for path in (tree / "meta").rglob("*") if path.is_file()]
    for path in files:
        os.utime(path, (1, 1))
    meta.write(DOCUMENT, ROOT, tree)
    left = {path.name: path.stat().st_mtime for path in files if path.exists()}
    assert left == dict.fromkeys({"snap.yaml", *HOOKS}, 1)
