"""Launches a guest with everything that is needed to reach it.

A key pair, rules that let ping and ssh in, the guest on a network, a floating address. Other
parts of the program show the steps; this module asks OpenStack and knows no terminal.
"""

from __future__ import annotations

import contextlib
import itertools
import shlex
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tenacity

from microstack import cloud, guest_image, images, keys
from microstack.errors import Failure, UsageFailure
from microstack.installation import CLOUD, program

if TYPE_CHECKING:
    from openstack.compute.v2.server import Server
    from openstack.connection import Connection
    from openstack.image.v2.image import Image

ACTIVE_TIMEOUT = 300.0
SSH_TIMEOUT = 300.0
"""Seconds. Both are far more than needed, also for large images under software emulation."""

POLL = 0.3

FLOATING = "made by microstack launch"
"""Description of the floating addresses that a next guest may have when theirs is gone."""

USERS: Mapping[str, str] = {
    "almalinux": "almalinux",
    "arch": "arch",
    "centos": "cloud-user",
    "cirros": "cirros",
    "debian": "debian",
    "fedora": "fedora",
    "freebsd": "freebsd",
    "opensuse": "opensuse",
    "rhel": "cloud-user",
    "rocky": "rocky",
    "ubuntu": "ubuntu",
}
"""Whom cloud images log in by ssh key, by distribution."""

RULES: Sequence[Mapping[str, Any]] = (
    {"protocol": "icmp"},
    {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22},
)

SSH_CONFIG = """\
# Guests make their host keys at boot, their addresses go from one to the next, and the way to
# them is a bridge of this host: a remembered host key would only raise false alarms.
Host *
    IdentityFile {folder}/id_microstack
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
"""


@dataclass(frozen=True)
class Order:
    """What a guest is to be; None stands for what the cloud was given at bring-up.

    Attributes:
        image: name of an image, or a file or address to upload one from.
        flavor: none: the smallest that the image fits in.
        network: none: the tenant network.
        key: name of a key pair of the user's own; none: one is made.
    """

    name: str | None = None
    image: str | None = None
    flavor: str | None = None
    network: str | None = None
    key: str | None = None


@dataclass(frozen=True)
class Guest:
    """A launched guest.

    Attributes:
        address: its floating address.
        ssh: the command that logs in.
        console: address of its screen, for a browser; holds a token that lasts an hour.
    """

    name: str
    id: str
    address: str
    ssh: Sequence[str]
    console: str

    def __str__(self) -> str:
        return f"{self.name}: {shlex.join(self.ssh)}\nconsole: {self.console}"


def launch(
    connection: Connection,
    order: Order,
    folder: Path,
    step: Callable[[str], None],
    *,
    wait: bool = False,
) -> Guest:
    """Launch a guest.

    Args:
        connection: as the user whose guest it is to be.
        order: what it is to be.
        folder: keeps the private key and ssh's options.
        step: called before what takes time.
        wait: return when ssh answers; else when the guest is active.

    Raises:
        Failure: naming what the order lacks, what the cloud refuses, or what was awaited.
    """
    with cloud.refusals():
        return _launch(connection, order, folder, step, wait)


def _launch(
    connection: Connection, order: Order, folder: Path, step: Callable[[str], None], wait: bool
) -> Guest:
    step("preparing key pair and security group")
    with ThreadPoolExecutor() as pool:
        image_ = pool.submit(_image, connection, order.image, step)
        flavors = pool.submit(lambda: list(connection.compute.flavors()))
        network = pool.submit(_network, connection, order.network)
        key = pool.submit(_key_pair, connection, order.key, folder)
        name = pool.submit(_name, connection, order.name)
        rules = pool.submit(_let_in, connection)
        image = image_.result()
        wanted = {
            "name": name.result(),
            "image_id": image.id,
            "flavor_id": _flavor(flavors.result(), order.flavor, image).id,
            "networks": [{"uuid": network.result()}],
            "key_name": key.result(),
        }
        rules.result()
        # After a fault it may not have reported again yet: Nova would find no host.
        cloud.await_hypervisor(connection, step)
        server = _active(connection, wanted, step)
        console = pool.submit(_console, connection, server)
        address = _floating_address(connection, server)
        if wait:
            step(f"waiting for ssh on {address}")
            _wait_for_ssh(connection, server, address)
    return Guest(
        server.name, server.id, address, _ssh(order, folder, image, address), console.result()
    )


