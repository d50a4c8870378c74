"""What `launch` decides before and after it asks OpenStack."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from ipaddress import IPv4Interface
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from openstack.exceptions import PreconditionFailedException
from openstack.image.v2.image import Image

from microstack import images, keys, launch
from microstack.cloud import External
from microstack.errors import Failure


@pytest.mark.parametrize(
    ("address", "first", "last"),
    [
        ("10.20.20.1/24", "10.20.20.100", "10.20.20.200"),
        ("10.0.0.1/16", "10.0.100.0", "10.0.200.0"),
        ("192.168.7.1/28", "192.168.7.6", "192.168.7.12"),
    ],
)
def test_floating_addresses_are_in_the_middle_of_the_provider_network(
    address: str, first: str, last: str
) -> None:
    assert External("physnet1", IPv4Interface(address)).pool == (first, last)


def test_a_provider_network_too_small_for_floating_addresses_is_refused() -> None:
    with pytest.raises(Failure, match="too small"):
        _ = External("physnet1", IPv4Interface("10.20.20.1/29")).pool


@pytest.mark.filterwarnings(
    "ignore:The _compute_attributes:openstack.warnings.RemovedInSDK50Warning"
)
@pytest.mark.parametrize(
    ("image", "user"),
    [
        ({"name": "guest", "os_admin_user": "guest"}, "guest"),
        ({"name": "noble-server", "os_distro": "ubuntu"}, "ubuntu"),
        ({"name": "cirros-0.6.3-x86_64-disk"}, "cirros"),
        ({"name": "mine"}, "root"),
    ],
)
def test_the_user_to_log_in_as_is_the_images(image: dict[str, str], user: str) -> None:
    assert launch.user_of(Image(**image)) == user


def test_a_key_pair_is_made_once_for_the_owner_alone(tmp_path: Path) -> None:
    private = keys.ensure(tmp_path / "ssh/id_microstack")
    assert private.stat().st_mode & 0o777 == 0o600
    public = keys.public_key(private)
    assert public.startswith("ssh-ed25519 AAAA")
    assert keys.public_key(keys.ensure(private)) == public


def test_a_public_key_that_was_lost_is_made_from_the_private_key(tmp_path: Path) -> None:
    private = keys.ensure(tmp_path / "id_microstack")
    public = keys.public_key(private)
    (tmp_path / "id_microstack.pub").unlink()
    assert keys.public_key(keys.ensure(private)) == public


def test_what_is_no_private_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "id_microstack").write_text("oops")
    with pytest.raises(Failure, match="id_microstack is not a private key"):
        keys.ensure(tmp_path / "id_microstack")


def test_formats_are_known_by_their_first_bytes(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "1M"], check=True)
    assert images.format_of(disk) == "qcow2"
    disk.write_bytes(bytes(4096))
    assert images.format_of(disk) == "raw"
    disk.write_bytes(bytes(32769) + b"CD001")
    assert images.format_of(disk) == "iso"


def test_a_compressed_image_is_refused(tmp_path: Path) -> None:
    disk = tmp_path / "disk.xz"
    disk.write_bytes(b"\xfd7zXZ\x00...")
    with pytest.raises(Failure, match="compressed"):
        images.format_of(disk)


@pytest.mark.parametrize(
    ("text", "source"),
    [("guest", False), ("./guest.img", True), ("https://example.org/a.img", True)],
)
def test_an_image_is_a_name_unless_it_looks_like_a_file_or_address(
    text: str, source: bool
) -> None:
    assert images.is_source(text) is source


class Compute:
    """Nova, of which each new guest comes to the next of these ends."""

    def __init__(self, *ends: SimpleNamespace) -> None:
        self.ends = list(ends)
        self.deleted: list[SimpleNamespace] = []

    def create_server(self, **_: object) -> SimpleNamespace:
        return SimpleNamespace(id="id", name="t1")

    def get_server(self, _: str) -> SimpleNamespace:
        return self.ends.pop(0)

    def delete_server(self, server: SimpleNamespace) -> None:
        self.deleted.append(server)


def of(compute: Compute) -> Any:
    return SimpleNamespace(compute=compute)


def test_a_guest_that_a_starting_hypervisor_gave_up_is_made_again() -> None:
    interrupted = SimpleNamespace(status="ERROR", fault=None, name="t1")
    compute = Compute(interrupted, SimpleNamespace(status="ACTIVE", name="t1"))
    told: list[str] = []
    made = launch._active(of(compute), {"name": "t1"}, told.append)
    assert made.status == "ACTIVE"
    assert compute.deleted == [interrupted]
    assert told == ["launching t1", "nova-compute was starting: launching t1 again"]


def test_a_guest_that_nova_refuses_is_not_made_again() -> None:
    refused = SimpleNamespace(status="ERROR", fault={"message": "Out of luck"}, name="t1")
    compute = Compute(refused)
    with pytest.raises(Failure, match="t1 did not start: Out of luck"):
        launch._active(of(compute), {"name": "t1"}, lambda _: None)
    assert compute.deleted == [refused]


def test_a_guest_that_does_not_answer_is_told_with_the_command_that_shows_its_screen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: str) -> bool:
        raise ConnectionRefusedError

    monkeypatch.setattr(launch, "SSH_TIMEOUT", 0)
    monkeypatch.setattr(launch, "_greets", refuse)
    compute: Any = SimpleNamespace(get_server_console_output=lambda *_, **__: {"output": "panic"})
    with pytest.raises(Failure, match="the console of t1 ends with:\npanic") as raised:
        launch._wait_for_ssh(of(compute), launched("t1"), "10.20.20.101")
    # Without it the client asks for VNC, which this cloud has not.
    assert raised.value.hint == "./microstack openstack console url show --spice t1"


def launched(name: str) -> Any:
    return SimpleNamespace(id="id", name=name)


class Neutron:
    """Neutron with one guest's port, and floating addresses of which some change when looked at.

    Attributes:
        taken: addresses that another launch takes between the look and the change.
    """

    def __init__(self, *addresses: SimpleNamespace, taken: Sequence[str] = ()) -> None:
        self.addresses = list(addresses)
        self.taken = taken

    def ports(self, **_: object) -> list[SimpleNamespace]:
        return [SimpleNamespace(id="port")]

    def networks(self, **_: object) -> list[SimpleNamespace]:
        return [SimpleNamespace(id="outside")]

    def ips(self, **wanted: object) -> list[SimpleNamespace]:
        return [a for a in self.addresses if a.description == wanted["description"]]

    def update_ip(self, address: SimpleNamespace, if_revision: int, port_id: str) -> None:
        if address.floating_ip_address in self.taken:
            raise PreconditionFailedException
        assert if_revision == address.revision_number
        address.port_id = port_id

    def create_ip(self, **attributes: Any) -> SimpleNamespace:
        self.addresses.append(floating("new", **attributes))
        return self.addresses[-1]


def floating(address: str, **attributes: Any) -> SimpleNamespace:
    made = {"port_id": None, "revision_number": 3, "description": launch.FLOATING}
    return SimpleNamespace(floating_ip_address=address, **{**made, **attributes})


@pytest.mark.parametrize(
    ("there", "taken", "given"),
    [
        ([], (), "new"),
        ([floating("in use", port_id="other")], (), "new"),
        ([floating("the user's own", description="")], (), "new"),
        ([floating("left")], (), "left"),
        ([floating("left"), floating("left too")], ("left",), "left too"),
        ([floating("left")], ("left",), "new"),
    ],
)
def test_a_guest_gets_the_address_that_an_earlier_one_left(
    there: list[SimpleNamespace], taken: Sequence[str], given: str
) -> None:
    neutron = Neutron(*there, taken=taken)
    connection: Any = SimpleNamespace(network=neutron, current_project_id="project")
    guest: Any = SimpleNamespace(id="id")
    assert launch._floating_address(connection, guest) == given
    assert [a.floating_ip_address for a in neutron.addresses if a.port_id == "port"] == [given]
