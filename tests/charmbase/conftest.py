from __future__ import annotations

import pytest

from charmbase.testing import FakeSnap


@pytest.fixture
def snap(monkeypatch: pytest.MonkeyPatch) -> FakeSnap:
    fake = FakeSnap()
    fake.patch(monkeypatch)
    return fake
