"""What a cloud says of itself, as far as its tests need to know.

Asked are the catalog, the APIs' version documents, extensions, schemas, hypervisors and what is
shared by all projects. Nothing is assumed that an API tells; what none tells is in `settings`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, ip_network
from typing import TYPE_CHECKING, Any

from workload.validation.inventory import PREFIXES

if TYPE_CHECKING:
    from openstack.connection import Connection

VOLUME_TYPES = ("block-storage", "volumev3", "volume")
"""Service types of Cinder, newest first."""

HYPERVISOR_UUIDS = "2.53"
"""Nova's microversion from which a hypervisor's id is that of its resource provider."""

TRAITS = "1.6"
"""Placement's first microversion with traits."""


class CloudError(Exception):
    """The cloud lacks what its tests need; the message says what to give it."""


@dataclass(frozen=True)
class Image:
    """An image that guests can boot: sizes in GiB of disk and MiB of memory."""

    id: str
    name: str
    format: str
    min_disk: int
    min_ram: int
    user: str


@dataclass(frozen=True)
class Flavor:
    """A size of guests: memory in MiB, disk in GiB."""

    id: str
    name: str
    ram: int
    disk: int
    vcpus: int


@dataclass(frozen=True)
class Volumes:
    """What Cinder says of its backends."""

    catalog_type: str
    microversion: str
    protocol: str
    vendor: str
    backup: bool


@dataclass(frozen=True)
class Cloud:
    """What a cloud says of itself.

    Attributes:
        services: service type -> public URL.
        identity: version of the identity API, e.g. (3, 14).
        compute, placement: newest microversion.
        hypervisors: type of each one that is up, e.g. `QEMU`.
        traits: what Placement knows of the hypervisors (os-traits).
        extensions: aliases of the network API.
        formats: disk formats that images may have.
        containers: container formats that images may have.
        imports: methods of image import.
        volumes: None where no volume can be made.
        no_volumes: why not.
    """

    auth_url: str
    region: str
    services: Mapping[str, str]
    identity: tuple[int, ...]
    compute: str
    placement: str
    hypervisors: Sequence[str]
    traits: frozenset[str]
    extensions: Sequence[str]
    formats: Sequence[str]
    containers: Sequence[str]
    imports: Sequence[str]
    image: Image
    flavor: Flavor
    external_network: tuple[str, str]
    external_subnets: Sequence[IPv4Network] = field(default=())
    volumes: Volumes | None = None
    no_volumes: str = ""


def describe(connection: Connection, image: str = "", flavor: str = "") -> Cloud:
    """Ask a cloud about itself, as its administrator.

    Args:
        connection: as a user with the role admin.
        image: name or id of the image for guests; the smallest where empty.
        flavor: likewise; the smallest that the image fits.

    Raises:
        CloudError: there is no image, no flavor or no external network.
    """
    session: Any = connection.session
    catalog = session.auth.get_access(session).service_catalog
    urls: Mapping[str, Any] = catalog.get_endpoints(interface="public")
    services: dict[str, str] = {kind: found[0]["url"] for kind, found in urls.items() if found}
    images = _list(connection.image, "/images?status=active&limit=1000", "images")
    flavors = _list(connection.compute, "/flavors/detail?limit=1000", "flavors")
    chosen = choose_image(images, image)
    network, subnets = _external(connection)
    volumes, why = _volumes(connection, services)
    hosts = _list(connection.compute, "/os-hypervisors/detail", "hypervisors", HYPERVISOR_UUIDS)
    hypervisors = [host for host in hosts if host["state"] == "up"]
    schema = connection.image.get("/schemas/image").json()["properties"]
    imports = connection.image.get("/info/import").json().get("import-methods", {})
    return Cloud(
        auth_url=session.auth.auth_url,
        region=connection.config.get_region_name() or "",
        services=services,
        identity=_version(connection.identity),
        compute=_microversion(connection.compute),
        placement=_microversion(connection.placement),
        hypervisors=[host["hypervisor_type"] for host in hypervisors],
        traits=_traits(connection, [host["id"] for host in hypervisors]),
        extensions=sorted(
            found["alias"] for found in _list(connection.network, "/extensions", "extensions")
        ),
        formats=_enumerated(schema["disk_format"]),
        containers=_enumerated(schema["container_format"]),
        imports=imports.get("value", ()),
        image=chosen,
        flavor=choose_flavor(flavors, flavor, chosen),
        external_network=network,
        external_subnets=subnets,
        volumes=volumes,
        no_volumes=why,
    )


