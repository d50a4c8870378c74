"""A service's program is another when anything is that it is run by, and at no other time."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from workload import programs
from workload.service_table import ServiceTable

CHECKOUT = Path(__file__).parents[2]
TABLE = ServiceTable.load(CHECKOUT / "snap/snapcraft.yaml")
SCRIPTS = CHECKOUT / "snap/local/bin"
PYTHON = {
    *("keystone", "glance", "placement", "nova-api", "nova-metadata", "nova-conductor"),
    *("nova-scheduler", "nova-spiceproxy", "neutron-api", "neutron-maintenance", "cinder-api"),
    *("cinder-scheduler", "cinder-volume", "cinder-backup", "horizon", "neutron-ovn-agent"),
    "nova-compute",
}
ONESHOTS = {"cinder-lvm-storage", "ovs-setup", "external-bridge", "guests"}


@pytest.fixture
def snap(tmp_path: Path) -> Path:
    """What a build has that programs are told by."""
    shutil.copytree(SCRIPTS, tmp_path / "bin")
    package = tmp_path / "lib/workload"
    for name in ("compute_service.py", "host/guest_profiles.py", "snapd/hooks.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("")
    (tmp_path / "lib/sitecustomize.py").write_text("")
    (tmp_path / "digests").mkdir()
    for part in ("distribution", "confinement", "openstack", "machine"):
        (tmp_path / "digests" / part).write_text(f"{part} 1\n")
    return tmp_path


def changed(snap: Path, path: str) -> set[str]:
    """The services that are other programs when a file has a line more."""
    before = programs.digests(TABLE, snap)
    with (snap / path).open("a") as file:
        file.write("# another\n")
    after = programs.digests(TABLE, snap)
    assert before.keys() == after.keys() == TABLE.services.keys() - ONESHOTS
    return {name for name in after if after[name] != before[name]}


def test_in_a_checkout_another_environment_is_another_program_of_what_is_of_python(snap: Path):
    shutil.rmtree(snap / "digests")
    (snap / "openstack").symlink_to("openstack-of-one-lock")
    before = programs.digests(TABLE, snap)
    (snap / "openstack").unlink()
    (snap / "openstack").symlink_to("openstack-of-another")
    after = programs.digests(TABLE, snap)
    assert {name for name in after if after[name] != before[name]} == PYTHON


def test_other_packages_of_the_distribution_are_another_program_of_all(snap: Path):
    assert changed(snap, "digests/distribution") == TABLE.services.keys() - ONESHOTS


@pytest.mark.parametrize(
    "path", ["digests/openstack", "lib/workload/compute_service.py", "lib/sitecustomize.py"]
)
def test_code_is_the_program_of_what_is_of_python(snap: Path, path: str):
    assert changed(snap, path) == PYTHON


def test_what_confines_guests_is_libvirts(snap: Path):
    assert changed(snap, "digests/confinement") == {"libvirtd"}


def test_libvirt_is_another_program_where_it_is_prepared_in_another_way(snap: Path):
    assert changed(snap, "lib/workload/host/guest_profiles.py") == {*PYTHON, "libvirtd"}


@pytest.mark.parametrize(
    ("script", "services"),
    [
        ("mariadb", {"mariadb"}),
        ("rabbitmq-environment", {"rabbitmq"}),
        ("ovsdb", {"ovn-ovsdb", "ovsdb-server"}),
        ("libvirt-folders", {"libvirtd"}),
        ("with-initiator", {"iscsid", "cinder-volume", "cinder-backup", "nova-compute"}),
    ],
)
def test_a_script_is_part_of_what_it_is_run_by(snap: Path, script: str, services: set[str]):
    assert changed(snap, f"bin/{script}") == services


@pytest.mark.parametrize("path", ["digests/machine", "lib/workload/snapd/hooks.py"])
def test_what_the_appliance_itself_is_run_by_is_no_services_program(snap: Path, path: str):
    assert changed(snap, path) == set()


def test_compiled_files_and_times_do_not_count(snap: Path):
    before = programs.digests(TABLE, snap)
    (snap / "lib/workload/__pycache__").mkdir()
    (snap / "lib/workload/__pycache__/a.pyc").write_text("x")
    os.utime(snap / "lib/workload/compute_service.py", (0, 0))
    assert programs.digests(TABLE, snap) == before


def test_its_command_environment_and_plugs_are_part_of_it(snap: Path):
    text = (CHECKOUT / "snap/snapcraft.yaml").read_text()
    before = programs.digests(TABLE, snap)
    for old, new, services in (
        ("keystone/uwsgi.ini", "keystone/other.ini", {"keystone"}),
        ("LANG: C.UTF-8", "LANG: C", TABLE.services.keys() - ONESHOTS),
        (
            "plugs: &volumes\n",
            "plugs: &volumes\n      - home\n",
            {"cinder-volume", "cinder-backup"},
        ),
    ):
        after = programs.digests(ServiceTable.parse(text.replace(old, new)), snap)
        assert {name for name in after if after[name] != before[name]} == services


def test_every_script_names_others_in_full_so_that_they_are_found():
    names = {path.name for path in SCRIPTS.iterdir()}
    for path in SCRIPTS.iterdir():
        lines = [line.split("#")[0] for line in path.read_text().splitlines()]
        words = {word.strip("\"'") for line in lines for word in line.split()}
        # Programs of the distribution have the names of some, and are run by their paths.
        called = {word for word in words if Path(word).name in names}
        assert not {word for word in called if "$SNAP" not in word}, path.name


def test_no_other_account_has_to_read_a_script_which_may_be_in_the_home_of_root():
    for path in SCRIPTS.iterdir():
        for line in path.read_text().splitlines():
            _, _, run = line.partition('"$SNAP/bin/as-owner" ')
            assert "$SNAP/bin/" not in run.partition("<")[0], f"{path.name}: {line}"


# -- what parts note ------------------------------------------------------------------------------


def noted(part: Path) -> str:
    environment = {**os.environ, "CRAFT_PART_INSTALL": str(part)}
    subprocess.run([CHECKOUT / "snap/digest", "some"], env=environment, check=True)
    return (part / "digests/some").read_text()


def test_a_part_notes_names_modes_links_and_content_but_no_times(tmp_path: Path):
    (tmp_path / "usr").mkdir()
    file, link = tmp_path / "usr/a file", tmp_path / "usr/link"
    file.write_text("x")
    link.symlink_to("a file")
    seen = [noted(tmp_path)]
    os.utime(file, (0, 0))
    assert noted(tmp_path) == seen[0]
    for folder in ("built/here", "built/there"):
        (tmp_path / "usr/some.pc").write_text(f"prefix={folder}\n")
        seen.append(noted(tmp_path))
    assert seen.pop() == seen[-1]
    for change in (
        lambda: file.write_text("y"),
        lambda: file.chmod(0o755),
        lambda: (link.unlink(), link.symlink_to("elsewhere")),
        lambda: file.rename(tmp_path / "usr/another"),
    ):
        change()
        seen.append(noted(tmp_path))
    assert len({*seen}) == len(seen)
