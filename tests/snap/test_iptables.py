"""The iptables that the snap runs: of the kind that the kernel has."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "snap/local/bin/iptables-of-kernel"
ASKS = "nft --check 'add table ip microstack'"
NAMES = ("iptables", "iptables-save", "ip6tables-restore")


@pytest.fixture
def sbin(tmp_path: Path) -> Path:
    """The folder in which the snap has both kinds, and a link for each name."""
    for kind in ("nft", "legacy"):
        program(tmp_path / f"xtables-{kind}-multi", f'echo {kind} "$@"')
    for name in NAMES:
        (tmp_path / name).symlink_to(SCRIPT)
    return tmp_path


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def run(sbin: Path, *command: str) -> str:
    environment = {**os.environ, "PATH": f"{sbin}:{os.environ['PATH']}"}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize(("code", "kind"), [(0, "nft"), (1, "legacy")])
@pytest.mark.parametrize("name", NAMES)
def test_it_is_what_the_kernel_filters_with(sbin: Path, name: str, code: int, kind: str):
    program(sbin / "nft", f"exit {code}")
    assert run(sbin, name, "--table", "mangle") == f"{kind} {name} --table mangle\n"


def test_without_permission_to_ask_nothing_is_concluded_about_the_kernel(sbin: Path):
    refusal = "Error: Could not process rule: Operation not permitted"
    program(sbin / "nft", f"echo '{refusal}' >&2; exit 1")
    assert run(sbin, "iptables", "--list") == "nft iptables --list\n"


def test_a_missing_permission_is_known_in_any_language(sbin: Path):
    refusal = "[ $LC_ALL = C ] && echo Operation not permitted || echo Vorgang nicht zulässig"
    program(sbin / "nft", f"({refusal}) >&2; exit 1")
    assert run(sbin, "iptables", "--list") == "nft iptables --list\n"


@pytest.mark.skipif(
    subprocess.run(ASKS, capture_output=True, shell=True, check=False).returncode != 0,
    reason="nothing to be refused: not root, or no nftables",
)
def test_this_kernel_refuses_in_the_words_that_are_looked_for(sbin: Path):
    without = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    assert run(sbin, *without, "iptables", "--list") == "nft iptables --list\n"
