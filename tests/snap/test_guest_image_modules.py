"""The kernel's modules in the guest image, however the distribution compresses them."""

from __future__ import annotations

import gzip
import lzma
import sys
from collections.abc import Callable
from importlib import util
from pathlib import Path
from typing import Any

import pytest

BUILD = Path(__file__).parents[2] / "snap/guest-image/build.py"
MODULE = b"\0license=GPL\0depends=net_failover,failover\0text"
COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
}


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BUILD.parent)  # pyright: ignore[reportUnknownMemberType]
    spec = util.spec_from_file_location("guest_image_build", BUILD)
    assert spec is not None and spec.loader is not None
    build = util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "guest_image_build", build)
    spec.loader.exec_module(build)
    return build.Guest({}, tmp_path / "work")


@pytest.mark.parametrize("suffix", COMPRESSED)
def test_a_module_is_added_as_busybox_loads_it_with_what_it_depends_on(
    guest: Any, tmp_path: Path, suffix: str
):
    source = tmp_path / f"virtio_net.ko{suffix}"
    source.write_bytes(COMPRESSED[suffix](MODULE))
    added = tmp_path / "tree"
    assert guest.add_module(source, added / source.name) == {"net_failover", "failover"}
    assert [path.name for path in added.iterdir()] == ["virtio_net.ko"]
    assert (added / "virtio_net.ko").read_bytes() == MODULE
