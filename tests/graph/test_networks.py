"""What a spec means: names, levels, references, repeats, conditions, and what is said of mistakes."""

from __future__ import annotations

import pytest

import netspec
from netspec.text.report import SpecError
from netspec.vocabulary import OPERATIONS
from tests.effort import computing


def graph(layers: str, head: str = "input: 3x8x8\n") -> netspec.Spec:
    return netspec.loads(f"netspec: 1\n{head}layers:\n{layers}")


def names(spec: netspec.Spec) -> list[str]:
    return list(dict.fromkeys(n.rpartition(".")[0] for n in spec.graph.parameters()))


def refused(layers: str, head: str = "input: 3x8x8\n") -> SpecError:
    with pytest.raises(SpecError) as caught:
        graph(layers, head)
    return caught.value


def test_the_root_list_names_by_word_and_count() -> None:
    assert names(graph("  - conv 4 k3, bn, relu, conv 8 k3\n  - [fc 5, relu, fc 2]\n")) == [
        "conv1", "bn1", "conv2", "seq1.0", "seq1.2",
    ]  # fmt: skip


def test_lists_count_every_member_and_mappings_name_theirs() -> None:
    spec = graph("  a: [conv 4 k3 x2, relu, conv 4 k3]\n  b: {c: conv 4 k1, d: relu}\n  e: bn, relu, pool 2\n")
    assert names(spec) == ["a.0", "a.1", "a.3", "b.c", "e"]


def test_a_chain_has_one_owner() -> None:
    error = refused("  a: conv 4 k3, bn\n")
    assert error.problems[0].code == "two-owners"
    assert "[ ]" in error.problems[0].hint


def test_blocks_bind_parameters_defaults_and_sizes_of_the_input() -> None:
    head = "input: 3x8x8\nblocks:\n  b c k=3 twice=$(2*c): [conv $c k$k same, conv $twice k1, conv $(in.c) k1]\n"
    spec = graph("  - b 4\n  - b 5 k=1 twice=7\n", head)
    shapes = [s for n, s in spec.graph.parameters().items() if n.endswith("weight")]
    assert shapes == [(4, 3, 3, 3), (8, 4, 1, 1), (3, 8, 1, 1), (5, 3, 1, 1), (7, 5, 1, 1), (3, 7, 1, 1)]


def test_when_false_leaves_no_index_and_passes_on() -> None:
    spec = graph(
        "  a: [conv 4 k3 when 1 > 2, bn, conv 5 k3]\n  b: {when: false, layers: [conv 9 k3]}\n  c: conv 6 k1\n"
    )
    assert names(spec) == ["a.0", "a.1", "c"]
    assert spec.graph.parameters()["c.weight"] == (6, 5, 1, 1)


def test_repeats_splice_over_tables_and_templates_name() -> None:
    spec = graph("  f:\n    - repeat: [[4, 1], [5, 2]]\n      as: [c, n]\n      layers: {b$(i+1): [conv $c k1 x$n]}\n")
    assert names(spec) == ["f.b1.0", "f.b2.0", "f.b2.1"]


def test_parallel_rounds_are_collected() -> None:
    spec = graph("  p: {repeat: 3, layers: ['conv(in) $(i+1) k1']}\n  q: concat(p.*), conv 2 k1\n")
    assert spec.graph.parameters()["q.weight"] == (2, 6, 1, 1)


def test_inserting_a_step_changes_no_edge_it_does_not_touch() -> None:
    before = graph("  a: conv 4 k1\n  b: conv 4 k1\n  c: add(a b)\n")
    after = graph("  a: conv 4 k1\n  new: relu\n  b: conv 4 k1\n  c: add(a b)\n")

    def inputs(spec: netspec.Spec) -> list[str]:
        return [v.name for v in spec.graph.root.steps[-1].inputs]

    assert inputs(before) == inputs(after) == ["a", "b"]


def test_one_child_runs_twice_and_tied_weights_count_once() -> None:
    head = "inputs: {x: 8, y: 8}\ntie: {b.weight: a.weight}\n"
    spec = graph("  a: linear(x) 8 nobias\n  t: use(y) a\n  b: linear 8 nobias\n  c: add(a b)\n", head)
    assert spec.graph.parameter_count == 64
    net = spec.build()
    assert len(list(net.parameters())) == 1


@pytest.mark.parametrize("step", ["relu when in.h > 8", "interpolate $(in.h * 2)"])
def test_a_module_that_runs_again_does_the_same_as_the_first_time(step: str) -> None:
    head = f"inputs: {{a: 3x8x8, b: 3x16x16}}\nblocks: {{cell: {{c: conv 4 k3, s: {step}}}}}\n"
    error = refused("  one: cell(a)\n  two: use(b) one\n", head)
    assert "one would run s otherwise for this input than for its first" in str(error)


