from __future__ import annotations

from pathlib import Path

import pytest

from tests.workload import sample
from workload.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "root")
    layout.snap_common.mkdir(parents=True)
    return layout


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    return sample.write_templates(tmp_path / "templates")
