"""`microstack graph`: applications and relations as an SVG, providers to the left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from microstack import layers, svg
from microstack.installation import Installation
from microstack.model import Application, applications

if TYPE_CHECKING:
    from machine.client import RelationRecord

TITLE = 15
ROW = 12
ROW_HEIGHT = 19
HEAD = 46
PAD = 14
PASSES = 3

PALETTE = (
    ("#2f6fde", "#7aa8ff"),
    ("#c2571a", "#ff9d5c"),
    ("#1d8a5b", "#55cf9b"),
    ("#9a3fb5", "#d48bea"),
    ("#b3263f", "#ff7f92"),
    ("#0b7f8f", "#4fc9da"),
    ("#8a6d0f", "#e0bd4a"),
    ("#5b5fc7", "#a5a8ff"),
    ("#5c7a29", "#a9cf6b"),
    ("#b03a86", "#f08cc8"),
    ("#566377", "#a4b3c9"),
    ("#8c4a2f", "#d99a7c"),
)
"""Colours of interfaces, on light and on dark ground."""

STATUSES = {
    "active": ("#1a8f4b", "#46c97e"),
    "waiting": ("#b98900", "#f0c244"),
    "maintenance": ("#1f7fa8", "#5cc3ee"),
    "blocked": ("#c8322d", "#ff7b76"),
    "error": ("#c8322d", "#ff7b76"),
}
OTHER_STATUS = ("#7a828e", "#98a2b0")


@dataclass(frozen=True)
class Relation:
    """One relation between two applications, each end as `application`, `endpoint`."""

    interface: str
    provider: tuple[str, str]
    requirer: tuple[str, str]


def graph(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write it.")] = Path(
        "microstack-graph.svg"
    ),
) -> None:
    """Draw applications and relations, as SVG."""
    machine = Installation.from_environment().machine()
    shown = applications(machine.status())
    output.write_text(render(shown, relations(machine.relations())), encoding="utf-8")
    typer.echo(f"wrote {output}: {len(shown)} applications")


def relations(records: Iterable[RelationRecord]) -> list[Relation]:
    """Return the relations between applications; those among the units of one are left out."""
    return [
        Relation(record.interface, _end(record.endpoints[0]), _end(record.endpoints[1]))
        for record in records
        if len(record.endpoints) == 2
    ]


def _end(endpoint: str) -> tuple[str, str]:
    application, _, name = endpoint.partition(":")
    return application, name


def render(
    applications: Sequence[Application], relations: Sequence[Relation], name: str = "MicroStack"
) -> str:
    """Return the SVG."""
    boxes, drawing = _layout(applications, relations)
    root = svg.drawing(drawing.width, drawing.height + 34, f"{name}: applications and relations")
    svg.add(root, "style", _style())
    svg.add(root, "rect", class_="ground", width="100%", height="100%")
    colours = _colours(relations)
    for provider in sorted({relation.provider for relation in relations}):
        net = [relation for relation in relations if relation.provider == provider]
        _draw_net(root, net, drawing, colours[net[0].interface])
    for relation in {relation.provider: relation for relation in relations}.values():
        _draw_label(root, relation, drawing, colours[relation.interface])
    for application, box in zip(applications, boxes, strict=True):
        _draw_box(root, application, box, drawing.corners[box.name])
    _draw_legend(root, applications, drawing.height)
    return svg.write(root)


def _layout(
    applications: Sequence[Application], relations: Sequence[Relation]
) -> tuple[list[layers.Box], layers.Drawing]:
    """Place the boxes; then again, with each box's ports in the order their edges come."""
    edges = [_edge(relation) for relation in relations]
    heights: dict[tuple[str, str], float] = {}
    boxes: list[layers.Box] = []
    drawing = layers.draw(boxes, edges[:0])
    for _ in range(PASSES):
        boxes = [_box(application, relations, heights) for application in applications]
        drawing = layers.draw(boxes, edges)
        heights = {
            end: height
            for edge, route in drawing.routes.items()
            for end, height in (
                ((edge.source, edge.output), route[1].y),
                ((edge.target, edge.input), route[-2].y),
            )
        }
    return boxes, drawing


