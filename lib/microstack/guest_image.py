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
        lines = done.stderr.strip().removeprefix("error: ").splitlines() or ["no message"]
        more = f" ... and {len(lines) - 1} lines more" if len(lines) > 1 else ""
        raise Failure(f"cannot build the guest image: {lines[0]}{more}")
    return built


def _digest(recipe: Path) -> str:
    """Return what tells one recipe from another; packages may be newer in an image built later."""
    digest = hashlib.sha256()
    # Not the folder of compiled modules either, which the first build makes.
    files = (path for path in recipe.rglob("*") if path.is_file() and path.suffix != ".pyc")
    for path in sorted(files):
        digest.update(f"{path.relative_to(recipe)} {path.stat().st_mode:o}".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
