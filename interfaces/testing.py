"""For the tests of charms: the other side of each interface, as `ops.testing` has it.

Each function returns what a provider has sent, complete: the relation, and the secret in it where
there is one. Put both into the `State`.
"""

from __future__ import annotations

from collections.abc import Mapping

from ops import testing

from interfaces import (
    glance,
    keystone,
    keystone_admin,
    keystone_credentials,
    memcache,
    mysql_client,
    neutron_api,
    neutron_plugin,
    nova,
    nova_compute,
    ovsdb,
    ovsdb_cms,
    placement,
    rabbitmq,
)
from interfaces.base import Databag, encode

PASSWORD = "correct-horse"  # noqa: S105 - for tests
ADDRESS = "192.0.2.1"
"""Where every provider is (RFC 5737)."""


def database(name: str, endpoint: str = "database") -> tuple[testing.Relation, testing.Secret]:
    """Return a schema on `mariadb` and its account."""
    secret = _account(name)
    data = mysql_client.ProviderData(
        database=name, endpoints=f"{ADDRESS}:3306", secret_user=secret.id, version="10.11.14"
    )
    return _relation(endpoint, "mariadb", data), secret


def broker(username: str, endpoint: str = "amqp") -> tuple[testing.Relation, testing.Secret]:
    """Return an account on `rabbitmq`."""
    secret = _account(username)
    data = rabbitmq.ProviderData(
        hostname=ADDRESS, port=5672, vhost="openstack", secret_user=secret.id
    )
    return _relation(endpoint, "rabbitmq", data), secret


def memcached(endpoint: str = "cache") -> testing.Relation:
    """Return one unit of `memcached`."""
    data = memcache.ProviderData(host=ADDRESS, port=11211)
    return testing.Relation(
        endpoint, remote_app_name="memcached", remote_units_data={0: encode(data)}
    )


def identity_service(
    username: str, endpoint: str = "identity-service"
) -> tuple[testing.Relation, testing.Secret]:
    """Return a service account of `keystone`."""
    secret = _account(username)
    url = f"http://{ADDRESS}:5000/v3"
    data = keystone.ProviderData(
        api_version="v3",
        region="RegionOne",
        internal_auth_url=url,
        public_auth_url=url,
        admin_auth_url=url,
        service_domain_name="Default",
        service_project_name="service",
        admin_role="admin",
        service_credentials=secret.id,
    )
    return _relation(endpoint, "keystone", data), secret


def identity_credentials(
    username: str, endpoint: str = "identity-credentials"
) -> tuple[testing.Relation, testing.Secret]:
    """Return an account of `keystone` without a service."""
    secret = _account(username)
    url = f"http://{ADDRESS}:5000/v3"
    data = keystone_credentials.ProviderData(
        api_version="v3",
        region="RegionOne",
        internal_endpoint=url,
        public_endpoint=url,
        user_domain_name="Default",
        project_domain_name="Default",
        project_name="service",
        admin_role="admin",
        credentials=secret.id,
    )
    return _relation(endpoint, "keystone", data), secret


def identity_admin(
    username: str, endpoint: str = "identity-admin"
) -> tuple[testing.Relation, testing.Secret]:
    """Return an administrator's account of `keystone`, in a project of the same name."""
    secret = _account(username)
    url = f"http://{ADDRESS}:5000/v3"
    data = keystone_admin.ProviderData(
        api_version="v3",
        region="RegionOne",
        internal_endpoint=url,
        public_endpoint=url,
        user_domain_name="Default",
        project_domain_name="Default",
        project_name=username,
        credentials=secret.id,
    )
    return _relation(endpoint, "keystone", data), secret


def image_service(endpoint: str = "image-service") -> testing.Relation:
    """Return the image API of `glance`."""
    data = glance.ProviderData(glance_api_server=f"http://{ADDRESS}:9292")
    return _relation(endpoint, "glance", data)


def placement_service(endpoint: str = "placement") -> testing.Relation:
    """Return the API of `placement`."""
    data = placement.ProviderData(placement_url=f"http://{ADDRESS}:8778")
    return _relation(endpoint, "placement", data)


def network_service(endpoint: str = "neutron-api") -> testing.Relation:
    """Return the API of `neutron`."""
    data = neutron_api.ProviderData(neutron_url=f"http://{ADDRESS}:9696")
    return _relation(endpoint, "neutron", data)


def nova_service(
    endpoint: str = "nova-service",
) -> tuple[testing.Relation, testing.Secret]:
    """Return the metadata API of `nova` and its shared secret."""
    secret = _secret({"shared-secret": PASSWORD})
    data = nova.ProviderData(
        metadata_host=ADDRESS,
        metadata_port=8775,
        metadata_secret=secret.id,
        spice_proxy_url=f"http://{ADDRESS}:6082/spice_auto.html",
    )
    return _relation(endpoint, "nova", data), secret


def compute_service(endpoint: str = "compute") -> testing.Relation:
    """Return what `nova` tells its hypervisors."""
    data = nova_compute.ProviderData(
        spice_proxy_url=f"http://{ADDRESS}:6082/spice_auto.html", takes_hypervisors=True
    )
    return _relation(endpoint, "nova", data)


def hypervisor(endpoint: str = "neutron-plugin") -> testing.SubordinateRelation:
    """Return the hypervisor that a chassis is subordinate to."""
    data = neutron_plugin.ProviderData(host="node-1")
    return testing.SubordinateRelation(
        endpoint, remote_app_name="nova-compute", remote_unit_data=encode(data)
    )


def ovn_for_chassis(endpoint: str = "ovsdb") -> testing.Relation:
    """Return OVN's databases, for a chassis."""
    data = ovsdb.ProviderData(
        db_nb_connection_str=f"tcp:{ADDRESS}:6641", db_sb_connection_str=f"tcp:{ADDRESS}:6642"
    )
    return _relation(endpoint, "ovn-central", data)


def ovn_for_neutron(endpoint: str = "ovsdb-cms") -> testing.Relation:
    """Return OVN's databases, for Neutron."""
    data = ovsdb_cms.ProviderData(
        db_nb_connection_str=f"tcp:{ADDRESS}:6641", db_sb_connection_str=f"tcp:{ADDRESS}:6642"
    )
    return _relation(endpoint, "ovn-central", data)


def secret_of(state: testing.State, secret_id: str) -> Mapping[str, str]:
    """Return the newest content of a secret in a state."""
    secret = state.get_secret(id=secret_id)
    return secret.latest_content or secret.tracked_content


def _relation(endpoint: str, app: str, data: Databag) -> testing.Relation:
    return testing.Relation(endpoint, remote_app_name=app, remote_app_data=encode(data))


def _account(username: str) -> testing.Secret:
    return _secret({"username": username, "password": PASSWORD})


def _secret(content: dict[str, str]) -> testing.Secret:
    return testing.Secret(content)
