"""Replace a file whole: readers see the old content or the new, also after a power cut."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write(path: Path, content: bytes, *, mode: int = 0o600, group: int | None = None) -> None:
    """Write a file under a temporary name and move it into place.

    Args:
        path: in a folder that exists.
        content: all of it.
        mode: permission bits; the file is never more open than this, not even for a moment.
        group: the group's number; None leaves it to the process.

    Raises:
        OSError: the disk is full or the folder is missing; the old content stays.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            if group is not None:
                os.fchown(descriptor, -1, group)
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document that root alone can read."""
    write(path, json.dumps(document, indent=1, sort_keys=True).encode())
