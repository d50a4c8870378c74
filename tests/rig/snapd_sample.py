"""A small snap with the product's name, hooks and configuration, and one service of its own.

It is made of the project's files by the project's own rules, without anything to be built: what
its one service does is to run. The interpreter is the base's.
"""

from __future__ import annotations

import compileall
import py_compile
import shutil
import subprocess
from pathlib import Path

import yaml

from microstack.environment import ensure_environment, ensure_packages
from snap import meta

CHECKOUT = Path(__file__).parents[2]
LIBRARIES = (
    *("annotated_types", "filelock", "jinja2", "markupsafe", "pydantic", "pydantic_core"),
    *("psutil", "tenacity", "typing_extensions.py", "typing_inspection", "yaml"),
)
"""What the workload plane imports, out of the project's environment."""

SERVICE = """#!/bin/sh
exec sleep infinity
"""

ANOTHER = """#!/bin/sh
sleep infinity
"""
"""Another program of the same service."""

HOOK = """#!/bin/sh -e
export PYTHONPATH="$SNAP/lib:$SNAP/site"
exec /usr/bin/python3 -m workload.snapd.hooks {}
"""


def make(folder: Path, version: str, service: str = SERVICE) -> Path:
    """Pack the snap; return its file.

    Args:
        folder: an empty folder to make it in.
        version: of the snap.
        service: the script that its service is.
    """
    ensure_packages(["squashfs-tools"], print)
    tree = folder / "tree"
    shutil.copytree(CHECKOUT / "lib/workload", tree / "lib/workload", ignore=_caches)
    # The snap is read-only: what is not compiled now is compiled anew by each hook.
    compileall.compile_dir(
        tree / "lib", quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    (tree / "snap").mkdir()
    shutil.copy(CHECKOUT / "snap/snapcraft.yaml", tree / "snap")
    installed = ensure_environment(CHECKOUT / "requirements/project.txt", print)
    (packages,) = installed.glob("lib/python3*/site-packages")
    for name in LIBRARIES:
        copy = shutil.copytree if (packages / name).is_dir() else shutil.copy
        (tree / "site").mkdir(exist_ok=True)
        copy(packages / name, tree / "site" / name)
    _program(tree / "bin/memcached", service)
    (tree / "digests").mkdir()
    (tree / "digests/distribution").write_text("none of its packages\n")
    for hook in sorted((CHECKOUT / "snap/hooks").iterdir()):
        _program(tree / "meta/hooks" / hook.name, HOOK.format(hook.name))
    (tree / "meta/snap.yaml").write_text(yaml.safe_dump(_metadata(tree, version)))
    snap = folder / f"microstack_{version}_amd64.snap"
    pack = ["mksquashfs", str(tree), str(snap), "-noappend", "-quiet", "-no-progress"]
    subprocess.run([*pack, "-comp", "zstd", "-all-root"], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
    return snap


def _metadata(tree: Path, version: str) -> dict[str, object]:
    document = meta.read(CHECKOUT / "snap/snapcraft.yaml")
    hooks = [path.name for path in (tree / "meta/hooks").iterdir()]
    made = meta.snap_yaml(document, hooks, tree)
    # Neither what other parts bring is there, nor the need for what the host guards.
    for part in (*made["apps"].values(), *made["hooks"].values()):
        part.pop("plugs", None)
    return {**made, "version": version, "layout": {}, "plugs": {}}


def _program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def _caches(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "__pycache__"]
