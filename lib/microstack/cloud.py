"""What a new cloud is given, so that guests can be launched: networks, flavors, an image.

The names are those that MicroStack has always used. All of it is ensured: what is there is left
alone, so that it can be changed and a run that was cut off can be repeated.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from microstack import clouds, guest_image, images
from microstack.errors import Failure
from microstack.installation import CLOUD, Machine, program

if TYPE_CHECKING:
    from openstack.connection import Connection

T = TypeVar("T")

EXTERNAL = "external"
TENANT = "test"
TENANT_CIDR = "192.168.222.0/24"
ROUTER = "test-router"

NETWORK = frozenset({"neutron", "ovn-chassis"})
"""The applications that a network to outside takes."""

GUESTS = NETWORK | {"nova", "nova-compute", "glance", "placement"}
"""The applications that a guest takes."""

HYPERVISOR_TIMEOUT = 120.0
"""Seconds for a first hypervisor to report to Nova; slow machines ask QEMU for half a minute."""

PATIENCE: dict[str, Any] = {
    "connect_retries": 60,
    "connect_retry_delay": 0.5,
    "status_code_retries": 60,
    "status_code_retry_delay": 0.5,
}
"""How often, and after how many seconds, to ask again a service that takes no connection, as it
is started again where its configuration has changed, or answers 503: after a fault those that
check tokens are back before Keystone is."""


@dataclass(frozen=True)
class Flavor:
    """A size of guests: memory in MiB, disk in GiB."""

    name: str
    memory: int
    disk: int
    cores: int


FLAVORS = (
    Flavor("m1.tiny", 256, 1, 1),
    Flavor("m1.small", 2048, 20, 1),
    Flavor("m1.medium", 4096, 20, 2),
    Flavor("m1.large", 8192, 20, 4),
    Flavor("m1.xlarge", 16384, 20, 8),
)

IMAGE_PROPERTIES: Mapping[str, str | int] = {
    "os_type": "linux",
    "os_admin_user": guest_image.USER,
    "hw_rng_model": "virtio",
    # Kernels for clouds come without drivers of SATA, where config drives would be.
    "hw_cdrom_bus": "scsi",
    "hw_scsi_model": "virtio-scsi",
    "min_ram": 128,
}


@dataclass(frozen=True)
class External:
    """The provider network, as the host is on it."""

    physical_network: str
    host: IPv4Interface

    @property
    def pool(self) -> tuple[str, str]:
        """First and last of the floating addresses: .100 to .200 of a /24, else in proportion."""
        network = self.host.network
        if network.num_addresses < 16:
            raise Failure(f"{network} is too small for floating addresses", "take a /28 or larger")
        step = network.num_addresses / 256
        return str(network[int(100 * step)]), str(network[int(200 * step)])


def set_up(
    machine: Machine, checkout: Path, image: str | None, step: Callable[[str], None]
) -> list[str]:
    """Give a cloud whose applications are all active what guests need.

    A bundle may have fewer applications than a whole cloud: what they offer is set up, and one
    without keystone has nothing to set up.

    Args:
        machine: whose model has the cloud's applications.
        checkout: the project's folder, or the snap's.
        image: file or address of one more image.
        step: called before what takes time.

    Returns:
        What the user should know: endpoints, where the credentials are, what to do next.

    Raises:
        Failure: the cloud refuses something.
    """
    applications = frozenset[str](machine.status()["applications"])
    if "keystone" not in applications:
        return []
    account = _account(machine)
    file = clouds.write(account)
    connection = connect()
    external = _external(machine) if applications >= NETWORK else None
    provide(connection, applications, external, lambda: guest_image.ensure(checkout, step), step)
    if image:
        with refusals():
            images.ensure(connection, image, step)
    guests = applications >= GUESTS
    if guests:
        await_hypervisor(connection, step)
    addresses = endpoints(connection)
    if url := _dashboard(machine):
        addresses["dashboard"] = f"{url} (user {account.username})"
    width = max(map(len, addresses))
    return [
        *(f"{name:<{width}}  {url}" for name, url in addresses.items()),
        f"credentials in {file}, cloud {CLOUD}: any OpenStack tool takes --os-cloud {CLOUD}",
        *([f"next: {program()} launch t1 --wait"] if guests else []),
    ]


def await_hypervisor(connection: Connection, step: Callable[[str], None]) -> None:
    """Wait until a hypervisor that is up has told Placement what it has.

    Nova sends no guest to a new hypervisor before, though its services run.

    Raises:
        Failure: there is none in time.
    """
    import tenacity

    def ready() -> bool:
        return any(
            host.state == "up" and _inventory(connection, str(host.id))
            for host in connection.compute.hypervisors()
        )

    with refusals():
        if ready():
            return
        step("waiting for the hypervisor")
        try:
            tenacity.Retrying(
                retry=tenacity.retry_if_result(lambda found: not found),
                stop=tenacity.stop_after_delay(HYPERVISOR_TIMEOUT),
                wait=tenacity.wait_fixed(0.3),
            )(ready)
        except tenacity.RetryError:
            raise Failure(
                f"no hypervisor has reported to Nova within {HYPERVISOR_TIMEOUT:g} s",
                f"{program()} logs nova-compute",
            ) from None


def _inventory(connection: Connection, provider: str) -> Mapping[str, Any]:
    """Return what a resource provider has of each resource class; nothing if unknown."""
    answer = connection.placement.get(f"/resource_providers/{provider}/inventories")
    return answer.json()["inventories"] if answer.ok else {}


def connect() -> Connection:
    """Return a connection as the user that clouds.yaml names, with a token.

    Raises:
        Failure: there is no such cloud, or it does not let the user in.
    """
    from openstack.config import OpenStackConfig
    from openstack.connection import Connection
    from openstack.exceptions import ConfigException

    files = [str(clouds.path())]
    config = OpenStackConfig(
        config_files=files, load_envvars=False, session_constructor=cast("Any", _session)
    )
    try:
        connection = Connection(config=config.get_one(CLOUD, **PATIENCE))
    except ConfigException as error:
        raise Failure(f"no credentials for the cloud: {error}", f"{program()} up") from None
    with refusals():
        connection.authorize()
    return connection


def _session(**options: Any) -> Any:
    """Return a session that uses no proxy: the endpoints are on this host."""
    import requests
    from keystoneauth1.session import Session

    direct = requests.Session()
    direct.trust_env = False
    return Session(session=direct, **options)


@contextlib.contextmanager
def refusals() -> Generator[None]:
    """Turn what OpenStack's client raises into a failure in one line.

    Raises:
        Failure: the cloud refused, or does not answer.
    """
    from keystoneauth1.exceptions import ClientException, ConnectFailure
    from openstack.exceptions import SDKException

    # The libraries tell on stderr, with a traceback, what their exceptions say anyway.
    logging.getLogger("keystoneauth").setLevel(logging.CRITICAL)
    try:
        yield
    except ConnectFailure as error:
        reason = str(error).partition(": HTTPConnectionPool")[0]
        raise Failure(f"the cloud does not answer: {reason}", f"{program()} status") from None
    except (ClientException, SDKException) as error:
        reason = getattr(error, "details", None) or error
        raise Failure(f"the cloud refuses: {reason}", f"{program()} status") from None


def endpoints(connection: Connection) -> dict[str, str]:
    """Return the public address of each service type of the catalog."""
    session: Any = connection.session
    catalog = session.auth.get_access(session).service_catalog
    found = catalog.get_endpoints(interface="public")
    return {kind: urls[0]["url"] for kind, urls in sorted(found.items()) if urls}


def provide(
    connection: Connection,
    applications: Collection[str],
    external: External | None,
    image: Callable[[], Path],
    step: Callable[[str], None],
) -> None:
    """Ensure flavors, networks and the built-in image, side by side.

    Args:
        connection: as the administrator.
        applications: those of the cloud; there are no flavors without nova, for one.
        external: the provider network; None where there is none.
        step: called before what takes time.
        image: gives the file of the image; called only where it must be uploaded.

    Raises:
        Failure: the cloud refuses something.
    """
    parts: list[Callable[[], None]] = []
    if "nova" in applications:
        parts.append(lambda: _flavors(connection))
    if external:
        parts.append(lambda: _networks(connection, external))
    if "glance" in applications:
        parts.append(lambda: _image(connection, image, step))
    if not parts:
        return
    with refusals(), ThreadPoolExecutor(len(parts)) as pool:
        for part in [pool.submit(part) for part in parts]:
            part.result()


def first(found: Iterable[T]) -> T | None:
    """Return what a query by name found; None if nothing."""
    return next(iter(found), None)


def _flavors(connection: Connection) -> None:
    present = {flavor.name for flavor in connection.compute.flavors()}
    for flavor in FLAVORS:
        if flavor.name not in present:
            connection.compute.create_flavor(
                name=flavor.name, ram=flavor.memory, disk=flavor.disk, vcpus=flavor.cores
            )


def _networks(connection: Connection, external: External) -> None:
    neutron = connection.network
    outside = first(neutron.networks(name=EXTERNAL)) or neutron.create_network(
        name=EXTERNAL,
        is_router_external=True,
        provider_network_type="flat",
        provider_physical_network=external.physical_network,
    )
    lowest, highest = external.pool
    _subnet(
        connection,
        outside.id,
        EXTERNAL,
        external.host.network,
        gateway_ip=str(external.host.ip),
        is_dhcp_enabled=False,
        allocation_pools=[{"start": lowest, "end": highest}],
    )
    inside = first(neutron.networks(name=TENANT)) or neutron.create_network(name=TENANT)
    subnet = _subnet(connection, inside.id, TENANT, IPv4Network(TENANT_CIDR))
    router = first(neutron.routers(name=ROUTER)) or neutron.create_router(
        name=ROUTER, external_gateway_info={"network_id": outside.id}
    )
    attached = {
        fixed["subnet_id"]
        for port in neutron.ports(device_id=router.id)
        for fixed in port.fixed_ips
    }
    if subnet.id not in attached:
        neutron.add_interface_to_router(router, subnet=subnet.id)


def _subnet(
    connection: Connection, network: str, name: str, cidr: IPv4Network, **options: Any
) -> Any:
    """Ensure the one subnet of a network.

    Raises:
        Failure: it is another one, which no change can mend while addresses of it are in use.
    """
    present: Sequence[Any] = list(connection.network.subnets(network_id=network))
    if not present:
        return connection.network.create_subnet(
            name=f"{name}-subnet", network_id=network, ip_version=4, cidr=str(cidr), **options
        )
    for subnet in present:
        if IPv4Network(subnet.cidr) == cidr:
            return subnet
    raise Failure(
        f"network {name} has {present[0].cidr}, but {cidr} is configured",
        f"delete it with its ports, then {program()} up; or set the option back",
    )


def _image(connection: Connection, image: Callable[[], Path], step: Callable[[str], None]) -> None:
    if not any(images.service(connection).images(name=guest_image.NAME, status="active")):
        images.upload(connection, image(), guest_image.NAME, IMAGE_PROPERTIES, step)


def _account(machine: Machine) -> clouds.Account:
    result = machine.run("keystone/leader", "get-admin-account", {}, timeout=60)
    if result.status != "completed":
        raise Failure(f"keystone does not give the administrator's account: {result.message}")
    return clouds.Account.from_action(result.results)


def _external(machine: Machine) -> External:
    settings: Mapping[str, Any] = machine.config("ovn-chassis")
    address = settings.get("external-bridge-address")
    if not address:
        raise Failure(
            "the host has no address on the provider network",
            f"{program()} config ovn-chassis external-bridge-address=10.20.20.1/24",
        )
    return External(settings["physical-network"], ipaddress.IPv4Interface(address))


def _dashboard(machine: Machine) -> str | None:
    application = machine.status()["applications"].get("horizon")
    if not application:
        return None
    unit = next(iter(application["units"].values()))
    port = machine.config("horizon")["port"]
    return f"http://{unit['public-address']}:{port}/"
