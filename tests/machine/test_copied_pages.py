"""Pages that forked processes copy: found by one, copied ahead by the next."""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from machine import copied_pages

PAGE = mmap.PAGESIZE


@pytest.fixture
def memory() -> mmap.mmap:
    """64 pages of this process, each of which begins with a byte."""
    memory = mmap.mmap(-1, 64 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for offset in range(0, len(memory), PAGE):
        memory[offset] = 7
    return memory


def start(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def write(memory: mmap.mmap, *numbers: int) -> None:
    for number in numbers:
        memory[number * PAGE + 1] = 1


def found(memory: mmap.mmap, work: Callable[[], None]) -> list[int]:
    """The numbers of the memory's pages that some work copies."""
    copied = copied_pages.copied_by(work)
    addresses = range(start(memory), start(memory) + len(memory), PAGE)
    return [
        number
        for number, address in enumerate(addresses)
        if any(p.start <= address < p.start + p.length for p in copied)
    ]


def in_a_fork(work: Callable[[], int]) -> int:
    """What some work returns in a forked process; 255 if it raised, negative for a signal."""
    pid = os.fork()
    if not pid:
        code = 255
        try:
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def test_what_is_written_to_is_found_and_what_is_read_is_not(memory: mmap.mmap):
    def work() -> None:
        assert memory[9 * PAGE] == 7
        write(memory, 2, 4, 5)

    assert found(memory, work) == [2, 4, 5]
    assert memory[2 * PAGE + 1] == 0


def test_adjacent_pages_are_one(memory: mmap.mmap):
    copied = copied_pages.copied_by(lambda: write(memory, 4, 5, 6))
    assert copied_pages.Pages(start(memory) + 4 * PAGE, 3 * PAGE) in copied


def test_nothing_is_found_where_work_fails(memory: mmap.mmap, capfd: pytest.CaptureFixture[str]):
    def work() -> None:
        write(memory, 2)
        raise ValueError("no such hook")

    assert copied_pages.copied_by(work) == []
    assert "no such hook" in capfd.readouterr().err


def test_nothing_is_found_where_the_kernel_does_not_tell(
    memory: mmap.mmap,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
):
    (tmp_path / "maps").write_bytes(Path("/proc/self/maps").read_bytes())
    monkeypatch.setattr(copied_pages, "_MEMORY", tmp_path)
    assert found(memory, lambda: write(memory, 2)) == []
    assert capfd.readouterr().err == ""


def test_who_copied_ahead_does_not_wait_for_the_kernel(memory: mmap.mmap):
    pages = copied_pages.copied_by(lambda: write(memory, *range(64)))

    def faults_of_writing(*, ahead: bool) -> int:
        if ahead:
            copied_pages.copy(pages)
        before = faults()
        write(memory, *range(64))
        return faults() - before

    assert in_a_fork(lambda: faults_of_writing(ahead=False)) >= 64
    assert in_a_fork(lambda: faults_of_writing(ahead=True)) < 16


def test_what_pages_hold_stays_the_same(memory: mmap.mmap):
    before = memory[:]
    pages = [copied_pages.Pages(start(memory), len(memory))]

    def same() -> int:
        copied_pages.copy(pages)
        return int(memory[:] == before)

    assert in_a_fork(same) == 1
    assert memory[:] == before


def test_pages_that_are_gone_are_passed_over(memory: mmap.mmap):
    """As where the memory's owner gave it back after it was found."""
    gone = mmap.mmap(-1, PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pages = [copied_pages.Pages(start(gone), PAGE), copied_pages.Pages(start(memory), PAGE)]

    def without() -> int:
        unmap = ctypes.CDLL(None).munmap
        assert unmap(ctypes.c_void_p(pages[0].start), ctypes.c_size_t(PAGE)) == 0
        copied_pages.copy(pages)
        return 3

    assert in_a_fork(without) == 3
