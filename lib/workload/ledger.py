"""The ledger of what the appliance makes on the host: written before, undone from in reverse.

A line is on disk before the thing it names is made. Should the host lose power in between, undoing
finds a thing that is not there, and nothing is ever made that no line tells of.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict

from workload.host.network import NetworkError
from workload.host.things import AnyThing, Sysctl, UndoError


class LedgerError(Exception):
    """Things that could not be undone, and why; they stay in the ledger."""


class Line(BaseModel):
    """A line of the ledger: a thing that is to be made, or that one was undone.

    Attributes:
        id: number of the entry, from 1.
        owner: the service that makes the thing.
        made: the thing; None where the line says that the entry is undone.
        time: seconds since the epoch.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: int
    owner: str
    time: float
    made: AnyThing | None = None

    def __str__(self) -> str:
        return str(self.made)


class Ledger:
    """One ledger file; several processes may write to it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def make(self, owner: str, thing: AnyThing, create: Callable[[], object]) -> bool:
        """Make a thing and remember that it is this appliance's.

        What is there already without being in the ledger is somebody else's: it is left as it is
        and never undone.

        Args:
            owner: the service that makes it.
            thing: how it is known again.
            create: makes it; called also where it is there and in the ledger, to bring it up to
                date.

        Returns:
            Whether it is this appliance's.
        """
        with self._locked() as stream:
            known = any(_is(line, thing) for line in _open(stream))
            if not known and thing.exists():
                return False
            if not known:
                number = max((line.id for line in _lines(stream)), default=0) + 1
                _append(stream, Line(id=number, owner=owner, time=time.time(), made=thing))
        create()
        return True

    def set_sysctl(self, owner: str, name: str, value: str) -> None:
        """Give a kernel parameter a value and remember what it had before.

        Raises:
            OSError: the kernel has no such parameter.
        """
        unread = Sysctl(name=name, value=value, previous="")
        thing = unread.model_copy(update={"previous": unread.path.read_text().strip()})
        self.make(owner, thing, lambda: thing.path.write_text(value))

    def entries(self, owner: str | None = None) -> list[Line]:
        """Return what was made and not undone, oldest first; of one owner, or of all."""
        if not self._path.exists():
            return []
        with self._locked() as stream:
            return [line for line in _open(stream) if owner in (None, line.owner)]

    def describe(self) -> list[str]:
        """Return a line for each thing that `undo` would undo, in that order."""
        return [str(line) for line in reversed(self.entries())]

    def undo(self, owner: str | None = None) -> None:
        """Undo what is in the ledger, latest first; of one owner, or all of it.

        Raises:
            LedgerError: things that resist; all others are undone.
        """
        failures: list[str] = []
        for line in reversed(self.entries(owner)):
            try:
                _undo(line)
            except (UndoError, NetworkError, OSError) as error:
                failures.append(f"{line.made}: {error}")
                continue
            with self._locked() as stream:
                _append(stream, Line(id=line.id, owner=line.owner, time=time.time()))
        if failures:
            raise LedgerError("; ".join(failures))

    @contextmanager
    def _locked(self) -> Generator[IO[str]]:
        descriptor = os.open(
            self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        with os.fdopen(descriptor, "r+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield stream


def _undo(line: Line) -> None:
    if line.made and line.made.exists():
        line.made.undo()
        if line.made.exists():
            raise UndoError("is still there")


def _is(line: Line, thing: AnyThing) -> bool:
    made = line.made
    return made is not None and (made.kind, made.key) == (thing.kind, thing.key)


def _open(stream: IO[str]) -> list[Line]:
    """Return the entries that are not undone."""
    lines = _lines(stream)
    undone = {line.id for line in lines if line.made is None}
    return [line for line in lines if line.made and line.id not in undone]


def _lines(stream: IO[str]) -> list[Line]:
    stream.seek(0)
    # A last line without its end was being written when the host lost power: what it was to tell
    # of was not made.
    return [Line.model_validate_json(text) for text in stream if text.endswith("\n")]


def _append(stream: IO[str], line: Line) -> None:
    size = os.fstat(stream.fileno()).st_size
    torn = size > 0 and os.pread(stream.fileno(), 1, size - 1) != b"\n"
    if torn:
        stream.seek(0)
        whole = stream.read().rpartition("\n")
        os.ftruncate(stream.fileno(), len((whole[0] + whole[1]).encode()))
    os.write(stream.fileno(), line.model_dump_json(exclude_none=True).encode() + b"\n")
    os.fsync(stream.fileno())
