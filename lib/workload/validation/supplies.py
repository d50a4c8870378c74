"""What a run needs and the cloud need not have: a second image and flavor, the image as a file.

It is made for the run and removed at its end. The names begin as those of all that Tempest makes.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workload.validation.cloud import Cloud, Flavor, Image
from workload.validation.settings import Supplies

if TYPE_CHECKING:
    from openstack.connection import Connection

NAME = "tempest-alt"
LARGER = 64
"""MiB of memory that the second flavor has more than the first."""

CHUNK = 1 << 20
OWN = ("os_", "hw_")
"""How properties of an image begin that say how its guests are to be run."""


@contextmanager
def made(connection: Connection, cloud: Cloud, folder: Path) -> Generator[Supplies]:
    """Give what a run needs; the image's file stands in `folder`."""
    with ExitStack() as stack:
        file = stack.enter_context(_downloaded(connection, cloud.image, folder))
        image = stack.enter_context(_second_image(connection, cloud.image, file))
        flavor = stack.enter_context(_second_flavor(connection, cloud.flavor))
        yield Supplies(image, flavor, file)


@contextmanager
def _downloaded(connection: Connection, image: Image, folder: Path) -> Generator[Path]:
    path = folder / f"{image.id}.{image.format}"
    api: Any = connection.image
    try:
        with path.open("wb") as file:
            answer = api.get(f"/images/{image.id}/file", stream=True)
            answer.raise_for_status()
            for chunk in answer.iter_content(CHUNK):
                file.write(chunk)
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _second_image(connection: Connection, image: Image, file: Path) -> Generator[str]:
    api: Any = connection.image
    first: Mapping[str, Any] = _checked(api.get(f"/images/{image.id}"))
    properties = {key: value for key, value in first.items() if key.startswith(OWN)}
    copied = ("disk_format", "container_format", "min_disk", "min_ram")
    body = {
        **{key: value for key, value in properties.items() if key not in _OF_GLANCE},
        **{key: first[key] for key in copied},
        "name": NAME,
        "visibility": "public",
    }
    second = _checked(api.post("/images", json=body))
    try:
        with file.open("rb") as stream:
            api.put(
                f"/images/{second['id']}/file",
                data=stream,
                headers={"Content-Type": "application/octet-stream"},
            ).raise_for_status()
        yield second["id"]
    finally:
        api.delete(f"/images/{second['id']}")


_OF_GLANCE = ("os_hidden", "os_hash_algo", "os_hash_value", "os_glance_importing_to_stores")
"""Fields of every image that its owner doesn't set."""


@contextmanager
def _second_flavor(connection: Connection, flavor: Flavor) -> Generator[str]:
    api: Any = connection.compute
    body = {
        "name": NAME,
        "ram": flavor.ram + LARGER,
        "disk": flavor.disk,
        "vcpus": flavor.vcpus,
    }
    second = _checked(api.post("/flavors", json={"flavor": body}))["flavor"]
    try:
        yield second["id"]
    finally:
        api.delete(f"/flavors/{second['id']}")


def _checked(answer: Any) -> Any:
    answer.raise_for_status()
    return answer.json()