def _box(
    application: Application,
    relations: Sequence[Relation],
    heights: Mapping[tuple[str, str], float],
) -> layers.Box:
    def order(endpoint: str) -> tuple[float, str]:
        return heights.get((application.name, endpoint), 0), endpoint

    ends = {relation.requirer for relation in relations}
    inputs = sorted((name for app, name in ends if app == application.name), key=order)
    ends = {relation.provider for relation in relations}
    outputs = sorted((name for app, name in ends if app == application.name), key=order)
    rows = max(len(inputs), len(outputs))
    widest = max(
        (
            svg.text_width(left, ROW) + svg.text_width(right, ROW) + 3 * PAD
            for left, right in _zip_rows(inputs, outputs)
        ),
        default=0,
    )
    title = 1.1 * svg.text_width(application.name, TITLE) + 2 * PAD + 16
    said = svg.text_width(_subtitle(application), 11) + 2 * PAD + 16
    height = HEAD + rows * ROW_HEIGHT + (8 if rows else 0)
    return layers.Box(
        application.name, max(widest, title, said, 132), height, _ports(inputs), _ports(outputs)
    )


def _zip_rows(inputs: Sequence[str], outputs: Sequence[str]) -> Iterable[tuple[str, str]]:
    rows = max(len(inputs), len(outputs))
    pad = [""] * rows
    return zip([*inputs, *pad][:rows], [*outputs, *pad][:rows], strict=True)


def _ports(names: Sequence[str]) -> dict[str, float]:
    return {name: HEAD + (row + 0.5) * ROW_HEIGHT for row, name in enumerate(names)}


def _edge(relation: Relation) -> layers.Edge:
    return layers.Edge(*relation.provider, *relation.requirer)


def _colours(relations: Sequence[Relation]) -> dict[str, int]:
    frequent = Counter(relation.interface for relation in relations)
    names = sorted(frequent, key=lambda name: (-frequent[name], name))
    return {name: index % len(PALETTE) for index, name in enumerate(names)}


def _draw_net(
    root: svg.Element,
    net: Sequence[Relation],
    drawing: layers.Drawing,
    colour: int,
) -> None:
    group = svg.add(root, "g", class_=f"net i{colour}")
    for relation in net:
        path = svg.add(group, "path", d=_curve(drawing.routes[_edge(relation)]))
        ends = (f"{app}:{endpoint}" for app, endpoint in (relation.provider, relation.requirer))
        svg.title(path, f"{' → '.join(ends)}  ({relation.interface})")
        end = drawing.routes[_edge(relation)][-1]
        svg.add(group, "circle", cx=end.x, cy=end.y, r=3)
    start = drawing.routes[_edge(net[0])][0]
    svg.add(group, "circle", cx=start.x, cy=start.y, r=3.5)


def _draw_label(
    root: svg.Element, relation: Relation, drawing: layers.Drawing, colour: int
) -> None:
    """Name the interface where a provider's lines begin, over all lines."""
    start = drawing.routes[_edge(relation)][0]
    x, y = start.x + 8, start.y - 5
    svg.add(root, "text", relation.interface, class_=f"interface i{colour}", x=x, y=y)


def _curve(points: Sequence[layers.Point]) -> str:
    """Return a path that leaves and enters level, and runs straight through the layers between."""
    parts = [f"M{points[0].x:.1f} {points[0].y:.1f}"]
    for index in range(0, len(points) - 1, 2):
        start, end = points[index], points[index + 1]
        bend = abs(end.x - start.x) / 2
        parts.append(f"C{start.x + bend:.1f} {start.y:.1f}")
        parts.append(f" {end.x - bend:.1f} {end.y:.1f} {end.x:.1f} {end.y:.1f}")
        if index + 2 < len(points):
            parts.append(f"L{points[index + 2].x:.1f} {points[index + 2].y:.1f}")
    return "".join(parts)


