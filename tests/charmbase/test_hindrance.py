"""A charm that cannot run on this host at all says so, and configures nothing."""

from __future__ import annotations

from pathlib import Path

import ops
import pytest
from ops import testing

from charmbase import load_charm
from charmbase.testing import FakeSnap

MEMCACHED = load_charm(Path(__file__).parents[2] / "charms/memcached")


def test_a_hindrance_is_shown_as_blocked_and_nothing_is_configured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    snap = FakeSnap()
    snap.patch(monkeypatch)
    monkeypatch.setattr(MEMCACHED, "hindrance", lambda _: "host: no kernel module x")
    context = testing.Context(MEMCACHED)
    out = context.run(context.on.config_changed(), testing.State())
    assert out.unit_status == ops.BlockedStatus("host: no kernel module x")
    assert snap.sections == {}
