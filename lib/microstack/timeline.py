"""`microstack timeline`: every hook and service start on a time axis, as one HTML file."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from microstack import svg
from microstack.errors import Failure
from microstack.gantt import (
    START,
    Axis,
    Bar,
    Neighbours,
    Span,
    Step,
    critical_path,
    decisive_services,
    spans,
)
from microstack.installation import Installation, program

WIDTH = 1180.0
NAMES = 190.0
HEAD = 26.0
UNIT_HEIGHT = 22.0
SERVICE_HEIGHT = 15.0
GROUP_GAP = 7.0
MIN_BAR = 1.6

LEGEND = (
    ("setup", "install, start"),
    ("config", "config-changed"),
    ("relation", "relation hooks"),
    ("action", "actions"),
    ("other", "other hooks"),
    ("service", "service until it answers"),
    ("failed", "failed"),
    ("critical", "critical path"),
)


def timeline(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write it.")] = Path(
        "microstack-timeline.html"
    ),
    updates: Annotated[
        bool, typer.Option("--update-status", help="Show update-status hooks too.")
    ] = False,
) -> None:
    """Draw every hook and service start in time, as HTML."""
    from microstack.records import bars, neighbours

    installation = Installation.from_environment()
    shown = [bar for bar in bars(installation) if updates or bar.label != "update-status"]
    if not shown:
        raise Failure("nothing has run yet", f"{program()} up")
    output.write_text(render(shown, neighbours(installation)), encoding="utf-8")
    typer.echo(f"wrote {output}: {summary(shown)}")


def summary(bars: Sequence[Bar]) -> str:
    """Return in one line what the timeline shows."""
    hooks = [bar for bar in bars if bar.kind != "service"]
    began = min(bar.started for bar in bars)
    when = time.strftime("%d %b %Y %H:%M:%S", time.localtime(began))
    took = sum(span.ended - span.started for span in Axis(bars, WIDTH).spans)
    starts = sum(bar.kind == "service" and bar.label == START for bar in bars)
    groups = len({bar.group for bar in bars})
    counted = f"{groups} applications, {len(hooks)} hooks, {starts} service starts"
    return f"{counted} in {took:.1f} s, from {when}"


def render(bars: Sequence[Bar], neighbours: Neighbours) -> str:
    """Return the HTML page."""
    import jinja2

    chart = _Chart(bars, critical_path(bars, neighbours))
    template = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page = template.from_string(Path(__file__).with_name("timeline.html.j2").read_text())
    began = min(bar.started for bar in bars)
    longest = sorted((step.bar.duration for step in chart.path), reverse=True)[:5]
    return page.render(
        summary=summary(bars),
        legend=[(kind, name) for kind, name in LEGEND if chart.has(kind)],
        kinds=[kind for kind, _ in LEGEND if kind not in {"failed", "critical"}],
        names=svg.write(chart.names()),
        plot=svg.write(chart.plot()),
        width=WIDTH,
        height=chart.height,
        steps=[
            {
                "began": step.bar.started - began,
                "row": step.bar.row,
                "label": step.bar.label,
                "took": step.bar.duration,
                "waited": step.waited,
                "long": step.bar.duration in longest,
            }
            for step in chart.path
        ],
    )


@dataclass(frozen=True)
class _Row:
    name: str
    top: float
    height: float
    is_unit: bool


class _Chart:
    def __init__(self, bars: Sequence[Bar], path: Sequence[Step]) -> None:
        self.bars = sorted(bars, key=lambda bar: bar.started)
        self.path = path
        self.critical = {step.bar for step in path} | decisive_services(path, bars)
        self.axis = Axis(self.bars, WIDTH - 2)
        self.groups, self.height = _rows(self.bars)
        self.rows = {row.name: row for rows in self.groups.values() for row in rows}

    def has(self, kind: str) -> bool:
        if kind == "failed":
            return any(bar.failed for bar in self.bars)
        return kind == "critical" or any(bar.kind == kind for bar in self.bars)

    def names(self) -> svg.Element:
        root = svg.drawing(NAMES, self.height, "units and services")
        self._bands(root, NAMES)
        for row in self.rows.values():
            style = "unit" if row.is_unit else None
            x = 12 if row.is_unit else 24
            svg.add(root, "text", row.name, class_=style, x=x, y=row.top + row.height / 2 + 4)
        return root

    def plot(self) -> svg.Element:
        root = svg.drawing(WIDTH, self.height, "hooks and services in time")
        self._bands(root, "100%")
        stretched = svg.add(root, "g", class_="stretched")
        self._grid(root, stretched)
        self._connections(stretched)
        for bar in self.bars:
            self._bar(root, stretched, bar)
        return root

    def _bands(self, root: svg.Element, width: object) -> None:
        for index, rows in enumerate(self.groups.values()):
            if index % 2 == 0:
                top = rows[0].top - GROUP_GAP / 2
                height = rows[-1].top + rows[-1].height + GROUP_GAP / 2 - top
                svg.add(root, "rect", class_="band", y=top, width=width, height=height)

    def _grid(self, root: svg.Element, stretched: svg.Element) -> None:
        for x, seconds in self.axis.ticks():
            svg.add(stretched, "line", class_="grid", x1=x, x2=x, y1=HEAD - 8, y2=self.height)
            label = svg.add(root, "text", _clock(seconds), x=x + 3, y=15)
            label.set("data-x", f"{x:.1f}")
        for before, after in zip(self.axis.spans, self.axis.spans[1:], strict=False):
            self._pause(root, stretched, before, after)

    def _pause(self, root: svg.Element, stretched: svg.Element, before: Span, after: Span) -> None:
        x = self.axis.x(before.ended) + self.axis.gap / 2
        svg.add(stretched, "line", class_="pause", x1=x, x2=x, y1=HEAD - 8, y2=self.height)
        mark = svg.add(root, "text", "⋯", x=x + 3, y=15)
        mark.set("data-x", f"{x - 3:.1f}")
        svg.title(mark, f"nothing for {_clock(after.started - before.ended)}")

    def _connections(self, stretched: svg.Element) -> None:
        for first, second in zip(self.path, self.path[1:], strict=False):
            start, end = self._right(first.bar), self.axis.x(second.bar.started)
            y, to = self._middle(first.bar), self._middle(second.bar)
            svg.add(stretched, "path", class_="path", d=f"M{start:.2f} {y:.1f}V{to:.1f}H{end:.2f}")

    def _bar(self, root: svg.Element, stretched: svg.Element, bar: Bar) -> None:
        row = self.rows[bar.row]
        x = self.axis.x(bar.started)
        width = max(self.axis.x(bar.ended) - x, MIN_BAR)
        inset = 3.0 if row.is_unit else 4.0
        classes = [
            "failed" if bar.failed else bar.kind,
            "hook" if row.is_unit else "run",
            *(["critical"] if bar in self.critical else []),
        ]
        rectangle = svg.add(
            stretched,
            "rect",
            class_=" ".join(classes),
            x=x,
            y=row.top + inset,
            width=width,
            height=row.height - 2 * inset,
            rx=1.5,
        )
        svg.title(rectangle, self._describe(bar))
        if row.is_unit:
            self._label(root, bar, x, width)

    def _label(self, root: svg.Element, bar: Bar, x: float, width: float) -> None:
        needs = svg.text_width(bar.label, 10) + 6
        text = svg.add(root, "text", bar.label, class_="label", x=x + 3, y=self._middle(bar) + 3.5)
        text.set("data-x", f"{x:.2f}")
        text.set("data-room", f"{width:.2f}")
        text.set("data-needs", f"{needs:.1f}")
        if width < needs:
            text.set("style", "display:none")

    def _describe(self, bar: Bar) -> str:
        origin = self.bars[0].started
        began, ended = bar.started - origin, bar.ended - origin
        failed = ", failed" if bar.failed else ""
        return (
            f"{bar.row}  {bar.label}{failed}\n{began:.2f} s to {ended:.2f} s: {bar.duration:.2f} s"
        )

    def _middle(self, bar: Bar) -> float:
        row = self.rows[bar.row]
        return row.top + row.height / 2

    def _right(self, bar: Bar) -> float:
        return max(self.axis.x(bar.ended), self.axis.x(bar.started) + MIN_BAR)


def _rows(bars: Sequence[Bar]) -> tuple[Mapping[str, Sequence[_Row]], float]:
    """Return the rows of each group, in the order in which they came up, and the total height."""
    groups: dict[str, list[_Row]] = {}
    y = HEAD
    for group in _by_arrival(bars):
        members = [bar for bar in bars if bar.group == group]
        groups[group] = []
        for name, is_unit in _row_names(members):
            height = UNIT_HEIGHT if is_unit else SERVICE_HEIGHT
            groups[group].append(_Row(name, y, height, is_unit))
            y += height
        y += GROUP_GAP
    return groups, y


def _by_arrival(bars: Sequence[Bar]) -> list[str]:
    """Sort groups by when their services answered, those without services by their last hook."""
    first = spans(bars)[0]
    arrival: dict[str, tuple[bool, float]] = {}
    for bar in bars:
        if first.covers(bar):
            now = (bar.kind == "service", bar.ended)
            arrival[bar.group] = max(arrival.get(bar.group, now), now)
    groups = dict.fromkeys(bar.group for bar in bars)
    return sorted(groups, key=lambda group: arrival.get(group, (False, float("inf")))[1])


def _row_names(bars: Iterable[Bar]) -> list[tuple[str, bool]]:
    rows = dict.fromkeys((bar.row, bar.kind != "service") for bar in bars)
    return sorted(rows, key=lambda row: (not row[1], row[0] if row[1] else ""))


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:g} s"
    minutes, rest = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes:.0f}:{rest:02.0f}"
    return f"{minutes // 60:.0f}:{minutes % 60:02.0f}:{rest:02.0f}"