def _draw_box(
    root: svg.Element, application: Application, box: layers.Box, corner: layers.Point
) -> None:
    status = application.status if application.status in STATUSES else "other"
    subordinate = " subordinate" if application.principals else ""
    group = svg.add(
        root,
        "g",
        class_=f"box {status}{subordinate}",
        transform=f"translate({corner.x:.1f} {corner.y:.1f})",
    )
    svg.title(group, f"{application.name}: {application.status} {application.message}".strip())
    svg.add(group, "rect", width=box.width, height=box.height, rx=8)
    svg.add(group, "circle", class_="status", cx=PAD + 4, cy=19, r=5)
    svg.add(group, "text", application.name, class_="name", x=PAD + 16, y=24)
    svg.add(group, "text", _subtitle(application), class_="said", x=PAD + 16, y=39)
    for port, y in box.inputs.items():
        svg.add(group, "text", port, x=10, y=y + 4)
    for port, y in box.outputs.items():
        svg.add(group, "text", port, class_="out", x=box.width - 10, y=y + 4)


def _subtitle(application: Application) -> str:
    units = f" · {len(application.units)} units" if len(application.units) > 1 else ""
    subordinate = " · subordinate" if application.principals else ""
    return f"{application.status}{units}{subordinate}"


def _draw_legend(root: svg.Element, applications: Sequence[Application], top: float) -> None:
    group = svg.add(root, "g", class_="legend", transform=f"translate(24 {top:.1f})")
    x = 0.0
    for status in [*STATUSES, "other"]:
        count = sum(
            (application.status if application.status in STATUSES else "other") == status
            for application in applications
        )
        if not count:
            continue
        item = svg.add(group, "g", class_=status)
        text = f"{count} {status}"
        svg.add(item, "circle", class_="status", cx=x + 5, cy=8, r=5)
        svg.add(item, "text", text, x=x + 16, y=12)
        x += 16 + svg.text_width(text, ROW) + 18
    svg.add(group, "text", "provider → requirer; a label names the interface", x=x, y=12)


def _style() -> str:
    light = _theme("#ffffff", "#f6f7f9", "#c9ced6", "#1c2530", "#5d6875", 0)
    dark = _theme("#12161c", "#1c222b", "#3a4452", "#e8edf3", "#98a3b1", 1)
    return f"""
text {{ font: {ROW}px system-ui, "DejaVu Sans", sans-serif; fill: var(--soft); }}
.ground {{ fill: var(--ground); }}
.box rect {{ fill: var(--box); stroke: var(--line); stroke-width: 1.2; }}
.box.subordinate rect {{ stroke-dasharray: 5 3; }}
.box .name {{ font-size: {TITLE}px; font-weight: 600; fill: var(--ink); }}
.box .out {{ text-anchor: end; }}
.box .said {{ font-size: 11px; }}
.net path {{ fill: none; stroke-width: 1.6; opacity: .75; }}
.net:hover path {{ stroke-width: 3; opacity: 1; }}
.interface {{ font-size: 10.5px; paint-order: stroke; stroke: var(--ground); stroke-width: 3px; }}
{light}
@media (prefers-color-scheme: dark) {{ {dark} }}
"""


def _theme(ground: str, box: str, line: str, ink: str, soft: str, shade: int) -> str:
    names = {"ground": ground, "box": box, "line": line, "ink": ink, "soft": soft}
    variables = " ".join(f"--{name}: {colour};" for name, colour in names.items())
    rules = [f"svg {{ {variables} }}"]
    for index, colours in enumerate(PALETTE):
        colour = colours[shade]
        rules.append(f".i{index} path {{ stroke: {colour}; }}")
        rules.append(f".i{index} circle, .interface.i{index} {{ fill: {colour}; }}")
    for status, colours in {**STATUSES, "other": OTHER_STATUS}.items():
        rules.append(f".{status} .status {{ fill: {colours[shade]}; }}")
        rules.append(
            f".box.{status} rect {{ stroke: {colours[shade]}; }}" if status != "active" else ""
        )
    return "\n".join(rules)
