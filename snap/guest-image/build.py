"""Builds the guest image: a small qcow2 that boots fast, also under software emulation.

    python3 snap/guest-image/build.py --output FILE [--work DIR]

Kernel, busybox, ssh server and boot loader come from packages of the distribution, named in
recipe.toml; the files under root/ go into the guest as they are. The guest runs from memory (an
initramfs), and what it writes is kept on the rest of its disk. Nothing is installed on this
machine, and no root is needed.
The same packages and files give the same image; where FILE was built from them, nothing is done.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import lzma
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import packages

HERE = Path(__file__).resolve().parent
SOURCES = ("build.py", "packages.py", "recipe.toml", "boot", "root")
LIBRARIES = r"(lib|zlib)"
KERNEL_PARTS = r"linux-(image|modules)-\d"
FOLDERS = ("etc/dropbear", "root/.ssh", "usr/bin", "usr/lib", "usr/lib64")
EMPTY = ("dev", "mnt", "proc", "run", "sys", "tmp", "var/lib")
MERGED = {
    "bin": "usr/bin",
    "sbin": "usr/bin",
    "usr/sbin": "bin",
    "lib": "usr/lib",
    "lib64": "usr/lib64",
    "var/run": "../run",
}
PRIVATE = ("etc/shadow", "root/.ssh")
LOADER = "ld-linux-x86-64.so.2"
OPENERS = {".gz": gzip.open, ".xz": lzma.open}
# 2020-01-01; FAT knows no time before 1980.
EPOCH = 1577836800
SECTOR = 512
PARTITION_START = 2048 * SECTOR
# What a guest writes goes there; it grows with the disk (root/etc/rc/disk).
WRITABLE = 48 * 2**20
# Small as the file system is; and the same in each build.
UUID = "4d534749-0000-4000-8000-000000000000"
EXT4 = ("-q", "-t", "ext4", "-b", "4096", "-J", "size=4", "-U", UUID)
SEED = "hash_seed=4d534749-0000-4000-8000-000000000001"
# The disk signature: by it a guest knows its own disk.
MARK = b"MSGI".ljust(6, b"\0")


class BuildError(Exception):
    """The image could not be built; the message says what was missing."""


class Guest:
    """One build: `source` holds the packages' content, `tree` becomes the guest's root."""

    def __init__(self, recipe: Mapping[str, Any], work: Path) -> None:
        self.recipe = recipe
        self.work = work
        self.source = work / "packages"
        self.tree = work / "tree"
        self.environment = {
            "PATH": f"{self.source}/usr/bin:{self.source}/bin:{self.source}/sbin"
            f":{self.source}/usr/sbin:{os.environ.get('PATH', os.defpath)}",
            "SOURCE_DATE_EPOCH": str(EPOCH),
            "E2FSPROGS_FAKE_TIME": str(EPOCH),
            "MTOOLS_SKIP_CHECK": "1",
            "LC_ALL": "C",
            "TZ": "UTC",
        }

    def run(
        self, *command: str | Path, stdin: bytes | None = None, cwd: Path | None = None
    ) -> bytes:
        """The output of a tool. Raises BuildError with what it said if it failed."""
        program = shutil.which(command[0], path=self.environment["PATH"])
        if program is None:
            raise BuildError(
                f"{command[0]} is neither in the recipe's packages nor on this machine"
            )
        done = subprocess.run(
            [program, *command[1:]],
            input=stdin,
            capture_output=True,
            cwd=cwd,
            env=self.environment,
            check=False,
        )
        if done.returncode:
            raise BuildError(
                f"{command[0]} failed: {done.stderr.decode(errors='replace').strip()}"
            )
        return done.stdout

    def find(self, name: str, *folders: str) -> Path:
        """A file of the packages. Raises BuildError if none of `folders` has it."""
        for folder in folders:
            for path in sorted(self.source.glob(f"{folder}/{name}")):
                if path.is_file():
                    return path
        raise BuildError(f"no package of the recipe has {name} in {' or '.join(folders)}")

    # The guest's root

    def plant(self) -> None:
        """Everything of the guest's root but the kernel's modules."""
        for folder in (*FOLDERS, *EMPTY):
            (self.tree / folder).mkdir(parents=True, exist_ok=True)
        for link, target in MERGED.items():
            (self.tree / link).symlink_to(target)
        shutil.copytree(HERE / "root", self.tree, dirs_exist_ok=True)
        shutil.copy(self.find("busybox", "usr/bin", "bin"), self.tree / "usr/bin")
        loader = self.find(LOADER, "lib64", "usr/lib64", "lib/*", "usr/lib/*")
        shutil.copy(loader, self.tree / "usr/lib64" / LOADER)
        for names in self.recipe["programs"].values():
            for name in names:
                self.add_program(loader, name)
        self.add_links()

    def add_program(self, loader: Path, name: str) -> None:
        """A program and the libraries that the packages' own loader finds for it."""
        program = self.find(name, "usr/bin", "bin", "usr/sbin", "sbin", "usr/lib/openssh")
        shutil.copy(program, self.tree / "usr/bin" / name)
        paths = ":".join(f"{self.source}/{d}/x86_64-linux-gnu" for d in ("lib", "usr/lib"))
        listed = self.run(loader, "--inhibit-cache", "--library-path", paths, "--list", program)
        for library, path in re.findall(r"^\s*([^/\s]+) => (\S+)", listed.decode(), re.M):
            if not path.startswith(f"{self.source}/"):
                raise BuildError(f"{library} of {name} is in no package of the recipe")
            shutil.copy(path, self.tree / "usr/lib" / library)

    def add_links(self) -> None:
        """Names that stand for another program: busybox's applets, then the recipe's."""
        applets = self.busybox("--list").decode().split()
        links = dict.fromkeys(applets, "busybox") | self.recipe["links"]
        for name, target in links.items():
            link = self.tree / "usr/bin" / name
            if not link.exists():
                link.symlink_to(target)
        # Where dropbear looks for it.
        (self.tree / "usr/lib/sftp-server").symlink_to("../bin/sftp-server")

    def add_modules(self) -> None:
        """The recipe's kernel modules, what they depend on, and modprobe's tables."""
        source = self.find("modules.builtin", "lib/modules/*", "usr/lib/modules/*").parent
        target = self.tree / "usr/lib/modules" / source.name
        files = {_module(path): path for path in source.rglob("*.ko*")}
        built_in = {_module(Path(line)) for line in _lines(source / "modules.builtin")}
        wanted = set(self.recipe["kernel"]["modules"]) - built_in
        if missing := wanted - files.keys():
            raise BuildError(f"the kernel package has no module {', '.join(sorted(missing))}")
        added: set[str] = set()
        while fresh := sorted(wanted - added):
            for name in fresh:
                wanted |= self.add_module(files[name], target / files[name].relative_to(source))
            added |= set(fresh)
        shutil.copy(source / "modules.builtin", target)
        self.busybox("depmod", "-b", str(self.tree), source.name)

    def add_module(self, source: Path, target: Path) -> set[str]:
        """Add a module, uncompressed as busybox wants it; the modules that it depends on."""
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix != ".ko":
            target = target.with_suffix("")
        target.write_bytes(self.uncompressed(source))
        # In section .modinfo, strings that end in a zero byte.
        match = re.search(rb"\0depends=([^\0]+)\0", target.read_bytes())
        return {_module(Path(name)) for name in match[1].decode().split(",")} if match else set()

    def uncompressed(self, module: Path) -> bytes:
        """A module's content: Ubuntu has them as .zst, Debian as .xz since 13."""
        if module.suffix == ".zst":
            return self.run("zstd", "-dqc", module)
        if module.suffix in OPENERS:
            with OPENERS[module.suffix](module) as file:
                return file.read()
        return module.read_bytes()

    def busybox(self, *command: str) -> bytes:
        """The output of one of the guest's own applets, run here."""
        return self.run(self.tree / "usr/bin/busybox", *command)

    # The disk

    def initrd(self) -> Path:
        """The guest's root as a compressed archive, the same for the same content."""
        paths = sorted(p.relative_to(self.tree) for p in self.tree.rglob("*"))
        for path in paths:
            _normalise(self.tree / path, private=str(path) in PRIVATE)
        listing = "\0".join(map(str, paths)).encode()
        archive = self.run(
            "cpio",
            "-o",
            "-0",
            "-H",
            "newc",
            "-R",
            "0:0",
            "--reproducible",
            "--quiet",
            stdin=listing,
            cwd=self.tree,
        )
        initrd = self.work / "initrd"
        # -l: the frame format that the kernel reads.
        initrd.write_bytes(self.run("lz4", "-l", "-9", "-c", stdin=archive))
        return initrd

    def disk(self, initrd: Path) -> Path:
        """A bootable disk: a FAT partition with boot loader, kernel and initrd, then an ext4 one.

        The second is empty: what a guest writes goes there.
        """
        kernel = self.find("vmlinuz-*", "boot")
        megabytes = (kernel.stat().st_size + initrd.stat().st_size) // 2**20 + 3
        disk = self.work / "disk"
        with disk.open("wb") as file:
            code = self.find("mbr.bin", "usr/lib/*/mbr", "usr/lib/syslinux")
            file.write(_boot_record(code, megabytes * 2**20 // SECTOR))
            file.truncate(PARTITION_START + megabytes * 2**20 + WRITABLE)
        self.run(
            "mkfs.vfat",
            "-F",
            "16",
            "--invariant",
            "--offset",
            str(PARTITION_START // SECTOR),
            disk,
            str(megabytes * 1024),
        )
        volume = f"{disk}@@{PARTITION_START}"
        for name, file in (
            ("vmlinuz", kernel),
            ("initrd", initrd),
            ("syslinux.cfg", HERE / "boot/syslinux.cfg"),
        ):
            self.run("mcopy", "-i", volume, file, f"::{name}")
        self.run("syslinux", "--install", "--offset", str(PARTITION_START), disk)
        offset = PARTITION_START + megabytes * 2**20
        options = f"offset={offset},lazy_itable_init=1,{SEED}"
        self.run("mke2fs", *EXT4, "-E", options, disk, f"{WRITABLE // 1024}k")
        return disk


def build(output: Path, work: Path) -> bool:
    """Build `output` unless it is up to date; whether it was built.

    Raises:
        BuildError, PackageError: with what was missing.
    """
    if platform.machine() != "x86_64":
        raise BuildError(f"the recipe is for x86_64 machines, this one is {platform.machine()}")
    if shutil.which("qemu-img") is None:
        raise BuildError("qemu-img is missing: install the package qemu-utils")
    recipe = tomllib.loads((HERE / "recipe.toml").read_text())
    names = wanted_packages(recipe)
    archives = packages.locate(names)
    digest = digest_of(archives)
    stamp = output.with_name(f"{output.name}.inputs")
    if output.exists() and stamp.exists() and stamp.read_text() == digest:
        return False
    guest = Guest(recipe, work)
    for tree in (guest.source, guest.tree):
        shutil.rmtree(tree, ignore_errors=True)
    packages.unpack(names, archives, work / "archives", guest.source)
    guest.plant()
    guest.add_modules()
    disk = guest.disk(guest.initrd())
    output.parent.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    with replacing(output) as partial:
        guest.run("qemu-img", "convert", "-c", "-O", "qcow2", disk, partial)
    stamp.write_text(digest)
    return True


def wanted_packages(recipe: Mapping[str, Any]) -> list[str]:
    """Packages of the recipe with the libraries and kernel parts they need."""
    kernels: list[str] = recipe["kernel"]["packages"]
    others = {*recipe["programs"], recipe["busybox"]["package"], *recipe["tools"]["packages"]}
    graph = packages.dependencies({*kernels, *others})
    kernel = next((name for name in kernels if name in graph), None)
    if kernel is None:
        raise BuildError(f"apt knows no kernel {' or '.join(kernels)}: {packages.ADVICE}")
    return sorted(
        packages.closure(graph, [kernel], KERNEL_PARTS)
        | packages.closure(graph, recipe["programs"], LIBRARIES)
        | others
    )


def digest_of(archives: Sequence[packages.Archive]) -> str:
    """One digest of all that the image is made from."""
    digest = hashlib.sha256()
    for archive in archives:
        digest.update(f"{archive.name} {archive.digest}\n".encode())
    for source in SOURCES:
        path = HERE / source
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                mode = file.stat().st_mode & 0o100
                digest.update(f"{file.relative_to(HERE)} {mode:o}\n".encode() + file.read_bytes())
    return digest.hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place if the block ends well."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _boot_record(code: Path, sectors: int) -> bytes:
    """Boot code and a table of an active FAT16 (LBA) partition and one of Linux."""
    start = PARTITION_START // SECTOR
    table = _partition(0x80, 0x0E, start, sectors)
    table += _partition(0, 0x83, start + sectors, WRITABLE // SECTOR)
    return code.read_bytes()[:440].ljust(440, b"\0") + MARK + table.ljust(64, b"\0") + b"\x55\xaa"


def _partition(active: int, kind: int, start: int, sectors: int) -> bytes:
    numbers = start.to_bytes(4, "little") + sectors.to_bytes(4, "little")
    return bytes([active, 0, 0, 0, kind, 0, 0, 0]) + numbers


def _normalise(path: Path, *, private: bool) -> None:
    """Modes and times that do not depend on the builder."""
    if not path.is_symlink():
        executable = path.is_dir() or path.stat().st_mode & 0o100
        mode = 0o755 if executable else 0o644
        path.chmod(0o1777 if path.name == "tmp" else mode & 0o700 if private else mode)
    os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)


def _module(path: Path) -> str:
    return path.name.partition(".ko")[0].replace("-", "_")


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Build the guest image.")
    parser.add_argument("--output", type=Path, required=True, help="the qcow2 file to write")
    parser.add_argument("--work", type=Path, help="keep downloads and trees here")
    arguments = parser.parse_args()
    output: Path = arguments.output
    try:
        if arguments.work:
            arguments.work.mkdir(parents=True, exist_ok=True)
            built = build(output.absolute(), arguments.work.absolute())
        else:
            with tempfile.TemporaryDirectory(prefix="guest-image-") as work:
                built = build(output.absolute(), Path(work))
    except (BuildError, packages.PackageError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    size = output.stat().st_size / 1e6
    sys.stdout.write(f"{output}: {'built' if built else 'up to date'}, {size:.1f} MB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
