"""tempest.conf, made of what the cloud says of itself.

Options and their meaning: tempest.config of the installed Tempest.
"""

from __future__ import annotations

import configparser
import io
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from workload.validation.cloud import Cloud

Sections = dict[str, dict[str, str]]

PROJECT_NETWORKS = ("10.100.0.0/16", "10.101.0.0/16", "172.30.0.0/16")
"""What networks of tests are cut from: the first that is not part of an external network."""


@dataclass(frozen=True)
class Account:
    """The administrator that tests make their own users with."""

    username: str
    password: str
    project: str
    user_domain: str
    project_domain: str


@dataclass(frozen=True)
class Supplies:
    """What a run makes for itself beside what the cloud has.

    Attributes:
        image: id of a second image.
        flavor: id of a second flavor, larger than the first.
        image_file: a file with the image's content.
    """

    image: str
    flavor: str
    image_file: Path


def sections(
    cloud: Cloud, account: Account, supplies: Supplies, folder: Path, *, bad_images: bool
) -> Sections:
    """Return tempest.conf.

    Args:
        cloud: what the cloud says of itself.
        account: its administrator.
        supplies: what the run made for itself.
        folder: where the run's files are.
        bad_images: whether tests are run that need images which are not what they claim to be.
    """
    return {
        "DEFAULT": {"log_file": "tempest.log", "log_dir": str(folder), "debug": "true"},
        "oslo_concurrency": {"lock_path": str(folder / "lock")},
        "auth": {
            "use_dynamic_credentials": "true",
            "admin_username": account.username,
            "admin_password": account.password,
            "admin_project_name": account.project,
            "admin_user_domain_name": account.user_domain,
            "admin_project_domain_name": account.project_domain,
        },
        **_identity(cloud),
        **_compute(cloud, supplies),
        **_image(cloud, bad_images),
        **_network(cloud),
        **_volume(cloud),
        "placement": _some({"max_microversion": cloud.placement}),
        "validation": {
            "run_validation": "true",
            "connect_method": "floating",
            "auth_method": "keypair",
            "image_ssh_user": cloud.image.user,
            "image_alt_ssh_user": cloud.image.user,
        },
        "scenario": {
            "img_file": str(supplies.image_file),
            "img_disk_format": cloud.image.format,
        },
        "service_available": _available(cloud),
    }


def render(content: Mapping[str, Mapping[str, str]]) -> str:
    """Return the text of a configuration file (oslo.config's format)."""
    parser = configparser.RawConfigParser(default_section="")
    for name, options in content.items():
        # oslo.config replaces $NAME in values.
        parser[name] = {key: value.replace("$", "$$") for key, value in options.items()}
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def _available(cloud: Cloud) -> dict[str, str]:
    kinds = {
        "nova": "compute",
        "glance": "image",
        "neutron": "network",
        "swift": "object-store",
        "horizon": "dashboard",
    }
    found = {name: _yes(kind in cloud.services) for name, kind in kinds.items()}
    return {**found, "cinder": _yes(cloud.volumes is not None)}


def _identity(cloud: Cloud) -> Sections:
    return {
        "identity": {
            "uri_v3": cloud.auth_url,
            "auth_version": "v3",
            "region": cloud.region,
        },
        "identity-feature-enabled": {
            "api_v2": "false",
            "api_v2_admin": "false",
            # Keystone's release notes: access rules came with 3.13.
            "access_rules": _yes(cloud.identity >= (3, 13)),
        },
    }


def _compute(cloud: Cloud, supplies: Supplies) -> Sections:
    several = len(cloud.hypervisors) > 1
    return {
        "compute": _some(
            {
                "image_ref": cloud.image.id,
                "image_ref_alt": supplies.image,
                "flavor_ref": cloud.flavor.id,
                "flavor_ref_alt": supplies.flavor,
                "min_compute_nodes": str(max(len(cloud.hypervisors), 1)),
                "hypervisor_type": next(iter(cloud.hypervisors), ""),
                "max_microversion": cloud.compute,
            }
        ),
        "compute-feature-enabled": {
            # Nova resizes on the same host; to another one it would need ssh between the hosts.
            "resize": _yes(not several),
            "cold_migration": "false",
            "live_migration": _yes(several),
            "interface_attach": _yes("COMPUTE_NET_ATTACH_INTERFACE" in cloud.traits),
            "ide_bus": _yes("COMPUTE_STORAGE_BUS_IDE" in cloud.traits),
            "volume_multiattach": _yes("COMPUTE_VOLUME_MULTI_ATTACH" in cloud.traits),
            # Keys of encrypted volumes are kept by a key manager.
            "attach_encrypted_volume": _yes("key-manager" in cloud.services),
            "vnc_console": "false",
        },
    }


def _image(cloud: Cloud, bad_images: bool) -> Sections:
    # Tests upload random bytes in the first of these. Glance inspects what is in the container
    # bare (glance.location), and lets those named as disk formats hold nothing else.
    last = ("bare", *cloud.formats)
    containers = sorted(cloud.containers, key=lambda name: name in last)
    return {
        "image": {
            "disk_formats": ",".join(sorted(cloud.formats, key=lambda name: name != "raw")),
            "container_formats": ",".join(containers),
        },
        "image-feature-enabled": {
            "import_image": _yes(bool(cloud.imports)),
            # Said of all images or of none: where true, tests that list images are skipped.
            "image_format_enforcement": _yes(bad_images),
        },
    }


def _network(cloud: Cloud) -> Sections:
    id_, name = cloud.external_network
    return {
        "network": {
            "public_network_id": id_,
            "floating_network_name": name,
            "project_network_cidr": _free(cloud),
        },
        "network-feature-enabled": {
            "api_extensions": ",".join(cloud.extensions),
            "port_security": _yes("port-security" in cloud.extensions),
            "floating_ips": _yes("router" in cloud.extensions),
            "ipv6_subnet_attributes": "true",
        },
    }


def _volume(cloud: Cloud) -> Sections:
    if cloud.volumes is None:
        return {}
    return {
        "volume": _some(
            {
                "catalog_type": cloud.volumes.catalog_type,
                "max_microversion": cloud.volumes.microversion,
                "storage_protocol": cloud.volumes.protocol,
                "vendor_name": cloud.volumes.vendor,
            }
        ),
        "volume-feature-enabled": {
            "backup": _yes(cloud.volumes.backup),
            "extend_attached_volume": _yes("COMPUTE_VOLUME_EXTEND" in cloud.traits),
        },
    }


def _free(cloud: Cloud) -> str:
    """Return a network for tests' own subnets that no external network overlaps."""
    for candidate in PROJECT_NETWORKS:
        network = IPv4Network(candidate)
        if not any(network.overlaps(external) for external in cloud.external_subnets):
            return candidate
    return PROJECT_NETWORKS[0]


def _some(options: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in options.items() if value}


def _yes(value: bool) -> str:
    return "true" if value else "false"