def test_a_module_runs_again_for_another_shape() -> None:
    head = "inputs: {a: 3xTx8, b: 3x16x16}\nblocks: {cell: {c: conv 4 k3, s: slice 2 0 $(prev.h // 2)}}\n"
    spec = graph("  one: cell(a)\n  two: use(b) one\n", head)
    assert str(spec.graph.outputs["two"]) == "B x 4 x 7 x 14"


@pytest.mark.parametrize("target", ["null", "[a.weight]", "c.weight"])
def test_a_tie_to_no_parameter_is_refused(target: str) -> None:
    error = refused("  a: linear 8\n  b: linear 8\n", f"input: 8\ntie: {{b.weight: {target}}}\n")
    assert error.problems


def test_problems_come_sorted_all_at_once_and_without_cascades() -> None:
    error = refused("  - conv 4 k9\n  - conv 8 k3, lenear 3\n  - fc 5->4\n  - dropout 2\n")
    assert [p.code for p in error.problems] == ["shape-mismatch", "unknown-op", "bad-argument"]


def test_a_problem_in_a_block_shows_the_line_that_used_it() -> None:
    head = "input: 3x8x8\nblocks:\n  b c:\n    x: conv $c k3\n    y: add(x in)\n"
    error = refused("  - b 3\n", head)
    text = str(error)
    assert text.startswith("<spec>:6:8")
    assert "used at <spec>:8:5: - b 3" in text


@pytest.mark.parametrize(
    ("layers", "code", "hint"),
    [
        ("  - conv(nowhere) 4 k3\n", "unknown-name", ""),
        ("  a: conv 4 k3\n  b: add(aa in)\n", "unknown-name", "Did you mean 'a'?"),
        ("  - conv 4 k3 stide=2\n", "unknown-argument", "Did you mean 'stride'?"),
        ("  - linear 3\n  - conv $x k3\n", "expression", ""),
        ("  train: conv 4 k3\n", "name", "train1"),
        ("  a: conv 4 k3\n  a.b.c: conv 4 k3\n", "name", "one dot"),
        ("  - conv 4 k2 same\n", "even-kernel", "odd kernel"),
        ("  - fc 3, conv 4 k3\n", "rank", "fc"),
        ("  - {add: [1]}\n", "row", ""),
        ("  -\n", "empty-step", ""),
    ],
)
def test_mistakes(layers: str, code: str, hint: str) -> None:
    error = refused(layers)
    assert error.problems[0].code in (code, "row", "empty-step")
    assert hint in error.problems[0].hint


@pytest.mark.parametrize(
    "layers",
    [
        "  - {repeat: 10000, layers: [{repeat: 10000, layers: [relu]}]}\n",
        "  - relu x10000\n" * 12,
        "  - {repeat: 99999999, layers: [relu]}\n",
    ],
)
def test_networks_beyond_bounds_are_refused_in_time(layers: str) -> None:
    with computing(60):
        assert refused(layers).problems[0].code in ("too-large", "repeat")


def test_a_block_inside_itself_is_refused() -> None:
    error = refused("  - a\n", "input: 3x8x8\nblocks:\n  a: [b]\n  b: [a]\n")
    assert error.problems[0].code == "recursion"


def test_dynamic_sizes_survive_arithmetic_and_are_refused_where_a_number_is_needed() -> None:
    spec = graph("  - conv 4 k3 s2, conv 8 k3\n", "input: 3xT\n")
    assert str(next(iter(spec.graph.outputs.values()))) == "B x 8 x ((T + 1) // 2 - 3)"
    assert refused("  - conv 4 k3, fc 10\n", "input: 3xT\n").problems[0].code == "unknown-size"


def test_a_dotted_name_puts_a_module_into_a_list_beside_the_others() -> None:
    spec = graph(
        "  a:\n    repeat: 2\n    layers:\n      convs.$i: conv 3 k1\n      norms.$i: bn, relu\n  b: add(in a)\n"
    )
    assert names(spec) == ["a.convs.0", "a.convs.1", "a.norms.0", "a.norms.1"]
    spec = graph("  m.0: conv 4 k1\n  n: bn\n  m.1: conv 4 k1\n  both: add(m.*)\n  last: use(in) m.0\n")
    assert names(spec) == ["m.0", "m.1", "n"]


@pytest.mark.parametrize(
    ("layers", "code"),
    [
        ("  m.0: conv 4 k1\n  m: bn\n", "duplicate-name"),
        ("  m: bn\n  m.0: conv 4 k1\n", "duplicate-name"),
        ("  m.0.1: bn\n", "name"),
        ("  forward.0: bn\n", "name"),
        ("  m.: bn\n", "name"),
        ("  m.0: parameter 3x1x1\n", "name"),
        ("  a: bn\n  m.0: alias a\n", "alias"),
    ],
)
def test_what_a_dotted_name_cannot_be(layers: str, code: str) -> None:
    assert code in [problem.code for problem in refused(layers).problems]


