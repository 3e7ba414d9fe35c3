"""Networks as Mermaid and DOT: what stands in them, where their lines lead, and that any name is text there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import netspec
from netspec.graph.model import Graph
from netspec.views.picture import written
from netspec.views.picture.dot import dot
from netspec.views.picture.mermaid import mermaid
from netspec.views.picture.plan import Edge, Node, Plan, Row
from tests.cli.test_commands import run
from tests.views.test_in_browser import BRANCHES, OTHER
from tests.views.test_report import HOSTILE

FORMS = {"mermaid": mermaid, "dot": dot}
EVIL = f'{HOSTILE}`x` %%{{init: 1}}%% "]; n0 --> n1; \\N \n end }} &lt; #quot;'


def graph(text: str = BRANCHES) -> Graph:
    return netspec.loads(text).graph


def lines(text: str) -> set[tuple[str, str]]:
    """The first rows of the boxes at both ends of each line."""
    boxes = dict(re.findall(r'^\s*(n\d+)(?:\(\[| \[label=|\[)"(.*?)(?:<br>|\\l|")', text, re.MULTILINE))
    return {(boxes[a], boxes[b]) for a, b in re.findall(r"(n\d+) (?:-->|-\.->|->)(?:\|.*?\|)? (n\d+)", text)}


@pytest.mark.parametrize("form", FORMS)
def test_lines_lead_from_box_to_box_past_the_edges_of_levels(form: str) -> None:
    found = lines(written(graph(), None, None, FORMS[form]))
    conv = "conv1  Conv2d(8, 8, 3, padding=1)"
    for pair in (
        ("input  3 x 16 x 16", "stem  Conv2d(3, 8, 3, padding=1)"),
        ("stem  Conv2d(3, 8, 3, padding=1)", conv),  # into a level in a level
        ("stem  Conv2d(3, 8, 3, padding=1)", "add"),  # past a branch
        (conv, "add"),
        ("add", "one  Conv2d(8, 4, 1)"),  # out of both
        ("0  Conv2d(8, 4, 1)", "1  Conv2d(4, 4, 3, padding=1)"),
        ("1  Conv2d(4, 4, 3, padding=1)", "concat"),
    ):
        assert pair in found


def test_levels_are_subgraphs_and_clusters() -> None:
    one, other = (written(graph(), None, None, form) for form in (mermaid, dot))
    assert one.startswith('---\ntitle: "Branches"\n---\nflowchart TD\n')
    assert '["0 ... 1  basic c=8  x 2"]' in one
    assert one.count("subgraph ") == len(re.findall(r"^\s*end$", one, re.MULTILINE)) == 3
    assert other.startswith('digraph "Branches" {\n')
    assert other.count("subgraph cluster") == 3
    assert other.count("{") == other.count("}")
    closed = written(graph(), None, 1, dot)
    assert "subgraph" not in closed
    assert ("stem  Conv2d(3, 8, 3, padding=1)", "body  ...") in lines(closed)


def test_two_versions_are_marked() -> None:
    one, other = (written(graph(), graph(OTHER), None, form) for form in (mermaid, dot))
    for kind in ("added", "removed"):
        assert re.search(rf"^  class n[\dn,]+ {kind}$", one, re.MULTILINE)
    assert "+ 2  basic c=8" in one
    assert re.search(r'\[label="\+ 2  basic c=8", color="#14654a"', other)
    assert "classDef" not in written(graph(), graph(), None, mermaid)


@pytest.mark.parametrize("form", FORMS)
def test_any_name_is_text(form: str) -> None:
    """No spec that is accepted has such names today; neither form relies on that."""
    first, second = Node(title=EVIL, shape=EVIL, role="entry"), Node(rows=[Row(EVIL, EVIL, "linear")], shape=EVIL)
    edges = [Edge(first, 0, second, 0), Edge(second, 0, last := Node(title=EVIL, shape=EVIL, role="exit"), 0)]
    for edge in edges:
        edge.target.takes.append(edge)
    text = FORMS[form](Plan([first], [second], [last], edges), EVIL)
    assert not {"\x1b", "\u202e"} & set(text)
    if form == "mermaid":
        body = text.split("---\n", 2)[2]
        assert not set("<>%`{}\\'") & set(body.replace("-->", "").replace("<br>", ""))
        assert body.count("\n") == 6
        assert all(line.count('"') in (0, 2) for line in body.splitlines())
    else:
        bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
        assert re.fullmatch(r"[\w\s{}\[\]=,>-]*", bare)
        assert "alert" not in bare
        assert text.count("\n") == 10
        assert "&lt;" not in text


def test_the_command_writes_them(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(BRANCHES)
    (tmp_path / "b.yaml").write_text(OTHER)
    for name, begins in (("net.mmd", "---"), ("net.dot", "digraph")):
        assert run("graph", "a.yaml", "-o", name, cwd=tmp_path).returncode == 0
        assert (tmp_path / name).read_text().startswith(begins)
        assert run("graph", "a.yaml", "b.yaml", "--depth", "1", "-o", name, cwd=tmp_path).returncode == 0
        assert "Branches and Branches" in (tmp_path / name).read_text()
