"""The picture of a network: what stands in it, and that nothing stands on anything else."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest

import netspec
from netspec.views.picture import picture
from netspec.views.picture.layout import arrange
from netspec.views.picture.plan import Node, Plan, Row, draft
from netspec.views.picture.svg import document
from tests.cli.test_commands import run
from tests.reviewed import assert_reviewed

ROOT = Path(__file__).parent.parent.parent
SPECS = sorted((ROOT / "specs").glob("*.yaml"))
GOLDEN = Path(__file__).parent / "golden" / "two_towers.svg"
TWO_TOWERS = """
netspec: 1
name: Towers
inputs: {picture: 3x16x16, caption: int T}
blocks:
  basic c:
    conv1: conv $c k3 same, relu
    conv2: conv $c k3 same
    out: add(conv2 in), relu
layers:
  stem: conv(picture) 8 k3 same
  body: [basic 8 x3]
  seen: gap, fc 4
  words: embedding(caption) 50 4
  read: mean 1
  both: concat(seen read), linear 2
"""


def plans(plan: Plan) -> Iterator[Plan]:
    yield plan
    for node in plan.nodes:
        if node.inside is not None:
            yield from plans(node.inside)


def texts(svg: str) -> list[str]:
    return ["".join(e.itertext()) for e in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_the_picture_is_the_reviewed_one() -> None:
    """Set NETSPEC_OVERWRITE_GOLDEN=1 to renew the file, and look at it."""
    drawn = picture(netspec.loads(TWO_TOWERS).graph)
    assert_reviewed(drawn, GOLDEN)


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_nodes_keep_apart_and_lines_lead_down(path: Path) -> None:
    graph = netspec.load(path).graph
    whole = draft(graph)
    arrange(whole)
    for plan in plans(whole):
        for node in plan.all:
            assert node.x >= 0
            assert node.x + node.width <= plan.width
            assert node.y + node.height <= plan.height
        for a, b in combinations(plan.nodes, 2):
            beside = a.x + a.width <= b.x or b.x + b.width <= a.x
            assert beside or a.y + a.height <= b.y or b.y + b.height <= a.y, (a, b)
        for edge in plan.edges:
            assert edge.source.y + edge.source.height < edge.target.y
        for edge, lane in plan.lanes.items():
            between = [node for node in plan.nodes if edge.source.y < node.y < edge.target.y]
            assert not any(node.x < lane < node.x + node.width for node in between), "a lane runs through a node"
    drawn = picture(graph)
    assert drawn == picture(netspec.load(path).graph)
    assert all(any(name in text for text in texts(drawn)) for name in (*graph.inputs, *graph.outputs))


def test_equal_blocks_are_drawn_once() -> None:
    said = texts(picture(netspec.loads(TWO_TOWERS).graph))
    assert "0 ... 2  basic c=8" in said
    assert said.count("x 3") == 1
    assert said.count("conv1  Conv2d(8, 8, 3, padding=1)") == 1
    other = TWO_TOWERS.replace("[basic 8 x3]", "[basic 8, basic 8, relu, basic 8]")
    assert texts(picture(netspec.loads(other).graph)).count("conv1  Conv2d(8, 8, 3, padding=1)") == 2


def test_repeats_of_other_lengths_are_not_equal() -> None:
    rows = "layers: [{x: [s x2]}, {y: [s x2]}, {z: [s x3]}]\nblocks: {s: [linear 4, relu]}"
    nodes = draft(netspec.loads(f"netspec: 1\ninput: 4\n{rows}").graph).nodes
    assert [(node.title, node.count) for node in nodes] == [("x ... y", 2), ("z", 1)]


def test_a_value_that_is_read_twice_ends_its_box() -> None:
    """Operations stand in one box only where nothing else reads what is between them."""
    rows = "layers: {a: linear 4, b: relu, c: add(LEFT b)}"
    once, twice = (netspec.loads(f"netspec: 1\ninput: 4\n{rows.replace('LEFT', w)}").graph for w in ("in", "a"))
    assert [len(node.rows) for node in draft(once).nodes] == [2, 1]
    assert [len(node.rows) for node in draft(twice).nodes] == [1, 1, 1]


def test_depth_closes_levels() -> None:
    said = texts(picture(netspec.loads(TWO_TOWERS).graph, depth=1))
    assert "body  ..." in said
    assert not any("conv1" in text for text in said)


def test_text_is_no_markup() -> None:
    """No spec that is accepted has such names today; the picture does not rely on that."""
    plan = Plan(nodes=[Node(rows=[Row("<b>", "a & b\u202e", "linear")])])
    arrange(plan)
    drawn = document(plan, "</title>")
    assert texts(drawn) == ["<b>  a & b\\u202e"]


def test_the_command_writes_a_file(tmp_path: Path) -> None:
    spec = str(ROOT / "specs" / "lenet5_tutorial.yaml")
    done = run("graph", spec, "-o", "net.svg", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "net.svg").read_text() == run("graph", spec).stdout
