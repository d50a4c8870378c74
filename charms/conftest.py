"""What the unit tests of all charms stand on."""

from __future__ import annotations

import pytest

from charmbase.testing import FakeSnap


@pytest.fixture
def snap(monkeypatch: pytest.MonkeyPatch) -> FakeSnap:
    """The snap, as every charm under test sees it; its config and jobs are there to look at."""
    fake = FakeSnap()
    fake.patch(monkeypatch)
    return fake
