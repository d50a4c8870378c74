"""The built-in guest image: in the snap a file, in a checkout built from its recipe."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from microstack.environment import CACHE
from microstack.errors import Failure

NAME = "guest"
USER = "guest"


def ensure(checkout: Path, step: Callable[[str], None]) -> Path:
    """Return the image's file; build it where it is not there.

    Args:
        checkout: the project's folder, or the snap's.
        step: called before what takes time.

    Raises:
        Failure: a package of the recipe is missing.
    """
    packed = checkout / "images/guest.qcow2"
    if packed.exists():
        return packed
    recipe = checkout / "snap/guest-image"
    built = CACHE / f"guest-image-{_digest(recipe)}.qcow2"
    if built.exists():
        return built
    step("building the guest image")
    command = [sys.executable, str(recipe / "build.py"), "--output", str(built)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().removeprefix("error: ")
        raise Failure(f"cannot build the guest image: {reason}")
    return built


def _digest(recipe: Path) -> str:
    """Return what tells one recipe from another; packages may be newer in an image built later."""
    digest = hashlib.sha256()
    for path in sorted(path for path in recipe.rglob("*") if path.suffix != ".pyc"):
        digest.update(f"{path.relative_to(recipe)} {path.stat().st_mode:o}".encode())
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()[:12]
