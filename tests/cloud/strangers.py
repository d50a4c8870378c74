"""Configuration on the host that is none of this cloud's business, and would break it if read.

Each file is where the named program looks of itself, or where one of the same kind that is
installed from the distribution keeps what is its own.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

NONSENSE = "this is no configuration\n"
PROJECTS = ("cinder", "glance", "keystone", "neutron", "nova", "placement")
PROGRAMS = (
    *(("cinder", name) for name in ("cinder", "cinder-api", "cinder-scheduler", "uwsgi")),
    *(("glance", name) for name in ("glance", "glance-api", "glance-manage", "uwsgi")),
    *(("keystone", name) for name in ("keystone", "uwsgi")),
    *(("neutron", name) for name in ("neutron", "neutron-ovn-agent", "uwsgi")),
    *(("nova", name) for name in ("nova", "nova-api", "nova-compute", "nova-conductor")),
    *(("nova", name) for name in ("nova-scheduler", "nova-spicehtml5proxy", "uwsgi")),
    *(("placement", name) for name in ("placement", "uwsgi")),
)
HOME = Path.home()

FILES: dict[Path, str] = {
    **{Path(f"/etc/{p}/{name}.conf.d/stranger.conf"): NONSENSE for p, name in PROGRAMS},
    **{Path(f"/etc/{p}/policy.yaml"): '"default": "!"\n: {\n' for p in PROJECTS},
    **{Path(f"/etc/{p}/policy.d/stranger.yaml"): '"default": "!"\n: {\n' for p in PROJECTS},
    Path("/etc/nova/provider_config/stranger.yaml"): NONSENSE,
    Path("/etc/neutron/kill_scripts/haproxy-kill"): NONSENSE,
    Path("/etc/mysql/conf.d/zz-stranger.cnf"): "[mariadbd]\nno-such-option = 1\n",
    Path("/etc/mysql/mariadb.conf.d/zz-stranger.cnf"): "[mariadbd]\nno-such-option = 1\n",
    Path("/etc/my.cnf"): "[mariadbd]\nno-such-option = 1\n",
    HOME / ".my.cnf": "[client]\nno-such-option = 1\n",
    Path("/etc/rabbitmq/rabbitmq.conf"): NONSENSE,
    Path("/etc/rabbitmq/conf.d/stranger.conf"): NONSENSE,
    Path("/etc/rabbitmq/advanced.config"): NONSENSE,
    Path("/etc/rabbitmq/rabbitmq-env.conf"): "NODENAME=stranger@nowhere\n",
    Path("/etc/memcached.conf"): "-p 1\n",
    Path("/etc/openvswitch/system-id.conf"): "stranger\n",
    Path("/etc/ovn/system-id-override"): "stranger\n",
    Path("/etc/openvswitch/system-id-override"): "stranger\n",
    Path("/etc/system-id-override"): "stranger\n",
    Path("/etc/libvirt/libvirtd.conf"): "no_such_option = 1\n",
    Path("/etc/libvirt/qemu.conf"): "no_such_option = 1\n",
    Path("/etc/uwsgi/default.ini"): NONSENSE,
    Path(
        "/etc/openstack/clouds.yaml"
    ): "clouds: {microstack: {auth: {auth_url: http://[::1]:1}}}\n",
}

VARIABLES = {
    "OS_AUTH_URL": "http://127.0.0.1:1/v3",
    "OS_USERNAME": "stranger",
    "OS_PASSWORD": "stranger",
    "OS_PROJECT_NAME": "stranger",
    "OS_REGION_NAME": "Elsewhere",
    "OS_CLOUD": "elsewhere",
    "OS_CLIENT_CONFIG_FILE": "/nonexistent/clouds.yaml",
    "PYTHONPATH": "/nonexistent",
    "MYSQL_HOME": "/etc",
    "RABBITMQ_NODENAME": "stranger@nowhere",
    "ERL_FLAGS": "-no_such_flag",
    "OVS_RUNDIR": "/nonexistent",
    "LIBVIRT_DEFAULT_URI": "test:///default",
}
"""What a user's shell may have set for other clouds and services."""

PROXIES = {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1", "no_proxy": ""}
"""One that packages come through, perhaps; this one lets nothing through."""


@contextmanager
def planted() -> Generator[None]:
    """Put those files there that the host does not have; take them away at the end.

    What the host has is left alone: a run that is killed must not cost anybody's configuration.
    """
    made: list[Path] = []
    try:
        for path, text in FILES.items():
            if path.exists() and path.read_text(errors="replace") != text:
                continue
            made += [folder for folder in reversed(path.parents) if not folder.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            made.append(path)
        yield
    finally:
        for path in reversed(made):
            path.rmdir() if path.is_dir() else path.unlink()
