"""Figures as Markdown, with the machine that they were measured on."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path


def host() -> str:
    """Return the machine in one line: cores, CPU model, memory, kernel, distribution."""
    cpus = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.+)$", cpus, re.MULTILINE)
    total = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    memory = f"{int(total.group(1)) / 2**20:.1f} GiB" if total else "unknown"
    name = model.group(1).strip() if model else platform.machine()
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    return (
        f"{os.cpu_count()} cores ({name}), {memory} memory, "
        f"Linux {platform.release()}, {system}, Python {platform.python_version()}"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def show(*parts: str) -> None:
    """Print paragraphs for whoever runs the benchmark."""
    sys.stdout.write("\n\n" + "\n\n".join(parts) + "\n")
