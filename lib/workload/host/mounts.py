"""Where file systems are mounted on the host."""

from __future__ import annotations

import os
import re
from pathlib import Path

TABLE = Path("/proc/self/mounts")


def mount_points() -> list[Path]:
    """Return where file systems are mounted, as this process sees it (proc(5), fstab(5))."""
    lines = os.fsdecode(TABLE.read_bytes()).split("\n")
    return [_path(line.split(" ")[1]) for line in lines if line]


def _path(name: str) -> Path:
    """Return the path of a name in which blanks and backslashes are octal."""
    return Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), name))
