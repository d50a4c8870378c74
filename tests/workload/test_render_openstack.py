"""From snap config to the option and section that an OpenStack service reads."""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.workload.filled import BROKER_PASSWORD, PASSWORD, files, ini
from workload import detect
from workload.components import ALL
from workload.layout import Layout
from workload.render import Renderer, RenderError
from workload.service_table import ServiceTable

SNAPCRAFT = Path(__file__).parents[2] / "snap/snapcraft.yaml"
OSLO_PASSWORD = PASSWORD.replace("$", "$$")

SHA_BLOCK = 32768
"""Bytes of which a backup keeps a digest each (cinder.backup.drivers.posix, `SHA_SIZE`)."""

MAIN_FILE = {
    "glance": "glance/glance-api.conf",
    "placement": "placement/placement.conf",
    "nova": "nova/nova.conf",
    "neutron": "neutron/neutron.conf",
    "cinder": "cinder/cinder.conf",
}


def test_every_service_is_declared_once_and_stands_in_the_table() -> None:
    declared = [service.name for component in ALL.values() for service in component.services]
    assert sorted(declared) == sorted(ServiceTable.load(SNAPCRAFT).services)


@pytest.mark.parametrize("name", ALL)
def test_files_are_rendered_before_anything_is_known(
    name: str, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detect, "kvm_starts_guests", lambda: False)
    rendered = Renderer(layout).render(ALL[name], ALL[name].config())
    for file in rendered:
        for content in file.contents.values():
            assert b"None" not in content


@pytest.mark.parametrize(
    ("component", "path", "section"),
    [
        ("keystone", "keystone/keystone.conf", "database"),
        ("glance", "glance/glance-api.conf", "database"),
        ("placement", "placement/placement.conf", "placement_database"),
        ("nova", "nova/nova.conf", "database"),
        ("nova", "nova/nova.conf", "api_database"),
        ("neutron", "neutron/neutron.conf", "database"),
        ("cinder", "cinder/cinder.conf", "database"),
    ],
)
def test_database_urls_carry_any_password(
    component: str, path: str, section: str, layout: Layout
) -> None:
    url = urlsplit(ini(files(layout, component)[path])[section]["connection"])
    assert url.scheme == "mysql+pymysql"
    assert (url.hostname, url.port) == ("10.0.0.1", 3306)
    assert (unquote(url.username or ""), unquote(url.password or "")) == ("us/er", PASSWORD)


@pytest.mark.parametrize("component", ["nova", "neutron", "cinder"])
def test_transport_url_carries_any_password(component: str, layout: Layout) -> None:
    conf = ini(files(layout, component)[MAIN_FILE[component]])
    url = urlsplit(conf["DEFAULT"]["transport_url"])
    assert unquote(url.password or "") == BROKER_PASSWORD
    assert url.path == "/openstack"


def test_a_broker_password_that_cannot_be_carried_is_refused(layout: Layout) -> None:
    with pytest.raises(RenderError, match="slash") as failure:
        files(layout, "nova", rabbitmq={"password": "a/secret"})
    assert "a/secret" not in str(failure.value)


@pytest.mark.parametrize(
    ("component", "sections"),
    [
        ("glance", ["keystone_authtoken"]),
        ("placement", ["keystone_authtoken"]),
        (
            "nova",
            ["keystone_authtoken", "service_user", "placement", "neutron", "cinder"],
        ),
        ("neutron", ["keystone_authtoken", "nova", "placement"]),
        ("cinder", ["keystone_authtoken", "service_user", "nova"]),
    ],
)
def test_a_service_speaks_to_others_by_its_own_account(
    component: str, sections: list[str], layout: Layout
) -> None:
    conf = ini(files(layout, component)[MAIN_FILE[component]])
    for section in sections:
        assert conf[section]["username"] == component
        assert conf[section]["password"] == f"{component}-{OSLO_PASSWORD}"
        assert conf[section]["auth_url"] == "http://10.0.0.1:5000/v3"


