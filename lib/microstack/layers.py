"""A layered drawing of a graph whose edges leave ports on the right and enter ports on the left.

The method is Sugiyama's: assign layers, order each layer to avoid crossings (barycentres), then
give positions. Edges from one port form a net: where a net passes a layer on its way to a
farther one, it does so in a single lane, so that a provider of many draws one line and not many.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

SWEEPS = 24
LANE_HEIGHT = 10.0
EDGE_ROOM = 2.5


@dataclass(frozen=True)
class Box:
    """A node to place.

    Attributes:
        inputs: name of each port on the left side -> its height below the box's top.
        outputs: the same for the right side.
    """

    name: str
    width: float
    height: float
    inputs: Mapping[str, float]
    outputs: Mapping[str, float]


@dataclass(frozen=True)
class Edge:
    """From an output port to an input port."""

    source: str
    output: str
    target: str
    input: str


@dataclass(frozen=True)
class Spacing:
    """Distances in pixels: between the boxes of a layer, between layers, around it all."""

    boxes: float = 26
    layers: float = 120
    margin: float = 24


@dataclass(frozen=True)
class Point:
    """A place in the drawing."""

    x: float
    y: float


@dataclass(frozen=True)
class Drawing:
    """Where everything goes.

    Attributes:
        corners: the upper left corner of each box.
        routes: for each edge the points it passes, port to port; between the second and the
            third it runs level through a layer, as between the fourth and the fifth.
    """

    width: float
    height: float
    corners: Mapping[str, Point]
    routes: Mapping[Edge, Sequence[Point]]


@dataclass
class _Item:
    """A box, or the lane of a net, in one layer."""

    layer: int
    height: float
    box: Box | None = None
    before: list[tuple[_Item, float, float]] = field(
        default_factory=list["tuple[_Item, float, float]"]
    )
    after: list[tuple[_Item, float, float]] = field(
        default_factory=list["tuple[_Item, float, float]"]
    )
    y: float = 0
    rank: int = 0

    @property
    def gap(self) -> float:
        return 1.0 if self.box else 0.35


def draw(boxes: Sequence[Box], edges: Sequence[Edge], spacing: Spacing | None = None) -> Drawing:
    """Place the boxes in layers, providers to the left of who requires them."""
    spacing = spacing or Spacing()
    forward = [edge for edge in edges if edge.source != edge.target]
    layer_of = assign_layers([box.name for box in boxes], forward)
    graph = _Graph(boxes, forward, layer_of)
    graph.order()
    graph.position(spacing)
    return graph.drawing(spacing)


def assign_layers(names: Sequence[str], edges: Iterable[Edge]) -> dict[str, int]:
    """Return each node's layer: one more than the farthest of its sources.

    Edges that close a cycle are left out of account.
    """
    sources: dict[str, set[str]] = defaultdict(set)
    for edge in edges:
        sources[edge.target].add(edge.source)
    layers: dict[str, int] = {}
    path: set[str] = set()

    def layer(name: str) -> int:
        if name not in layers:
            path.add(name)
            above = [layer(source) for source in sorted(sources[name]) if source not in path]
            path.discard(name)
            layers[name] = 1 + max(above, default=-1)
        return layers[name]

    for name in names:
        layer(name)
    return layers


class _Graph:
    def __init__(
        self, boxes: Sequence[Box], edges: Sequence[Edge], layer_of: Mapping[str, int]
    ) -> None:
        self.boxes = {box.name: box for box in boxes}
        self.items = {
            box.name: _Item(layer_of[box.name], box.height, box)
            for box in sorted(boxes, key=lambda box: box.name)
        }
        self.layers: list[list[_Item]] = [
            [] for _ in range(max(layer_of.values(), default=-1) + 1)
        ]
        for item in self.items.values():
            self.layers[item.layer].append(item)
        self.lanes: dict[tuple[str, str, int], _Item] = {}
        # An edge against the layers' order closes a cycle: it is drawn, but places nothing.
        self.edges = [edge for edge in edges if layer_of[edge.source] < layer_of[edge.target]]
        self.backward = [edge for edge in edges if edge not in self.edges]
        for edge in self.edges:
            self._connect(edge)

    def _connect(self, edge: Edge) -> None:
        source, target = self.items[edge.source], self.items[edge.target]
        item, port = source, self.boxes[edge.source].outputs[edge.output]
        for layer in range(source.layer + 1, target.layer):
            lane = self._lane(edge, layer)
            self._link(item, port, lane, LANE_HEIGHT / 2)
            item, port = lane, LANE_HEIGHT / 2
        self._link(item, port, target, self.boxes[edge.target].inputs[edge.input])

    def _lane(self, edge: Edge, layer: int) -> _Item:
        key = (edge.source, edge.output, layer)
        if key not in self.lanes:
            self.lanes[key] = _Item(layer, LANE_HEIGHT)
            self.layers[layer].append(self.lanes[key])
        return self.lanes[key]

    def _link(self, left: _Item, output: float, right: _Item, input_: float) -> None:
        if (right, output, input_) not in left.after:
            left.after.append((right, output, input_))
            right.before.append((left, output, input_))

    def order(self) -> None:
        """Order every layer so that few edges cross."""
        self._rank()
        best, fewest = [list(layer) for layer in self.layers], self._crossings()
        for sweep in range(SWEEPS):
            downward = sweep % 2 == 0
            for layer in self.layers if downward else reversed(self.layers):
                layer.sort(key=lambda item: _barycentre(item, downward))
                self._rank()
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(layer) for layer in self.layers], crossings
        self.layers = best
        self._rank()

    def _rank(self) -> None:
        for layer in self.layers:
            for rank, item in enumerate(layer):
                item.rank = rank

    def _crossings(self) -> int:
        return sum(_inversions(layer) for layer in self.layers)

    def position(self, spacing: Spacing) -> None:
        """Give every item its height in the drawing, near what it is connected to."""
        for layer in self.layers:
            _stack(layer, [0.0] * len(layer), spacing)
        for sweep in range(SWEEPS):
            for layer in self.layers if sweep % 2 == 0 else reversed(self.layers):
                _stack(layer, [_wish(item) for item in layer], spacing)
        top = min((item.y for layer in self.layers for item in layer), default=0)
        for layer in self.layers:
            for item in layer:
                item.y += spacing.margin - top

    def drawing(self, spacing: Spacing) -> Drawing:
        """Return the finished drawing."""
        starts, ends = self._columns(spacing)
        corners = {name: Point(starts[item.layer], item.y) for name, item in self.items.items()}
        routes: dict[Edge, Sequence[Point]] = {}
        for edge in (*self.edges, *self.backward):
            routes[edge] = self._route(edge, corners, starts, ends)
        bottom = max((item.y + item.height for layer in self.layers for item in layer), default=0)
        width = (ends[-1] if ends else 0) + spacing.margin
        return Drawing(width, bottom + spacing.margin, corners, routes)

    def _columns(self, spacing: Spacing) -> tuple[list[float], list[float]]:
        starts: list[float] = []
        ends: list[float] = []
        x = spacing.margin
        for layer in self.layers:
            starts.append(x)
            ends.append(x + max((item.box.width for item in layer if item.box), default=0))
            x = ends[-1] + spacing.layers + EDGE_ROOM * _fan(layer)
        return starts, ends

    def _route(
        self, edge: Edge, corners: Mapping[str, Point], starts: list[float], ends: list[float]
    ) -> list[Point]:
        source, target = self.items[edge.source], self.items[edge.target]
        start, box = corners[edge.source], self.boxes[edge.source]
        points = [Point(start.x + box.width, start.y + box.outputs[edge.output])]
        for layer in range(source.layer + 1, target.layer):
            y = self.lanes[edge.source, edge.output, layer].y + LANE_HEIGHT / 2
            points += [Point(starts[layer], y), Point(ends[layer], y)]
        end = corners[edge.target]
        return [*points, Point(end.x, end.y + self.boxes[edge.target].inputs[edge.input])]


def _fan(layer: Sequence[_Item]) -> int:
    """Count what leaves a layer: the more, the more room the curves behind it need."""
    return sum(len(item.after) for item in layer)


def _barycentre(item: _Item, downward: bool) -> float:
    links = item.before if downward else item.after
    if not links:
        return item.rank
    # Within a box the port's height decides; it only breaks ties between neighbours' ranks.
    return sum(
        other.rank + (output if downward else input_) / (other.height + 1)
        for other, output, input_ in links
    ) / len(links)


def _inversions(layer: Sequence[_Item]) -> int:
    ends = [
        (item.rank, output, other.rank, input_)
        for item in layer
        for other, output, input_ in item.after
    ]
    return sum(
        (a[:2] < b[:2] and a[2:] > b[2:]) or (a[:2] > b[:2] and a[2:] < b[2:])
        for index, a in enumerate(ends)
        for b in ends[index + 1 :]
    )


def _wish(item: _Item) -> float:
    """Return the height at which the item's edges would be level, on average."""
    wishes = [other.y + output - input_ for other, output, input_ in item.before]
    wishes += [other.y + input_ - output for other, output, input_ in item.after]
    return sum(wishes) / len(wishes) if wishes else item.y


