"""What happened when, and what it waited for: bars of a timeline and their critical path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["setup", "config", "relation", "action", "other", "service"]

RELATION_HOOKS = ("created", "joined", "changed", "departed", "broken")
SETUP_HOOKS = {"install", "leader-elected", "start", "stop", "remove", "upgrade-charm"}

START = "start"
"""Label of the bar of a service's start."""

PAUSE = 20.0
"""Seconds in which nothing happens that the time axis leaves out."""

TOLERANCE = 0.005
"""Two clocks' readings of the same instant may differ by this much."""


@dataclass(frozen=True)
class Bar:
    """Something that took time.

    Attributes:
        group: the application.
        row: the unit or service; bars of one row do not overlap.
        label: the hook's name, or what the service did.
        started: epoch seconds, as is `ended`.
        failed: whether it ended badly.
    """

    group: str
    row: str
    label: str
    kind: Kind
    started: float
    ended: float
    failed: bool = False

    @property
    def duration(self) -> float:
        """Seconds it took."""
        return self.ended - self.started

    @property
    def endpoint(self) -> str | None:
        """The endpoint that a relation hook is about."""
        stem, _, what = self.label.rpartition("-")
        name, relation = stem.removesuffix("-relation"), stem.endswith("-relation")
        return name if relation and what in RELATION_HOOKS else None

    @property
    def brings_news(self) -> bool:
        """Whether what the other end of a relation wrote may have set this hook off."""
        return self.endpoint is not None and not self.label.endswith("-created")


@dataclass(frozen=True)
class Step:
    """A bar of the critical path, and how long it waited after the one before it had ended."""

    bar: Bar
    waited: float


Neighbours = Mapping[tuple[str, str], frozenset[str]]
"""(application, endpoint) -> the applications at the other end of its relations."""


def kind_of(hook: str) -> Kind:
    """Classify a hook by its name, or by what an action is recorded as."""
    if hook.startswith("action "):
        return "action"
    if hook in SETUP_HOOKS:
        return "setup"
    if hook == "config-changed":
        return "config"
    if Bar("", "", hook, "other", 0, 0).endpoint:
        return "relation"
    return "other"


def critical_path(bars: Iterable[Bar], neighbours: Neighbours) -> list[Step]:
    """Return the chain of hooks that decided when the longest span of work ended.

    A hook is let go by whichever came last: the hook before it on the same unit, or, for one
    that brings news of a relation, the last hook of an application at the other end that ended
    before it. An action is what somebody asked for, and keeps nothing from being up.
    """
    bars = list(bars)
    span = max(spans(bars), key=lambda span: span.ended - span.started, default=None)
    hooks = sorted(
        (
            bar
            for bar in bars
            if bar.kind not in ("service", "action") and span and span.covers(bar)
        ),
        key=lambda bar: (bar.ended, bar.started),
    )
    steps: list[Step] = []
    current = hooks[-1] if hooks else None
    while current is not None:
        before = _released_by(current, hooks, neighbours)
        waited = max(0.0, current.started - before.ended) if before else 0.0
        steps.append(Step(current, waited))
        current = before
    return steps[::-1]


def _released_by(bar: Bar, hooks: Sequence[Bar], neighbours: Neighbours) -> Bar | None:
    others: frozenset[str] = frozenset()
    if bar.endpoint and bar.brings_news:
        others = neighbours.get((bar.group, bar.endpoint), others)
    candidates = [
        hook
        for hook in hooks
        if hook is not bar
        and hook.started < bar.started
        and hook.ended <= bar.started + TOLERANCE
        and (hook.row == bar.row or hook.group in others)
    ]
    return max(candidates, key=lambda hook: (hook.ended, hook.started), default=None)


def decisive_services(path: Sequence[Step], bars: Iterable[Bar]) -> set[Bar]:
    """Return, for each hook of the path, the service of its application that it waited for."""
    services = [bar for bar in bars if bar.kind == "service"]
    decisive: set[Bar] = set()
    for step in path:
        inside = [
            bar
            for bar in services
            if bar.group == step.bar.group
            and step.bar.started - TOLERANCE <= bar.started
            and bar.ended <= step.bar.ended + TOLERANCE
        ]
        if inside:
            decisive.add(max(inside, key=lambda bar: bar.ended))
    return decisive


@dataclass(frozen=True)
class Span:
    """A stretch of time in which something happened."""

    started: float
    ended: float

    def covers(self, bar: Bar) -> bool:
        """Whether the bar lies in it."""
        return self.started <= bar.started and bar.ended <= self.ended


class Axis:
    """Maps time to a distance, leaving out the pauses in between.

    Attributes:
        spans: the stretches shown, in order.
        gap: distance that stands for a pause.
    """

    def __init__(self, bars: Sequence[Bar], width: float, gap: float = 34) -> None:
        self.spans = spans(bars)
        self.gap = gap
        busy = sum(span.ended - span.started for span in self.spans) or 1.0
        self.scale = (width - gap * max(0, len(self.spans) - 1)) / busy

    def x(self, moment: float) -> float:
        """Return the distance of a moment from the axis's start."""
        distance = 0.0
        for index, span in enumerate(self.spans):
            if moment <= span.ended or index == len(self.spans) - 1:
                inside = min(max(moment, span.started), span.ended) - span.started
                return distance + inside * self.scale
            distance += (span.ended - span.started) * self.scale + self.gap
        return distance

    def ticks(self, apart: float = 90) -> list[tuple[float, float]]:
        """Return (distance, seconds since the first bar) for each mark, about `apart` pixels."""
        step = round_step(apart / self.scale)
        marks: list[tuple[float, float]] = []
        for span in self.spans:
            origin = self.spans[0].started
            first = -(-(span.started - origin) // step) * step
            count = int((span.ended - origin - first) // step) + 1
            marks += [
                (self.x(origin + first + index * step), first + index * step)
                for index in range(count)
            ]
        return marks


def spans(bars: Sequence[Bar]) -> list[Span]:
    """Return the stretches of time that the bars cover, joined over short pauses."""
    joined: list[Span] = []
    for bar in sorted(bars, key=lambda bar: bar.started):
        if joined and bar.started - joined[-1].ended <= PAUSE:
            joined[-1] = Span(joined[-1].started, max(joined[-1].ended, bar.ended))
        else:
            joined.append(Span(bar.started, bar.ended))
    return joined


def round_step(least: float) -> float:
    """Return the least of 1, 2, 5 and 10 times a power of ten, or minutes, that is not below."""
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600)
    return next((step for step in steps if step >= least), 86400.0)