def test_a_hypervisors_inventory_is_not_what_the_hosts_own_files_say(layout: Layout) -> None:
    conf = ini(files(layout, "nova-compute")["nova-compute/nova.conf"])
    location = conf["compute"]["provider_config_location"]
    assert location == f"{layout.snap_common}/etc/nova-compute/provider_config"


def test_a_screens_address_is_good_for_an_hour(layout: Layout) -> None:
    # nova-compute makes the token (nova.compute.manager, `get_spice_console`).
    conf = ini(files(layout, "nova-compute")["nova-compute/nova.conf"])
    assert conf["consoleauth"]["token_ttl"] == "3600"


def test_a_guest_is_resized_on_the_one_host_there_is(layout: Layout) -> None:
    conf = ini(files(layout, "nova")["nova/nova.conf"])
    assert conf["DEFAULT"]["allow_resize_to_same_host"] == "true"


def test_images_are_taken_from_clients_that_pause_and_in_chunks_of_any_size(
    layout: Layout,
) -> None:
    conf = ini(files(layout, "glance")["glance/uwsgi.ini"])["uwsgi"]
    # uWSGI's own limits, 4 s and 1 MiB, broke uploads of snapshots.
    assert int(conf["socket-timeout"]) >= 60
    assert int(conf["chunked-input-timeout"]) >= 60
    assert int(conf["chunked-input-limit"]) >= 16 << 20


def test_services_stay_in_their_region(layout: Layout) -> None:
    conf = ini(files(layout, "nova")["nova/nova.conf"])
    for section in ("keystone_authtoken", "placement", "neutron", "glance"):
        assert conf[section]["region_name"] == "RegionOne"
    assert conf["cinder"]["os_region_name"] == "RegionOne"


def test_cached_tokens_are_encrypted_by_each_service_with_its_own_key(layout: Layout) -> None:
    keys: set[str] = set()
    for component, path in MAIN_FILE.items():
        section = ini(files(layout, component)[path])["keystone_authtoken"]
        assert section["memcache_security_strategy"] == "ENCRYPT"
        socket = f"unix:{layout.snap_common}/run/memcached/memcached.sock"
        assert section["memcached_servers"] == socket
        keys.add(section["memcache_secret_key"])
    assert len(keys) == len(MAIN_FILE)


def test_keystone_caches_on_a_socket_of_root_alone(layout: Layout) -> None:
    trusted = ini(files(layout, "keystone")["keystone/keystone.conf"])["cache"]
    assert trusted["enabled"] == "true"
    other = files(layout, "keystone", cache={"servers": "10.0.0.1:11211"})
    assert ini(other["keystone/keystone.conf"])["cache"]["enabled"] == "false"


def test_keystone_bootstraps_from_a_file(layout: Layout) -> None:
    assert json.loads(files(layout, "keystone")["keystone/bootstrap.json"]) == {
        "admin_password": PASSWORD,
        "public_url": "http://10.0.0.1:5000/v3",
        "region": "RegionOne",
    }


@pytest.mark.parametrize(
    ("component", "path", "port"),
    [
        ("keystone", "keystone/uwsgi.ini", 5000),
        ("glance", "glance/uwsgi.ini", 9292),
        ("placement", "placement/uwsgi.ini", 8778),
        ("nova", "nova/api-uwsgi.ini", 8774),
        ("nova", "nova/metadata-uwsgi.ini", 8775),
        ("neutron", "neutron/uwsgi.ini", 9696),
        ("cinder", "cinder/uwsgi.ini", 8776),
        ("horizon", "horizon/uwsgi.ini", 8080),
    ],
)
def test_apis_listen_where_they_are_told(
    component: str, path: str, port: int, layout: Layout
) -> None:
    text = files(layout, component, bind_address="10.0.0.1")[path]
    assert f"http-socket = 10.0.0.1:{port}\n" in text


