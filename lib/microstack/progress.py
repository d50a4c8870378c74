"""What `up` shows while it works: a live tree on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.table import Table

    from microstack.model import Application

Clock = Callable[[], float]

STYLES: Mapping[str, tuple[str, str]] = {
    "active": ("✓", "green"),
    "maintenance": ("●", "cyan"),
    "waiting": ("○", "yellow"),
    "blocked": ("■", "red"),
    "error": ("✗", "bold red"),
    "terminated": ("·", "dim"),
}
"""Mark and style of each status; Juju's own colours."""

UNKNOWN = ("·", "dim")
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Progress(Protocol):
    """Where a long command says what it does."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    def step(self, text: str) -> None:
        """Say what is being done now; the step before it is done."""
        ...

    def note(self, text: str) -> None:
        """Say something that the user should still see at the end."""
        ...

    def show(self, applications: Sequence[Application]) -> None:
        """Show how the applications are now."""
        ...


def progress(stream: TextIO, clock: Clock = time.monotonic) -> Progress:
    """Return the kind of progress that fits the stream."""
    return Tree(stream, clock) if stream.isatty() else Log(stream, clock)


@dataclass
class Log:
    """One line for each step and each change of an application, with the seconds passed."""

    stream: TextIO
    clock: Clock
    started: float = field(init=False)
    _last: dict[str, tuple[str, str]] = field(
        init=False, default_factory=dict[str, tuple[str, str]]
    )

    def __post_init__(self) -> None:
        self.started = self.clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def step(self, text: str) -> None:
        """Print the step."""
        self._line(text)

    def note(self, text: str) -> None:
        """Print the note."""
        self._line(text)

    def show(self, applications: Sequence[Application]) -> None:
        """Print the applications whose status or message changed."""
        for application in applications:
            now = (application.status, application.message)
            if self._last.get(application.name) == now:
                continue
            self._last[application.name] = now
            message = f": {application.message}" if application.message else ""
            self._line(f"{application.name}: {application.status}{message}")

    def _line(self, text: str) -> None:
        print(f"[{self.clock() - self.started:6.1f} s] {text}", file=self.stream, flush=True)


class Tree:
    """A tree of applications, redrawn as time passes."""

    def __init__(self, stream: TextIO, clock: Clock, console: Console | None = None) -> None:
        from rich.console import Console

        self._console = console or Console(file=stream, highlight=False)
        self._clock = clock
        self._started = clock()
        self._step = ""
        self._applications: Sequence[Application] = ()
        self._settled: dict[str, float] = {}
        self._live: Live | None = None

    def __enter__(self) -> Self:
        from rich.live import Live

        self._live = Live(get_renderable=self.render, console=self._console, refresh_per_second=10)
        self._live.start(refresh=True)
        return self

    def __exit__(self, *exception: object) -> None:
        if exception[0] is None:
            self._step = ""
        if self._live is not None:
            self._live.stop()

    def step(self, text: str) -> None:
        """Show the step beside the spinner."""
        self._step = text

    def note(self, text: str) -> None:
        """Print the note above the tree, where it stays."""
        self._console.print(text, markup=False)

    def show(self, applications: Sequence[Application]) -> None:
        """Take the applications as they are now."""
        now = self._clock()
        for application in applications:
            if not application.settled:
                self._settled.pop(application.name, None)
            else:
                self._settled.setdefault(application.name, now)
        self._applications = applications

    def render(self) -> RenderableType:
        """Return what is on the screen now."""
        from rich.console import Group
        from rich.text import Text

        now = self._clock()
        parts: list[RenderableType] = []
        if self._applications:
            parts.append(self._table(now))
        if self._step:
            passed = _duration(now - self._started)
            parts.append(
                Text.assemble((f"{_frame(now)} ", "cyan"), self._step, (f"  {passed}", "dim"))
            )
        return Group(*parts)

    def _table(self, now: float) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, justify="right")
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for guide, application in nested(self._applications):
            mark, style = STYLES.get(application.status, UNKNOWN)
            if application.busy and not application.settled:
                mark = _frame(now)
            until = self._settled.get(application.name, now)
            table.add_row(
                Text.assemble((guide, "dim"), (f"{mark} ", style), application.name),
                Text(application.status, style=style),
                Text(_duration(until - self._started), style="dim"),
                Text("" if application.active else application.doing, style="dim"),
            )
        return table


def nested(applications: Sequence[Application]) -> Iterator[tuple[str, Application]]:
    """Yield the applications in order with the guide lines before them.

    A subordinate stands below its first principal.
    """
    names = {application.name for application in applications}
    below: dict[str, list[Application]] = {}
    top: list[Application] = []
    for application in applications:
        principal = next((name for name in application.principals if name in names), None)
        (top if principal is None else below.setdefault(principal, [])).append(application)
    for application in top:
        yield "", application
        children = below.get(application.name, [])
        for child in children:
            yield ("└─ " if child is children[-1] else "├─ "), child


def _frame(now: float) -> str:
    return SPINNER[int(now * 10) % len(SPINNER)]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
