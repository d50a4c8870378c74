"""Read the logs of services: their last lines, or every new line as it comes."""

from __future__ import annotations

import heapq
import os
import re
import selectors
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast

# Services write their own times: OpenStack, RabbitMQ and MariaDB in local time, such as
# 2026-01-31 12:00:00.123; OVN and OVS in UTC, 2026-01-31T12:00:00.123Z.
_TIME = re.compile(r"\[?(\d{4}-\d\d-\d\d)[T ] ?(\d{1,2}:\d\d:\d\d)(?:[.,](\d{1,6}))?(Z)?")
_BLOCK = 16384


@dataclass(frozen=True)
class Line:
    """A line of a service's log. Where it says no time, it has that of the line before it."""

    time: datetime
    service: str
    message: str


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last `count` lines of a file, oldest first; all where `count` is negative.

    A file that is missing has no lines.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read() if count < 0 else _tail(stream, count)
    except FileNotFoundError:
        return []
    lines = content.decode(errors="replace").splitlines()
    return lines if count < 0 else lines[len(lines) - min(count, len(lines)) :]


def recent(paths: Mapping[str, Path], count: int) -> list[Line]:
    """Return the last lines of several services' logs, merged by time.

    Args:
        paths: each service's log.
        count: how many lines in all; all where negative.
    """
    logs = (_stamped(name, path, count) for name, path in paths.items())
    lines = list(heapq.merge(*logs, key=lambda line: line.time))
    return lines if count < 0 else lines[len(lines) - min(count, len(lines)) :]


def follow(paths: Mapping[str, Path], until: socket.socket) -> Iterator[Line]:
    """Yield new lines of several services' logs as they are written.

    Rotation and logs that are yet to come are followed too.

    Args:
        paths: each service's log.
        until: ends when this can be read from: a connection that the other side closed.
    """
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        selector.register(until, selectors.EVENT_READ)
        for name, path in paths.items():
            tail = stack.enter_context(_following(path))
            selector.register(cast("IO[bytes]", tail.stdout), selectors.EVENT_READ, name)
            stack.callback(tail.terminate)
        while True:
            for key, _ in selector.select():
                if key.fileobj is until:
                    return
                for text in cast("IO[bytes]", key.fileobj).readlines():
                    message = text.decode(errors="replace").rstrip("\n")
                    yield Line(_time(message) or datetime.now(UTC), key.data, message)


def _following(path: Path) -> subprocess.Popen[bytes]:
    """Start tail(1), which waits for new lines by inotify."""
    tail = subprocess.Popen(
        ["tail", "-q", "-n", "0", "-F", "--", str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    stdout = cast("IO[bytes]", tail.stdout)
    # What is there is read, and a line that is not complete yet waits for its rest.
    os.set_blocking(stdout.fileno(), False)
    return tail


def _stamped(service: str, path: Path, count: int) -> Iterator[Line]:
    lines = last_lines(path, count)
    if not lines:
        return
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    time = next((stamp for line in lines if (stamp := _time(line))), written)
    for line in lines:
        # Never back: a time inside a message must not tear a log's order apart.
        time = max(time, _time(line) or time)
        yield Line(time, service, line)


def _time(line: str) -> datetime | None:
    match = _TIME.match(line)
    if not match:
        return None
    day, clock, fraction, utc = match.groups()
    text = f"{day} {clock.zfill(8)}.{(fraction or '0').ljust(6, '0')}"
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if utc else time.astimezone(UTC)


def _tail(stream: IO[bytes], count: int) -> bytes:
    position = stream.seek(0, 2)
    content = b""
    while position > 0 and content.count(b"\n") <= count:
        step = min(_BLOCK, position)
        position = stream.seek(position - step)
        content = stream.read(step) + content
    return content
