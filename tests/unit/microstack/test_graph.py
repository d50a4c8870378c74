from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import yaml

from machine.client import RelationRecord
from microstack import graph
from microstack.cli import run
from microstack.graph import Relation
from microstack.layers import Box, Drawing, Edge, assign_layers, draw
from microstack.model import Application, applications

from .conftest import CHECKOUT, FakeInstallation, FakeMachine, application, document


def box(name: str, inputs: int = 2, outputs: int = 2) -> Box:
    ports = {f"in{n}": 20.0 * (n + 1) for n in range(inputs)}
    return Box(name, 100, 80, ports, {f"out{n}": 20.0 * (n + 1) for n in range(outputs)})


def edge(source: str, target: str, output: int = 0, input_: int = 0) -> Edge:
    return Edge(source, f"out{output}", target, f"in{input_}")


def overlaps(drawing: Drawing, boxes: Sequence[Box]) -> list[tuple[str, str]]:
    def rectangle(b: Box) -> tuple[float, float, float, float]:
        corner = drawing.corners[b.name]
        return corner.x, corner.y, corner.x + b.width, corner.y + b.height

    return [
        (a.name, b.name)
        for a, b in itertools.combinations(boxes, 2)
        if (ra := rectangle(a))[0] < (rb := rectangle(b))[2]
        and rb[0] < ra[2]
        and ra[1] < rb[3]
        and rb[1] < ra[3]
    ]


class TestLayers:
    def test_providers_stand_left_of_who_requires_them(self) -> None:
        edges = [edge("db", "api"), edge("api", "worker"), edge("db", "worker", 1, 1)]
        assert assign_layers(["worker", "api", "db"], edges) == {"db": 0, "api": 1, "worker": 2}

    def test_a_cycle_is_cut_and_still_drawn(self) -> None:
        boxes = [box("a"), box("b")]
        edges = [edge("a", "b"), edge("b", "a")]
        drawing = draw(boxes, edges)
        assert set(drawing.routes) == set(edges)
        assert overlaps(drawing, boxes) == []

    def test_an_edge_over_several_layers_runs_beside_the_boxes_between(self) -> None:
        boxes = [box("a"), box("b"), box("c")]
        drawing = draw(boxes, [edge("a", "b"), edge("b", "c"), edge("a", "c", 1, 1)])
        _, start, end, _ = drawing.routes[edge("a", "c", 1, 1)]
        between = drawing.corners["b"]
        assert start.y == end.y
        assert not between.y <= start.y <= between.y + 80

    def test_edges_of_one_port_share_their_lane(self) -> None:
        boxes = [box("a"), box("b"), box("c"), box("d")]
        edges = [edge("a", "b"), edge("b", "c"), edge("b", "d"), edge("a", "c", 0, 1)]
        drawing = draw(boxes, [*edges, edge("a", "d", 0, 1)])
        lanes = {drawing.routes[e][1] for e in (edge("a", "c", 0, 1), edge("a", "d", 0, 1))}
        assert len(lanes) == 1

    def test_what_can_be_drawn_without_crossings_is(self) -> None:
        boxes = [box("a"), box("b"), box("c"), box("d")]
        drawing = draw(boxes, [edge("a", "d"), edge("b", "c")])
        corners = drawing.corners
        assert (corners["a"].y < corners["b"].y) == (corners["d"].y < corners["c"].y)

    def test_nothing_overlaps_in_a_crowd(self) -> None:
        names = [f"n{n}" for n in range(24)]
        boxes = [box(name) for name in names]
        edges = [
            edge(names[source], names[target], source % 2, target % 2)
            for source in range(24)
            for target in range(source + 1, min(source + 9, 24), 3)
        ]
        assert overlaps(draw(boxes, edges), boxes) == []

    def test_of_nothing_is_nothing(self) -> None:
        assert draw([], []).corners == {}


def bundle() -> tuple[list[Application], list[Relation]]:
    """The project's bundle as the command line sees it."""
    declared = yaml.safe_load((CHECKOUT / "bundles/microstack.yaml").read_text())
    records = [
        RelationRecord(n, "any", tuple(ends), "global", {})
        for n, ends in enumerate(declared["relations"])
    ]
    names = {name.replace("-", "_"): application(name) for name in declared["applications"]}
    return applications(document(**names)), graph.relations(records)


class TestGraph:
    def test_the_bundle_is_drawn_without_overlaps(self) -> None:
        shown, relations = bundle()
        boxes, drawing = graph._layout(shown, relations)
        assert len(boxes) == 14
        assert overlaps(drawing, boxes) == []

    def test_every_relation_is_a_line_that_names_its_ends(self) -> None:
        svg = ElementTree.fromstring(graph.render(*bundle()))
        titles = {t.text for t in svg.iter("{http://www.w3.org/2000/svg}title")}
        assert "mariadb:database → nova:cell-database  (any)" in titles
        assert len([t for t in titles if t and "→" in t]) == 36

    def test_boxes_are_coloured_by_status_and_subordinates_dashed(self) -> None:
        chassis = application("ovn-chassis", "blocked", "no", **{"subordinate-to": ["nova"]})
        shown = applications(document(nova=application("nova"), ovn_chassis=chassis))
        svg = graph.render(shown, [])
        assert 'class="box active"' in svg
        assert 'class="box blocked subordinate"' in svg
        assert "ovn-chassis: blocked no" in svg

    def test_peer_relations_are_left_out(self) -> None:
        peers = RelationRecord(1, "nova_peers", ("nova:nova-peers",), "global", {})
        assert graph.relations([peers]) == []

    def test_the_command_writes_a_file(
        self, installation: FakeInstallation, machine: FakeMachine, tmp_path: Path
    ) -> None:
        output = tmp_path / "graph.svg"
        assert run(["graph", "-o", str(output)]) == 0
        ElementTree.parse(output)