def test_inputs_find_their_place_by_name() -> None:
    head = "input: 3x8x8\nblocks: {up(x skip) c: {out: 'concat(x skip), conv $c k1'}}\n"
    spec = graph("  a: conv 4 k1\n  b: up(skip=in x=a) 5\n", head)
    assert "concat" not in [problem.code for problem in spec.warnings]
    (concat,) = [step for step in spec.graph.root.walk() if step.op is not None and type(step.op).__name__ == "Concat"]
    assert [value.name for value in concat.inputs] == ["x", "skip"]
    given = spec.graph.root.steps[1].inputs
    assert [value.name for value in given] == ["a", "input"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("up(skip=in y=a) 5", "there is no input 'y'"),
        ("up(x=in x=a) 5", "the input x is given twice"),
        ("up(skip=a) 5", "the input x is missing"),
        ("up(skip=a in) 5", "an input without a name comes after one with a name"),
        ("relu(x=a)", "there is no input 'x'"),
        ("sdpa(q=a k=a v=a)", "there is no input 'q'"),
    ],
)
def test_inputs_by_name_that_cannot_be(call: str, message: str) -> None:
    head = "input: 3x8x8\nblocks: {up(x skip) c: {out: 'concat(x skip), conv $c k1'}}\n"
    error = refused(f"  a: conv 4 k1\n  b: {call}\n  z: up(a in) 3\n", head)
    assert message in [problem.message for problem in error.problems]


def test_every_operation_of_several_inputs_names_them_or_takes_any() -> None:
    """Those whose inputs are all alike, as the two of `sub(a b)` or the many of `concat`, have no names for them."""
    alike = "Sub RSub Div Pow RPow Maximum Minimum Eq Ne Lt Le Gt Ge LogicalAnd LogicalOr MatMul BMM CDist"
    for cls in OPERATIONS.classes():
        high = cls.inputs[1]
        if cls.takes:
            assert len(cls.takes) == high, cls
        elif high not in (0, 1) and high < 99:
            assert cls.__name__ in alike.split(), cls


def test_a_level_may_end_in_parts() -> None:
    spec = graph(
        "  enc: [linear 8, lstm 12 batch_first]\n  s: add(enc.output enc)\n  h: linear(enc.h) 3\n", "input: 5x8\n"
    )
    assert str(spec.graph.root.steps[1].value.tensor) == "B x 5 x 12"
    assert str(spec.graph.outputs["h"]) == "1 x B x 3"
    spec = graph("  a: {b: [chunk 2 1]}\n  c: add(a.0 a.1)\n", "input: 4x8\n")
    assert str(spec.graph.outputs["c"]) == "B x 2 x 8"
    head = "input: 5x8\nblocks: {step: {layers: {cell: lstm 12 batch_first}, outputs: {o: cell, h: cell.h}}}\n"
    assert str(graph("  a: step\n  b: linear(a.h) 2\n", head).graph.outputs["b"]) == "1 x B x 2"


def test_a_source_passes_on_in_its_own_row_alone() -> None:
    spec = graph(
        "  a: linear 8\n  w: parameter 8 init=ones, exp\n  p: parameter 8\n  b: mul(a w)\n  c: add(b p)\n", "input: 8\n"
    )
    (exp,) = [step for step in spec.graph.root.steps if step.name == "w" or type(step.op).__name__ == "Exp"][1:]
    assert type(exp.inputs[0].step.op).__name__ == "Parameter"  # type: ignore[union-attr]
    spec = graph("  a: linear 8\n  p: parameter 8\n  b: relu\n  c: add(b p)\n", "input: 8\n")
    relu = next(step for step in spec.graph.root.steps if type(step.op).__name__ == "ReLU")
    assert relu.inputs[0].name == "a"


def test_a_parameter_that_nothing_reads_is_told() -> None:
    spec = graph("  a: linear 8\n  p: parameter 8\n  b: relu(a)\n", "input: 8\n")
    assert [problem.message for problem in spec.warnings] == ["p reaches no output"]


@pytest.mark.parametrize(
    ("layers", "head", "codes"),
    [
        ("  - mix 4\n  - mix 5\n", "input: 8\nblocks: {mix c7: [linear $c7]}\n", ["header"]),
        ("  - attention 4\n", "input: 8\nblocks: {attention d: [linear $d, softmax -1]}\n", ["block-name"]),
        ("  forward: linear 8\n  b: add(forward in)\n", "input: 8\n", ["name"]),
        ("  repeat: 2\n  a: relu\n", "input: 8\n", ["unknown-key"]),
        ("  x: linear 4\n", "inputs: {x: 8}\n", ["duplicate-name"]),
    ],
)
def test_nothing_follows_from_what_was_refused(layers: str, head: str, codes: list[str]) -> None:
    assert [problem.code for problem in refused(layers, head).problems] == codes


def test_references_may_hold_expressions_with_blanks() -> None:
    spec = graph("  t0: relu\n  t1: linear 8\n  b: {repeat: 2, layers: {c$i: linear(t$(1 - i)) 3}}\n", "input: 8\n")
    assert names(spec) == ["t1", "b.c0", "b.c1"]
