"""What a host can do, as its kernel answers."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.nfnetlink import nfctsocket

from workload import detect


class Tracking:
    """Stands in for the kernel's tracking of connections."""

    answer: OSError | None = None

    def __enter__(self) -> Tracking:
        return self

    def __exit__(self, *_: object) -> None: ...

    def entry(self, command: str, *, zone: int, **_: Any) -> None:
        assert (command, zone) == ("get", 1)
        if self.answer:
            raise self.answer


@pytest.fixture
def tracking(monkeypatch: pytest.MonkeyPatch) -> type[Tracking]:
    monkeypatch.setattr(nfctsocket, "NFCTSocket", Tracking)
    monkeypatch.setattr(detect, "_loadable", lambda module: module == "openvswitch")
    return Tracking


@pytest.mark.parametrize(
    ("answer", "datapath"),
    [
        pytest.param(NetlinkError(errno.ENOENT, "none such"), "system", id="zones"),
        pytest.param(NetlinkError(errno.EOPNOTSUPP, "no zones"), "netdev", id="no zones"),
        pytest.param(OSError(errno.EPROTONOSUPPORT, "no netfilter"), "system", id="no answer"),
    ],
)
def test_the_kernels_datapath_serves_where_it_tracks_connections_in_zones(
    answer: OSError, datapath: str, tracking: type[Tracking], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tracking, "answer", answer)
    assert detect.datapath() == datapath


def test_a_kernel_without_open_vswitch_has_the_datapath_in_userspace(
    tracking: type[Tracking], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(detect, "_loadable", lambda module: False)
    if os.path.exists("/sys/module/openvswitch"):
        pytest.skip("this kernel has Open vSwitch loaded")
    assert detect.datapath() == "netdev"