def test_a_first_start_costs_little(layout: Layout) -> None:
    """A row for each tenant network that may be."""
    _, last = ini(files(layout, "neutron")["neutron/ml2_conf.ini"])["ml2_type_geneve"][
        "vni_ranges"
    ].split(":")
    assert 1000 < int(last) < 10_000


@pytest.mark.parametrize(
    ("component", "file"),
    [
        *MAIN_FILE.items(),
        ("keystone", "keystone/keystone.conf"),
        ("nova-compute", "nova-compute/nova.conf"),
    ],
)
def test_policies_are_read_beside_the_configuration_alone(
    component: str, file: str, layout: Layout
) -> None:
    """By a bare name, the default, oslo.policy would find those in the host's /etc."""
    policy = ini(files(layout, component)[file])["oslo_policy"]
    folder = f"{layout.etc}/{component}"
    assert policy["policy_file"] == f"{folder}/policy.yaml"
    assert policy["policy_dirs"] == f"{folder}/policy.d"


def test_hypervisors_have_no_database_account(layout: Layout) -> None:
    conf = ini(files(layout, "nova-compute")["nova-compute/nova.conf"])
    assert not {"database", "api_database"} & set(conf.sections())
    assert conf["placement"]["username"] == "nova-compute"


@pytest.mark.parametrize(("virt_type", "size"), [("qemu", "32"), ("kvm", None)])
def test_translated_code_is_bounded_where_guests_are_emulated(
    virt_type: str, size: str | None, layout: Layout
) -> None:
    text = files(layout, "nova-compute", virt_type=virt_type)["nova-compute/nova.conf"]
    libvirt = ini(text)["libvirt"]
    assert libvirt["virt_type"] == virt_type
    assert libvirt.get("tb_cache_size") == size


@pytest.mark.parametrize(("virt_type", "hidden"), [("qemu", True), ("kvm", False)])
def test_libvirt_sees_kvm_only_where_guests_use_it(
    virt_type: str, hidden: bool, layout: Layout
) -> None:
    lines = files(layout, "nova-compute", virt_type=virt_type)["libvirt/hidden"].splitlines()
    assert ("/dev/kvm" in lines) is hidden