def _stack(layer: Sequence[_Item], wishes: Sequence[float], spacing: Spacing) -> None:
    """Place a layer's items in order, without overlap, as near to their wishes as it goes.

    Items that would overlap form a block, which goes to the mean of what its items wish.
    """
    blocks: list[tuple[float, float, list[_Item]]] = []  # top, sum of wishes for the top, items
    for item, wish in zip(layer, wishes, strict=True):
        top, total, items = wish, wish, [item]
        while blocks and blocks[-1][0] + _extent(blocks[-1][2], item, spacing) > top:
            _, above_total, above = blocks.pop()
            shift = _extent(above, items[0], spacing)
            total = above_total + total - shift * len(items)
            items = above + items
            top = total / len(items)
        blocks.append((top, total, items))
    for top, _, items in blocks:
        y = top
        for index, item in enumerate(items):
            item.y = y
            if index + 1 < len(items):
                y += item.height + _gap(item, items[index + 1], spacing)


def _extent(items: Sequence[_Item], following: _Item, spacing: Spacing) -> float:
    extent = sum(item.height for item in items)
    pairs = zip(items, [*items[1:], following], strict=True)
    return extent + sum(_gap(first, second, spacing) for first, second in pairs)


def _gap(first: _Item, second: _Item, spacing: Spacing) -> float:
    return spacing.boxes * (first.gap + second.gap) / 2