def _image(connection: Connection, wanted: str | None, step: Callable[[str], None]) -> Image:
    name = wanted or guest_image.NAME
    glance = images.service(connection)
    found = cloud.first(glance.images(name=name, status="active"))
    if found is None and images.is_source(name):
        found = images.ensure(connection, name, step)
    if found is None:
        raise _unknown("image", name, (image.name for image in glance.images()))
    return found


def _network(connection: Connection, wanted: str | None) -> str:
    name = wanted or cloud.TENANT
    found = cloud.first(connection.network.networks(name=name))
    if found is None:
        raise _unknown(
            "network", name, (network.name for network in connection.network.networks())
        )
    return str(found.id)


def _flavor(flavors: Sequence[Any], wanted: str | None, image: Image) -> Any:
    """Return the flavor of a name, or the smallest that an image fits in."""
    if wanted:
        found = next((flavor for flavor in flavors if wanted in (flavor.name, flavor.id)), None)
        if found is None:
            raise _unknown("flavor", wanted, (flavor.name for flavor in flavors))
        return found
    disk = max(image.min_disk or 0, (image.virtual_size or 0) / 2**30)
    fitting = [f for f in flavors if f.ram >= (image.min_ram or 0) and f.disk >= disk]
    if not fitting:
        raise Failure(f"no flavor is large enough for image {image.name}", "name one: --flavor")
    return min(fitting, key=lambda flavor: (flavor.ram, flavor.disk, flavor.vcpus))


def _name(connection: Connection, wanted: str | None) -> str:
    """Return the name for a guest, the first free one if none is wanted."""
    present = {server.name for server in connection.compute.servers(details=False)}
    if wanted is None:
        return next(name for n in itertools.count(1) if (name := f"guest-{n}") not in present)
    if wanted in present:
        raise UsageFailure(
            f"there is a guest {wanted} already",
            f"choose another name, or {program()} openstack server delete {wanted}",
        )
    return wanted


def _key_pair(connection: Connection, wanted: str | None, folder: Path) -> str:
    """Ensure the key pair that lets the user in; its name."""
    pairs = {pair.name: pair for pair in connection.compute.keypairs()}
    if wanted:
        if wanted not in pairs:
            raise _unknown("key pair", wanted, pairs)
        return wanted
    public = keys.public_key(keys.ensure(folder / "id_microstack"))
    (folder / "config").write_text(SSH_CONFIG.format(folder=folder))
    pair = pairs.get(CLOUD)
    if pair is not None and pair.public_key.split()[:2] != public.split()[:2]:
        connection.compute.delete_keypair(pair)
        pair = None
    if pair is None:
        connection.compute.create_keypair(name=CLOUD, public_key=public)
    return CLOUD


def _let_in(connection: Connection) -> None:
    """Let ping and ssh through the project's default security group."""
    from openstack.exceptions import ConflictException

    project = connection.current_project_id
    group = next(iter(connection.network.security_groups(name="default", project_id=project)))
    present = [
        (rule["protocol"], rule["port_range_min"])
        for rule in group.security_group_rules
        if rule["direction"] == "ingress" and rule["remote_group_id"] is None
    ]
    for rule in RULES:
        if (rule["protocol"], rule.get("port_range_min")) in present:
            continue
        try:
            connection.network.create_security_group_rule(
                security_group_id=group.id, direction="ingress", ether_type="IPv4", **rule
            )
        except ConflictException:
            continue  # made by another launch at the same time


def _active(
    connection: Connection, wanted: Mapping[str, Any], step: Callable[[str], None]
) -> Server:
    """Make a guest and wait until it runs; one that cannot is deleted.

    A nova-compute that starts gives up, without a reason, the guests that were sent to it before
    it was ready: Nova calls it up by what it said a minute ago. Such a guest is made once more.

    Raises:
        Failure: with Nova's reason, or when time is up.
    """
    step(f"launching {wanted['name']}")
    seen = _settled(connection, connection.compute.create_server(**wanted))
    if seen.status == "ERROR" and not seen.fault:
        connection.compute.delete_server(seen)
        step(f"nova-compute was starting: launching {wanted['name']} again")
        seen = _settled(connection, connection.compute.create_server(**wanted))
    if seen.status == "ERROR":
        connection.compute.delete_server(seen)
        raise _refused(connection, seen)
    return seen


