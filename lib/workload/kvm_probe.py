"""Ask KVM to run code: whether it does so at a CPU's speed, and not by emulating it.

A guest of 43 bytes enters protected mode, counts down from twenty million and ends QEMU through
its debug port. On a CPU that takes some ten milliseconds. Where KVM can only emulate a guest's
kernel (as under PVM, in a guest that is nested without hardware support), it takes half a minute,
and no ordinary guest ever boots.
"""

from __future__ import annotations

import struct
import subprocess
import tempfile
from pathlib import Path

BOUND = 3.0
"""Seconds within which the guest must end."""

_SIZE = 0x10000
_CODE32 = 0x18
_GDTR = 0x28
_GDT = 0x30
_RESET = 0xFFF0
_BASE = 0xF0000
"""Where the ROM of `_SIZE` bytes stands; the CPU starts 16 bytes before its end."""

_ANSWER = 0x2A
_EXIT_STATUS = _ANSWER << 1 | 1
"""QEMU's isa-debug-exit ends it with this status."""

_START16 = (
    b"\xfa"  # cli
    b"\x2e\x66\x0f\x01\x16" + struct.pack("<H", _GDTR) +  # lgdtl %cs:_GDTR
    b"\x0f\x20\xc0\x0c\x01\x0f\x22\xc0"  # %cr0 |= 1: protected mode
    b"\x66\xea" + struct.pack("<IH", _BASE + _CODE32, 8)  # ljmpl 8:_CODE32
)  # fmt: skip
_COUNT32 = (
    b"\xb9" + struct.pack("<I", 20_000_000) +  # mov count, %ecx
    b"\x49\x75\xfd"  # 1: dec %ecx; jnz 1b
    b"\xb0" + bytes([_ANSWER]) +  # mov _ANSWER, %al
    b"\xe6\xf4\xf4"  # out %al, $0xf4; hlt
)  # fmt: skip
_FLAT_CODE = 0x00CF9B000000FFFF


def rom() -> bytes:
    """Return the guest as the firmware of a PC."""
    image = bytearray(_SIZE)
    parts = {
        0: _START16,
        _CODE32: _COUNT32,
        _GDTR: struct.pack("<HI", 15, _BASE + _GDT),
        _GDT: struct.pack("<QQ", 0, _FLAT_CODE),
        _RESET: b"\xea\x00\x00" + struct.pack("<H", _BASE >> 4),  # ljmp _BASE
    }
    for offset, part in parts.items():
        image[offset : offset + len(part)] = part
    return bytes(image)


def runs(qemu: str, accelerator: str = "kvm", bound: float = BOUND) -> bool:
    """Return whether the guest ends as it should within `bound` seconds.

    Args:
        qemu: QEMU's system emulator for x86_64.
        accelerator: as in `-machine accel=`.
        bound: seconds.
    """
    with tempfile.NamedTemporaryFile(suffix=".rom") as file:
        Path(file.name).write_bytes(rom())
        command = [
            *(qemu, "-machine", f"q35,accel={accelerator}", "-m", "16", "-bios", file.name),
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-device", "isa-debug-exit,iobase=0xf4,iosize=1"),
        ]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=bound, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
    return done.returncode == _EXIT_STATUS