def _list(api: Any, path: str, key: str, microversion: str | None = None) -> Sequence[Any]:
    answer = api.get(path, microversion=microversion)
    answer.raise_for_status()
    return answer.json()[key]


def _enumerated(property_: Mapping[str, Any]) -> list[str]:
    return [value for value in property_["enum"] if value is not None]


def _version(api: Any) -> tuple[int, ...]:
    return tuple(api.get_endpoint_data().api_version)


def _microversion(api: Any) -> str:
    newest = api.get_endpoint_data().max_microversion
    return ".".join(map(str, newest)) if newest else ""


def _traits(connection: Connection, providers: Sequence[str]) -> frozenset[str]:
    """Return the traits that all hypervisors have."""
    found: list[frozenset[str]] = [
        frozenset(
            _list(connection.placement, f"/resource_providers/{provider}/traits", "traits", TRAITS)
        )
        for provider in providers
    ]
    return found[0].intersection(*found[1:]) if found else frozenset()


def choose_image(images: Sequence[Mapping[str, Any]], wanted: str = "") -> Image:
    """Return the image of a name or id; the smallest public one where none is wanted.

    What Tempest made and left is none of the cloud's.

    Raises:
        CloudError: there is none.
    """
    found = [
        image
        for image in images
        if image["container_format"] == "bare"
        and (
            wanted in (image["name"], image["id"])
            if wanted
            else image["visibility"] == "public" and not _of_tests(image)
        )
    ]
    if not found:
        what = f"image {wanted}" if wanted else "public image"
        raise CloudError(f"the cloud has no active {what}: tests need one that boots")
    least = min(found, key=lambda image: image["size"])
    return Image(
        id=least["id"],
        name=least["name"],
        format=least["disk_format"],
        min_disk=least["min_disk"],
        min_ram=least["min_ram"],
        user=least.get("os_admin_user", "root"),
    )


def choose_flavor(flavors: Sequence[Mapping[str, Any]], wanted: str, image: Image) -> Flavor:
    """Return the flavor of a name or id; the smallest that the image fits where none is wanted.

    Raises:
        CloudError: there is none.
    """
    found = [
        Flavor(flavor["id"], flavor["name"], flavor["ram"], flavor["disk"], flavor["vcpus"])
        for flavor in flavors
        if (
            wanted in (flavor["name"], flavor["id"])
            if wanted
            else flavor["ram"] >= image.min_ram
            and flavor["disk"] >= max(image.min_disk, 1)
            and not _of_tests(flavor)
        )
    ]
    if not found:
        what = f"flavor {wanted}" if wanted else f"flavor that the image {image.name} fits"
        raise CloudError(f"the cloud has no {what}")
    return min(found, key=lambda flavor: (flavor.ram, flavor.disk, flavor.vcpus))


def _of_tests(thing: Mapping[str, Any]) -> bool:
    return str(thing["name"] or "").startswith(PREFIXES)


def _external(connection: Connection) -> tuple[tuple[str, str], list[IPv4Network]]:
    found = _list(connection.network, "/networks?router:external=true", "networks")
    if not found:
        raise CloudError("the cloud has no external network: tests reach guests by its addresses")
    network = min(found, key=lambda network: network["name"])
    subnets = _list(connection.network, f"/subnets?network_id={network['id']}", "subnets")
    cidrs = [ip_network(subnet["cidr"]) for subnet in subnets]
    inner = [cidr for cidr in cidrs if isinstance(cidr, IPv4Network)]
    return (network["id"], network["name"]), inner


def _volumes(connection: Connection, services: Mapping[str, str]) -> tuple[Volumes | None, str]:
    kind = next((name for name in VOLUME_TYPES if name in services), None)
    if kind is None:
        return None, "no volume service is in the catalog"
    api = connection.block_storage
    running = [s for s in _list(api, "/os-services", "services") if s["state"] == "up"]
    if not any(service["binary"] == "cinder-volume" for service in running):
        return None, "no cinder-volume is up"
    pools = _list(api, "/scheduler-stats/get_pools?detail=true", "pools")
    told: Mapping[str, str] = pools[0]["capabilities"] if pools else {}
    return (
        Volumes(
            catalog_type=kind,
            microversion=_microversion(api),
            protocol=told.get("storage_protocol", "iSCSI"),
            vendor=told.get("vendor_name", "Open Source"),
            backup=any(service["binary"] == "cinder-backup" for service in running),
        ),
        "",
    )
