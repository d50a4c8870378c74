"""Images for guests, from files and addresses."""

from __future__ import annotations

import hashlib
import tempfile
import urllib.parse
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from microstack.errors import Failure, UsageFailure

if TYPE_CHECKING:
    from openstack.connection import Connection
    from openstack.image.v2._proxy import Proxy
    from openstack.image.v2.image import Image

CHUNK = 2**20
CONNECT_TIMEOUT = 30.0
"""Seconds; for the connection and for each read of a download."""

MAGIC: Mapping[bytes, str] = {b"QFI\xfb": "qcow2", b"KDMV": "vmdk", b"vhdxfile": "vhdx"}
COMPRESSED: Mapping[bytes, str] = {
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "zstd",
}
ISO_MAGIC, ISO_OFFSET = b"CD001", 32769


def is_source(text: str) -> bool:
    """Whether `text` says where an image is to come from, rather than which one to take."""
    return _is_url(text) or "/" in text or Path(text).is_file()


def service(connection: Connection) -> Proxy:
    """Return Glance, whose version 2 is the only one that is left."""
    return cast("Proxy", connection.image)


def ensure(connection: Connection, source: str, step: Callable[[str], None]) -> Image:
    """Upload the image at `source`, a file or an address, unless it was uploaded before.

    It is named after the file, without its suffix.

    Raises:
        Failure: it cannot be read, or another image has its name.
    """
    with _local(source, step) as (file, name):
        return upload(connection, file, name, {}, step)


def upload(
    connection: Connection,
    file: Path,
    name: str,
    properties: Mapping[str, str | int],
    step: Callable[[str], None],
) -> Image:
    """Upload a file as a public image unless the same was uploaded before.

    Args:
        connection: as a user who may publish images.
        file: a disk image that is not compressed.
        name: of the image.
        step: called before what takes time.
        properties: of the image, e.g. `os_admin_user`; keys and values are Glance's.

    Raises:
        Failure: the file is no image, or another image has the name.
    """
    disk_format = format_of(file)
    glance = service(connection)
    present = list(glance.images(name=name))
    for cut_off in (image for image in present if image.status == "queued"):
        glance.delete_image(cut_off)
    active = [image for image in present if image.status == "active"]
    if active:
        return _same(active, file, name)
    step(f"uploading image {name}, {file.stat().st_size / 1e6:.0f} MB")
    return glance.create_image(
        name,
        filename=str(file),
        disk_format=disk_format,
        container_format="bare",
        visibility="public",
        allow_duplicates=True,
        meta=dict(properties),
    )


def _same(images: Sequence[Image], file: Path, name: str) -> Image:
    digest = _sha512(file)
    same = next((image for image in images if image.hash_value == digest), None)
    if same is None:
        raise Failure(
            f"an image {name} is there already, with other content than {file}",
            f"rename the file, or delete the image: openstack image delete {name}",
        )
    return same


def format_of(file: Path) -> str:
    """Return Glance's name for the format of a disk image, by its first bytes.

    Raises:
        Failure: it is compressed, or is no file.
    """
    try:
        with file.open("rb") as stream:
            head = stream.read(8)
            stream.seek(ISO_OFFSET)
            is_iso = stream.read(len(ISO_MAGIC)) == ISO_MAGIC
    except OSError as error:
        raise UsageFailure(f"{file}: {error.strerror}", "name an image file") from None
    for magic, compression in COMPRESSED.items():
        if head.startswith(magic):
            raise UsageFailure(f"{file} is compressed ({compression})", "unpack it first")
    found = next((name for magic, name in MAGIC.items() if head.startswith(magic)), "raw")
    return "iso" if is_iso else found


@contextmanager
def _local(source: str, step: Callable[[str], None]) -> Generator[tuple[Path, str]]:
    """Give the image as a file on this host, and its name."""
    if not _is_url(source):
        yield Path(source), Path(source).stem
        return
    with tempfile.NamedTemporaryFile(prefix="microstack-image-") as file:
        step(f"downloading {source}")
        _download(source, file)
        file.flush()
        yield Path(file.name), Path(urllib.parse.urlparse(source).path).stem or "image"


def _download(url: str, file: IO[bytes]) -> None:
    import requests

    try:
        with requests.get(url, stream=True, timeout=CONNECT_TIMEOUT) as answer:
            answer.raise_for_status()
            for chunk in answer.iter_content(CHUNK):
                file.write(chunk)
    except requests.RequestException as error:
        raise Failure(f"cannot download the image: {error}", "check the address") from None


def _is_url(text: str) -> bool:
    return urllib.parse.urlparse(text).scheme in ("http", "https")


def _sha512(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha512").hexdigest()
