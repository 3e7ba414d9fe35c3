"""The page of a network: the facts of its outline, and what is laid over what."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import netspec
from netspec.views.graph_page import compared, page
from netspec.views.graph_page.facts import Fact, told
from netspec.views.graph_page.places import code_lines
from netspec.views.picture import comparison
from netspec.views.picture.columns import columns
from netspec.views.picture.overlay import woven
from netspec.views.picture.plan import Node, called, draft
from tests.cli.test_commands import run
from tests.effort import computing
from tests.views.test_in_browser import BRANCHES, OTHER
from tests.views.test_report import HOSTILE, Parsed

ROOT = Path(__file__).parent.parent.parent
SMALL = """\
netspec: 1
name: Small
input: 1x8x8
layers:
  conv1: conv 2 k3
  body: [conv 2 k1, relu]
  head: fc 10
"""


def parsed(text: str) -> Parsed:
    """A page that fetches nothing, whose only scripts are its own."""
    found = Parsed(re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL))
    assert all(source.startswith(("data:", "#")) for source in found.sources)
    assert text.count("<script") == 2
    return found


def by_path(spec: netspec.Spec) -> dict[str, Fact]:
    return {fact.path: fact for fact in told(spec).facts.values()}


def test_the_outline_says_what_each_step_costs_and_where_it_stands() -> None:
    spec = netspec.loads(SMALL)
    found = by_path(spec)
    assert found["conv1"].cells == ("Conv2d(1, 2, 3)", "1 x 8 x 8", "2 x 6 x 6", "20", "648", "288 B")
    assert found["body.0"].spec == ("s", 6)
    lines = spec.source().splitlines()
    assert lines[found["conv1"].code[1] - 1].strip() == "self.conv1 = nn.Conv2d(1, 2, 3)"
    assert "nn.Conv2d(2, 2, 1)" in lines[found["body.0"].code[1] - 1]
    assert [*found][:4] == ["input", "conv1", "body", "body.0"]
    words = parsed(page(spec)).words
    for each in ("Conv2d(1, 2, 3)", "2 x 6 x 6", "288 B", "head: fc 10", "self.conv1 = nn.Conv2d(1, 2, 3)"):
        assert each in words


@pytest.mark.parametrize("name", ["resnet18", "nanogpt_tiny", "lstm_lm_small"])
def test_every_step_leads_to_a_line_that_names_it(name: str) -> None:
    spec = netspec.load(ROOT / "specs" / f"{name}.yaml")
    text = spec.source()
    lines, found = text.splitlines(), code_lines(spec.graph, text)
    assert {step for step in spec.graph.root.walk() if not step.left_out} == {*found}
    for step, line in found.items():
        if step.member and not step.again and not step.name.rpartition(".")[2].isdigit() and step.op is not None:
            assert step.member.partition(".")[0] in lines[line - 1] or "for " in lines[line - 1], (step.path, line)


def test_steps_of_one_name_are_told_apart() -> None:
    names = [*called(netspec.loads("netspec: 1\ninput: 4\nlayers: {a: 'linear 4, relu, relu, gelu'}").graph).values()]
    assert names == ["a", "a:relu", "a:relu#2", "a:gelu"]


def test_branches_stand_in_the_order_of_the_spec() -> None:
    text = "layers: {a: conv(in) 4 k1, b: [conv(in) 4 k1, conv 4 k1, conv 4 k1], c: [conv(in) 4 k1, conv 4 k1]}"
    graph = netspec.loads(f"netspec: 1\ninput: 3x8x8\n{text[:-1]}, d: concat(a b c)}}").graph
    plan = draft(graph)
    found = columns(plan)
    assert found.count == 3
    rank = found.ranks[1]
    first = [(item.rows[0].name or item.rows[0].path) if item.rows else item.title
             for cell in rank for item in cell.items if isinstance(item, Node)]  # fmt: skip
    assert first == ["a", "b", "c"]


def test_a_branch_that_ends_early_goes_straight_down() -> None:
    block = "blocks: {mix: {a: conv(in) 4 k1, b: conv(in) 4 k1, c: conv 4 k1, e: conv 4 k1, d: concat(a e)}}"
    plan = draft(netspec.loads(f"netspec: 1\ninput: 3x8x8\n{block}\nlayers: [mix]").graph).nodes[0].inside
    assert plan is not None
    columns(plan)
    ((edge, passes),) = plan.passes.items()
    assert (edge.source.rows[0].name, len(passes)) == ("a", 2)


def test_versions_are_woven_in_the_order_of_the_second() -> None:
    assert woven("abcde", "axcef") == [*"abxcdef"]
    assert woven("ab", "") == ["a", "b"]
    assert woven("xab", "ba") == ["x", "b", "a"]


def test_two_versions_are_laid_over_each_other() -> None:
    one, other = netspec.loads(BRANCHES), netspec.loads(OTHER)
    text = compared(one, other)
    words = parsed(text).words
    assert re.search(r"\d steps are added, 2 removed and \d changed", words)
    assert re.search(
        r"\b1 step is added, 0 removed", compared(one, netspec.loads(BRANCHES.replace("gap, fc 3", "gap, fc 3, relu")))
    )
    marks = re.findall(r'<tr class="(\w+)">.*?title="([^"]*)"', text)
    assert ("added", "body.2") in marks
    assert ("removed", "body.0.bn1") in marks
    assert ("added", "body.0.bn1") in marks
    drawn = comparison(one.graph, other.graph)
    assert 'class="node added"' in drawn
    assert 'class="edge removed"' in drawn
    assert "−" in drawn  # noqa: RUF001
    same = comparison(one.graph, one.graph)
    assert not re.search(r'class="(node|level|edge) (added|removed|changed)"', same)


def test_an_exchange_of_two_steps_leads_nowhere_back() -> None:
    one = "netspec: 1\ninput: 4\nlayers: {a: linear 4, b: tanh, c: relu}"
    other = "netspec: 1\ninput: 4\nlayers: {b: tanh, a: linear 4, c: relu}"
    assert "linear" in comparison(netspec.loads(one).graph, netspec.loads(other).graph).lower()


def test_hostile_words_are_text() -> None:
    text = page(netspec.loads(SMALL.replace("fc 10", "fc 10  # </script><script>alert(2)</script>"), name=HOSTILE))
    found = parsed(text)
    assert "alert(1)" in found.words
    assert "alert(2)" in found.words
    assert "script" not in found.tags
    plan = re.search(r'id="plan">(.*?)</script>', text)
    assert plan is not None
    assert json.loads(plan[1])["columns"] == 1


def test_a_network_of_a_thousand_steps_is_a_page_of_half_a_megabyte() -> None:
    rows = "\n".join(f"  l{i}: [basic 8 x4]" for i in range(40))
    block = "blocks:\n  basic c: {a: 'conv $c k3 same, relu', b: conv $c k3 same, out: 'add(b in), relu'}"
    spec = netspec.loads(f"netspec: 1\nname: Big\ninput: 8x16x16\n{block}\nlayers:\n{rows}\n")
    spec.__dict__["_printed"] = "class Big:\n    pass\n"  # printing has tests of its own
    with computing(20):
        text = page(spec)
    assert text.count("<tr") > 1_000
    assert len(text) < 700_000


def test_the_command_writes_pages_and_comparisons(tmp_path: Path) -> None:
    for name, text in (("a", SMALL), ("b", SMALL.replace("fc 10", "fc 12"))):
        (tmp_path / f"{name}.yaml").write_text(text)
    assert run("graph", "a.yaml", "-o", "a.html", cwd=tmp_path).returncode == 0
    assert parsed((tmp_path / "a.html").read_text("utf-8")).words
    done = run("graph", "a.yaml", "b.yaml", "-o", "diff.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 changed" in (tmp_path / "diff.html").read_text("utf-8")
    drawn = run("graph", "a.yaml", "b.yaml", "name=Other", cwd=tmp_path)
    assert "Linear(72, 10) → Linear(72, 12)" in drawn.stdout
    assert run("graph", "a.yaml", "--depth", "1", "-o", "a.html", cwd=tmp_path).returncode == 2
    assert run("graph", "a.yaml", "c.yaml", cwd=tmp_path).returncode == 3
