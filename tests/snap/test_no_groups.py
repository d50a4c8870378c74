"""What libvirt has in setgroups' place inside the snap."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "snap/local/libvirt/no_groups.c"
SET = "import json, os, sys; os.setgroups(json.loads(sys.argv[1])); print(os.getgroups())"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root sets groups"),
    pytest.mark.skipif(not shutil.which("gcc"), reason="needs the package gcc"),
]


@pytest.mark.parametrize(("asked", "set_to"), [([0], []), ([], []), ([0, 5], [0, 5]), ([5], [5])])
def test_roots_own_group_alone_is_dropped(tmp_path: Path, asked: list[int], set_to: list[int]):
    library = tmp_path / "no_groups.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(SOURCE)], check=True)
    command = [sys.executable, "-c", SET, json.dumps(asked)]
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    assert json.loads(subprocess.check_output(command, env=environment)) == set_to
