"""What a hook writes to its streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping


class Output:
    """Turns what a hook writes into log lines, and keeps it for the results of an action."""

    _KEPT = 1 << 16

    def __init__(self, log: Callable[[str], None]) -> None:
        """Prepare to give each line to `log`."""
        self._log = log
        self._partial: dict[str, bytes] = {}
        self._kept: dict[str, bytes] = {}

    def take(self, stream: str, data: bytes) -> None:
        """A piece of what the hook wrote."""
        self._kept[stream] = (self._kept.get(stream, b"") + data)[-self._KEPT :]
        *lines, rest = (self._partial.get(stream, b"") + data).split(b"\n")
        self._partial[stream] = rest
        for line in lines:
            self._log(line.decode(errors="replace"))

    def close(self) -> None:
        """The hook is over."""
        for rest in self._partial.values():
            if rest:
                self._log(rest.decode(errors="replace"))
        self._partial.clear()

    def as_results(self) -> Mapping[str, object]:
        """What an action wrote, as part of its results."""
        return {s: kept.decode(errors="replace") for s, kept in self._kept.items() if kept}