def _settled(connection: Connection, server: Server) -> Server:
    """Wait until a guest runs, or Nova has given it up.

    Raises:
        Failure: time is up.
    """
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_delay(ACTIVE_TIMEOUT),
        wait=tenacity.wait_fixed(POLL),
        retry=tenacity.retry_if_result(lambda seen: seen.status not in ("ACTIVE", "ERROR")),
    )
    try:
        return retrying(connection.compute.get_server, server.id)
    except tenacity.RetryError:
        raise Failure(
            f"{server.name} is not active after {ACTIVE_TIMEOUT:g} s", f"{program()} doctor"
        ) from None


def _refused(connection: Connection, server: Server) -> Failure:
    """Return why a guest did not start, in plain words."""
    fault: Mapping[str, Any] = server.fault or {}
    reason = str(fault.get("message") or "Nova gives no reason")
    hint = f"{program()} logs nova-compute"
    if "No valid host" in reason:
        reason = f"no host has room for it ({_room(connection)}): {reason}"
        hint = f"take a smaller flavor or delete guests; {program()} logs nova-scheduler"
    return Failure(f"{server.name} did not start: {reason}", hint)


def _room(connection: Connection) -> str:
    services = list(connection.compute.services(binary="nova-compute"))
    down = [service.host for service in services if service.state != "up"]
    if down or not services:
        return f"nova-compute is down on {', '.join(down)}" if down else "there is no nova-compute"
    guests = sum(1 for _ in connection.compute.servers(all_projects=True, details=False))
    return f"{len(services)} with nova-compute up, {guests} guests"


def _floating_address(connection: Connection, server: Server) -> str:
    """Give a guest an address that the host reaches: one that an earlier guest left, or a new one.

    Addresses outlive their guests, and there are but a hundred. One that the user made is not
    taken: it was made for something.
    """
    from openstack.exceptions import PreconditionFailedException

    neutron = connection.network
    port = next(iter(neutron.ports(device_id=server.id)))
    outside = next(iter(neutron.networks(name=cloud.EXTERNAL)))
    project = connection.current_project_id
    made = {"floating_network_id": outside.id, "project_id": project, "description": FLOATING}
    for left in [address for address in neutron.ips(**made) if address.port_id is None]:
        # Refused where another launch has taken it since.
        with contextlib.suppress(PreconditionFailedException):
            neutron.update_ip(left, if_revision=left.revision_number, port_id=port.id)
            return str(left.floating_ip_address)
    floating = neutron.create_ip(
        floating_network_id=outside.id, port_id=port.id, description=FLOATING
    )
    return str(floating.floating_ip_address)


def _console(connection: Connection, server: Server) -> str:
    console = connection.compute.create_console(server, console_type="spice-html5") or {}
    return str(console["url"])


def _wait_for_ssh(connection: Connection, server: Server, address: str) -> None:
    """Wait until the guest's ssh server greets.

    Raises:
        Failure: with the end of the console log, when time is up.
    """
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_delay(SSH_TIMEOUT),
        wait=tenacity.wait_fixed(POLL),
        retry=tenacity.retry_if_exception_type(OSError) | tenacity.retry_if_result(_is_false),
    )
    try:
        retrying(_greets, address)
    except tenacity.RetryError:
        output = connection.compute.get_server_console_output(server, length=5)["output"]
        raise Failure(
            f"no ssh server answers on {address} after {SSH_TIMEOUT:g} s; "
            f"the console of {server.name} ends with:\n{output}",
            f"{program()} openstack console url show --spice {server.name}",
        ) from None


def _greets(address: str) -> bool:
    with socket.create_connection((address, 22), timeout=3) as connection:
        return connection.recv(4) == b"SSH-"


def _is_false(value: bool) -> bool:
    return not value


def _ssh(order: Order, folder: Path, image: Image, address: str) -> list[str]:
    """Return the command that logs in; with the user's own key, their ssh finds it."""
    target = f"{user_of(image)}@{address}"
    if order.key:
        return ["ssh", target]
    return ["ssh", "-F", str(folder / "config"), target]


def user_of(image: Image) -> str:
    """Return whom an image lets log in: what it says, or what its distribution's name tells."""
    if image.os_admin_user:
        return str(image.os_admin_user)
    names = (image.os_distro or "", image.name or "")
    return next(
        (user for name in names for distro, user in USERS.items() if distro in name.lower()),
        "root",
    )


def _unknown(kind: str, name: str, present: Any) -> UsageFailure:
    return UsageFailure(f"there is no {kind} {name}", f"there are: {', '.join(sorted(present))}")
