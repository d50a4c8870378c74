"""The pages of memory that work in a forked process copies: found once, copied ahead from then on.

After a fork parent and child share all pages; whichever writes to one first waits for the kernel
to copy it. Forks of one process that do the same work copy the same pages, so that it can be
found out which, and done before there is any work.
"""

from __future__ import annotations

import ctypes
import os
import sys
import traceback
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MEMORY = Path("/proc/self")
_PRESENT, _OF_A_FILE, _ALONE = 1 << 63, 1 << 61, 1 << 56
"""Of a page's entry in pagemap (Documentation/admin-guide/mm/pagemap.rst in Linux)."""

_MADV_POPULATE_WRITE = 23
"""Since Linux 5.14; an older one refuses, and pages are copied when they are written to."""

_madvise = ctypes.CDLL(None).madvise
_madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


@dataclass(frozen=True)
class Pages:
    """Adjacent pages: the address of the first, and the length of all, both in bytes."""

    start: int
    length: int


def copied_by(work: Callable[[], None]) -> list[Pages]:
    """Have a forked process do some work, and return the pages that it copied meanwhile.

    None where the kernel does not tell, or the work fails; the latter is shown on stderr.
    """
    found, tell = os.pipe()
    pid = os.fork()
    if not pid:
        _work(work, tell)
    os.close(tell)
    with open(found, "rb") as reader:
        addresses = array("Q", reader.read())
    os.waitpid(pid, 0)
    return list(_adjacent(addresses))


def copy(pages: Sequence[Pages]) -> None:
    """Copy pages that this process shares since it was forked; what they hold stays the same.

    What is not mapped any longer the kernel passes over.
    """
    for p in pages:
        _madvise(p.start, p.length, _MADV_POPULATE_WRITE)


def _work(work: Callable[[], None], tell: int) -> NoReturn:
    try:
        mapped = list(_writable())
        work()
        with open(tell, "wb") as writer:
            writer.write(array("Q", _own(mapped)).tobytes())
    except OSError:
        pass  # Not every kernel tells, and strict confinement lets nobody ask.
    except BaseException:
        sys.stderr.write(f"cannot find the pages that are copied: {traceback.format_exc()}")
    os._exit(0)


def _writable() -> Iterator[Pages]:
    """What is mapped here to be written to, and not shared."""
    for line in (_MEMORY / "maps").read_text().splitlines():
        extent, mode = line.split()[:2]
        start, end = (int(address, 16) for address in extent.split("-"))
        if mode == "rw-p":
            yield Pages(start, end - start)


def _own(mapped: Sequence[Pages]) -> Iterator[int]:
    """The addresses of pages that this process shares with no other."""
    with (_MEMORY / "pagemap").open("rb", buffering=0) as pagemap:
        for pages in mapped:
            entries = array("Q", os.pread(pagemap.fileno(), *_entries(pages)))
            for number, entry in enumerate(entries):
                if entry & (_PRESENT | _OF_A_FILE | _ALONE) == _PRESENT | _ALONE:
                    yield pages.start + number * _PAGE


def _entries(pages: Pages) -> tuple[int, int]:
    """Length and place in pagemap of the entries of pages."""
    size = array("Q").itemsize
    return pages.length // _PAGE * size, pages.start // _PAGE * size


def _adjacent(addresses: Sequence[int]) -> Iterator[Pages]:
    """Pages at ascending addresses, put together: each call of the kernel costs time."""
    start = end = 0
    for address in addresses:
        if address != end and end:
            yield Pages(start, end - start)
        if address != end:
            start = address
        end = address + _PAGE
    if end:
        yield Pages(start, end - start)
