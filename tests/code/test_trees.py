"""Trees of Python: what is printed of one is read back as the same, and stands as the formatter leaves it."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.python.expressions import f_string, text
from netspec.python.imports import imports, names
from netspec.python.layout import WIDTH, lines
from netspec.python.nodes import (
    Argument,
    Code,
    attribute,
    call,
    defined,
    either,
    every,
    item,
    keyword,
    listed,
    method,
    named,
    same,
    stored,
    tupled,
    valued,
)
from netspec.python.precedence import BINARY, COMPARED, LOGICAL, UNARY
from tests.code.style import assert_source_formatted

NAMES = st.sampled_from(["x", "y", "heads", "self.a", "torch.cat", "a_name_that_takes_room_in_a_line"]).map(named)
NUMBERS = st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.one_of(NUMBERS, st.booleans(), st.none(), st.text(max_size=8))
LEAVES = NAMES | VALUES.map(valued) | st.lists(VALUES, max_size=3).map(tuple).map(valued)


def grown(inner: st.SearchStrategy[ast.expr]) -> st.SearchStrategy[ast.expr]:
    """Every kind of expression that is printed, over smaller ones."""
    some = st.lists(inner, min_size=1, max_size=3)
    signs = st.sampled_from([sign() for sign in BINARY]), st.sampled_from([sign() for sign in UNARY])
    bounds = st.tuples(*[st.none() | inner] * 3).map(lambda b: ast.Slice(*b))
    words = st.sampled_from(["dim", "eps"])
    arguments: st.SearchStrategy[Argument] = inner | st.builds(keyword, words, inner)
    of = NAMES | inner.filter(lambda node: not isinstance(node, ast.Constant | ast.UnaryOp))
    return st.one_of(
        st.builds(lambda left, sign, right: ast.BinOp(left, sign, right), inner, signs[0], inner),
        st.builds(lambda sign, operand: ast.UnaryOp(sign, operand), signs[1], inner),
        st.builds(lambda sign, a, b: ast.BoolOp(sign(), [a, b]), st.sampled_from([*LOGICAL]), inner, inner),
        st.builds(lambda a, sign, b: ast.Compare(a, [sign()], [b]), inner, st.sampled_from([*COMPARED]), inner),
        st.builds(either, inner, inner, inner),
        st.builds(lambda f, a: call(f, *a), of, st.lists(arguments, max_size=3, unique_by=_keyword)),
        st.builds(lambda o, a: method(o, "view", *a), of, some),
        st.builds(attribute, of, st.sampled_from(["shape", "block1-0", "if"])),
        st.builds(item, of, inner | bounds | some.map(tupled)),
        some.map(listed),
        some.map(tupled),
        st.builds(lambda node: every(node, stored("_"), call("range", valued(3))), inner),
        some.map(lambda found: ast.Dict([valued(str(i)) for i in range(len(found))], found)),
        st.builds(lambda start, node: f_string([start, node]), st.text(max_size=5), NAMES),
    )


def _keyword(argument: Argument) -> object:
    return argument.arg if isinstance(argument, ast.keyword) else id(argument)


EXPRESSIONS = st.recursive(LEAVES, grown, max_leaves=12)


@given(EXPRESSIONS)
@settings(max_examples=300, deadline=None)
def test_what_is_printed_is_read_back_as_the_same_tree(node: ast.expr) -> None:
    assert same(ast.parse(text(node), mode="eval").body, node)


@given(EXPRESSIONS, st.sampled_from(["assigned", "returned", "tested", "called"]))
@settings(max_examples=300, deadline=None)
def test_a_line_that_is_broken_says_the_same(node: ast.expr, kind: str) -> None:
    made: dict[str, ast.stmt] = {
        "assigned": ast.Assign([stored("x")], node),
        "returned": ast.Return(node),
        "tested": ast.If(node, [ast.Continue()], []),
        "called": ast.Expr(call("self.register_the_module_of_this_name", node, node)),
    }
    loop = ast.For(stored("i"), call("range", valued(2)), [made[kind]], [])
    function = defined("forward", ["self", "x", "y"], [loop])
    assert same(ast.parse("\n".join(lines([function], {}))).body, [function])


def test_expressions_are_as_the_formatter_leaves_them() -> None:
    """One file of many short expressions, for the formatter is slow to start."""
    found = [
        "-(x**2)", "(-x) ** 2", "x**-2", "x.a**2", "x[0] ** 2", "f(x) ** 2", "x[: n + 1]", "x[a:b]", "x[::2]",
        "x[-1:]", "x[n - 1 : n + 1 : 2]", "x[:, None]", "(a + b).view(2)", "not (a or b)", "(a if b else c) + 1",
        '{"a": x, "b": -1e-6}', "f(*a, b=1)", "(x,)", "()", "[*[a for _ in range(3)]]", "a // 2 * b", "a * (b // 2)",
        '"\'"', "'\"'", '"\\n"', 'f"{x}a"', "(1).real", "~(a == b)", "a & b | c", "(a > 0) & b", "1e9", "0.1", "1e-5",
    ]  # fmt: skip
    written = [text(ast.parse(each, mode="eval").body) for each in found]
    assert_source_formatted("\n".join(f"z = {each}" for each in written) + "\n", lint=False)


@pytest.mark.parametrize(
    ("value", "printed"),
    [(1e-6, "1e-6"), (1e9, "1e9"), (1234567.0, "1234567.0"), (-0.5, "-0.5"), (-0.0, "-0.0"), (float("-inf"),
     'float("-inf")'), ((3,), "(3,)"), ([1, (2, -3)], "[1, (2, -3)]"), (None, "None"), ("a\"b", "'a\"b'")],
)  # fmt: skip
def test_a_value_is_written_as_a_person_writes_it(value: object, printed: str) -> None:
    assert text(valued(value)) == printed


def test_trees_are_the_same_node_for_node() -> None:
    x, one = named("x"), valued(1)
    assert same(call("f", x), call("f", ast.Name("x", ast.Load())))
    for a, b in [(one, valued(True)), (one, valued(1.0)), (valued(0.0), valued(-0.0)), (x, named("y")),
                 (call("f", x), call("f")), (call("f"), call("f", keyword("a", x))), (x, stored("x"))]:  # fmt: skip
        assert not same(a, b)
    assert Code(call("f", x)) == Code(call("f", named("x")))
    assert len({Code(call("f", x)), Code(call("f", named("x"))), Code(x)}) == 2


def test_a_parameter_behind_one_with_a_default_goes_by_keyword() -> None:
    function = defined("__init__", ["self", "c", "s", "k"], [ast.Continue()], {"s": valued(1)})
    assert lines([function], {})[0] == "def __init__(self, c, s=1, *, k):"


def test_only_what_is_used_is_imported() -> None:
    used = names([call("F.relu", named("x")), call("OrderedDict", valued("torch"))])
    written = [[ast.unparse(one) for one in group] for group in imports(used, {"gates"})]
    assert written == [
        ["from collections import OrderedDict"],
        ["import torch.nn.functional as F", "from torch import nn"],
        ["import gates"],
    ]


def test_a_name_of_any_characters_is_an_attribute() -> None:
    assert text(attribute(named("self"), "conv1")) == "self.conv1"
    assert text(attribute(named("self"), "block1-0")) == 'getattr(self, "block1-0")'
    assert text(attribute(named("self"), "class")) == 'getattr(self, "class")'


def test_members_stand_in_lines_of_their_own() -> None:
    four = [call("nn.ReLU") for _ in range(4)]
    inner = call("nn.Sequential", *four[:2])
    for node, broken in [
        (call("nn.Sequential", *four), True),
        (call("nn.Sequential", *four[:3]), False),
        (call("nn.Sequential", *four[:2], inner), True),
        (call("nn.ModuleList", listed(four)), False),
        (call("f", *four), False),
    ]:
        found = lines([ast.Assign([stored("x")], node)], {})
        assert (len(found) > 1) == broken, found
    assert WIDTH == 120