@pytest.mark.parametrize("machine_id", ["0123456789abcdef0123456789abcdef\n", "", None])
def test_libvirt_knows_the_host_by_its_machine_id_where_it_has_one(
    machine_id: str | None, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minimal system has an empty one until systemd boots it; libvirt would not start."""
    file = tmp_path / "machine-id"
    if machine_id is not None:
        file.write_text(machine_id)
    monkeypatch.setattr(detect, "MACHINE_ID", file)
    lines = files(layout, "nova-compute")["libvirt/libvirtd.conf"].splitlines()
    (line,) = [line for line in lines if line.startswith("host_uuid")]
    given = uuid.UUID(line.partition(" = ")[2].strip('"'))
    if machine_id:
        assert given.hex == machine_id.strip()
    else:
        assert given.version == 5


def test_helpers_with_privileges_are_started_without_sudo(layout: Layout) -> None:
    sections = {
        ("nova-compute", "nova-compute/nova.conf"): "vif_plug_ovs_privileged",
        ("ovn-chassis", "ovn-chassis/neutron_ovn_agent.ini"): "privsep_namespace",
        ("cinder", "cinder/cinder.conf"): "cinder_sys_admin",
    }
    for (component, path), section in sections.items():
        command = ini(files(layout, component)[path])[section]["helper_command"].split()
        assert command[0] == f"{layout.snap}/openstack/bin/python"
        assert command[-2:] == ["--config-file", str(layout.etc / path)]


def test_neutron_reaches_ovn_on_sockets_or_at_addresses(layout: Layout) -> None:
    ovn = ini(files(layout, "neutron")["neutron/ml2_conf.ini"])["ovn"]
    assert ovn["ovn_nb_connection"] == f"unix:{layout.snap_common}/run/ovn/nb.sock"
    assert ovn["dns_servers"] == "9.9.9.9"
    remote = files(layout, "neutron", ovn={"sb-connection": "tcp:10.0.0.9:6642"})
    assert ini(remote["neutron/ml2_conf.ini"])["ovn"]["ovn_sb_connection"] == "tcp:10.0.0.9:6642"


def test_in_the_snap_guests_are_confined_by_profiles_and_not_by_mounts(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, no_mounts = 'security_driver = "none"', "namespaces = []"
    monkeypatch.setattr(detect, "udev", lambda: True)
    checkout = files(layout, "nova-compute")["libvirt/qemu.conf"]
    assert driver in checkout
    assert no_mounts not in checkout
    monkeypatch.setenv("SNAP", "/snap/microstack/x1")
    monkeypatch.setenv("SNAP_COMMON", "/var/snap/microstack/common")
    monkeypatch.setenv("SNAP_DATA", "/var/snap/microstack/x1")
    snap = files(layout, "nova-compute")["libvirt/qemu.conf"]
    assert driver not in snap
    assert no_mounts in snap


DASHBOARD = """
SECRET_KEY = None
try:
    from local.local_settings import *
except ImportError:
    pass
if not SECRET_KEY:
    raise OSError("Read-only file system")
"""
"""What the dashboard's own settings do about a key (openstack_dashboard.settings)."""


@pytest.fixture
def dashboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dashboard, where it can write no file of its own."""
    package = tmp_path / "openstack_dashboard"
    package.mkdir()
    (package / "settings.py").write_text(DASHBOARD)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("openstack_dashboard.settings", "local.local_settings"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def dashboard_settings(layout: Layout, manifest: str) -> dict[str, Any]:
    """What the dashboard is told, where its build has a manifest of these static files."""
    file = layout.snap / "openstack/share/dashboard/dashboard/manifest.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(manifest)
    text = files(layout, "horizon")["horizon/horizon_settings.py"]
    settings: dict[str, Any] = {}
    exec(compile(text, "horizon_settings.py", "exec"), settings)
    return settings


@pytest.mark.usefixtures("dashboard")
def test_what_one_build_of_the_dashboard_has_cached_another_does_not_find(layout: Layout) -> None:
    prefixes = [
        dashboard_settings(layout, manifest)["CACHES"]["default"]["KEY_PREFIX"]
        for manifest in ("{}", "{}", '{"a": "b"}')
    ]
    assert prefixes[0] == prefixes[1] != prefixes[2]


@pytest.mark.usefixtures("dashboard")
def test_the_dashboard_keeps_sessions_in_signed_cookies(layout: Layout) -> None:
    settings = dashboard_settings(layout, "{}")
    assert settings["SESSION_ENGINE"] == "django.contrib.sessions.backends.signed_cookies"
    assert settings["SECRET_KEY"] == PASSWORD
    assert settings["ALLOWED_HOSTS"] == ["cloud.example", "10.0.0.1"]
    assert settings["AVAILABLE_REGIONS"] == [("http://10.0.0.1:5000/v3", "RegionOne")]


def test_the_dashboard_offers_no_theme_but_the_one_that_is_compiled(layout: Layout) -> None:
    text = files(layout, "horizon")["horizon/horizon_settings.py"]
    themes = 'AVAILABLE_THEMES = SELECTABLE_THEMES = [("default", "Default", "themes/default")]'
    assert themes in text.replace("'", '"')


def test_a_backup_fits_into_memory_while_it_is_made(layout: Layout) -> None:
    """A file of it is held in memory several times over; Cinder's own size for one is 2 GB."""
    conf = ini(files(layout, "cinder-lvm")["cinder-lvm/cinder-lvm.conf"])
    size = int(conf["DEFAULT"]["backup_file_size"])
    assert size <= 2**26
    assert size % SHA_BLOCK == 0, "Cinder refuses another size"
