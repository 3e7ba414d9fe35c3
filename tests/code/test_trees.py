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

NAMES = st.sampled_from(["x", "y", "heads", "self.a", "torch.cat", "a_name_that_takes_room_in_a_line"])
NUMBERS = st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.one_of(NUMBERS, st.booleans(), st.none(), st.text(max_size=8))
KINDS = (
    *("binary", "unary", "logical", "compared", "either", "called", "method", "attribute", "item", "slice", "places"),
    *("list", "tuple", "comprehension", "dictionary", "text"),
)


@st.composite
def expressions(draw: st.DrawFn, depth: int = 4) -> ast.expr:
    """An expression of every kind that is printed."""

    def inner() -> ast.expr:
        return draw(expressions(depth - 1))

    def some() -> list[ast.expr]:
        return [inner() for _ in range(draw(st.integers(1, 3)))]

    def name() -> ast.expr:
        return named(draw(NAMES))

    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return valued(draw(VALUES | st.lists(VALUES, max_size=3).map(tuple))) if draw(st.booleans()) else name()
    match draw(st.sampled_from(KINDS)):
        case "binary":
            return ast.BinOp(inner(), draw(st.sampled_from([*BINARY]))(), inner())
        case "unary":
            return ast.UnaryOp(draw(st.sampled_from([*UNARY]))(), inner())
        case "logical":
            return ast.BoolOp(draw(st.sampled_from([*LOGICAL]))(), [inner(), inner()])
        case "compared":
            return ast.Compare(inner(), [draw(st.sampled_from([*COMPARED]))()], [inner()])
        case "either":
            return either(inner(), inner(), inner())
        case "called":
            return call(inner(), *some(), *(keyword(word, inner()) for word in ("dim", "eps") if draw(st.booleans())))
        case "method":
            return method(inner(), "view", *some())
        case "attribute":
            return attribute(inner(), draw(st.sampled_from(["shape", "block1-0", "if"])))
        case "item":
            return item(inner(), inner())
        case "slice":
            return item(name(), ast.Slice(*(inner() if draw(st.booleans()) else None for _ in range(3))))
        case "places":
            return item(name(), tupled([ast.Slice(), *some()]))
        case "list":
            return listed(some())
        case "tuple":
            return tupled(some())
        case "comprehension":
            return every(inner(), stored("_"), call("range", valued(3)))
        case "dictionary":
            values = some()
            return ast.Dict([valued(str(i)) for i in range(len(values))], values)
    return f_string([draw(st.text(max_size=5)), name()])


@given(expressions())
@settings(max_examples=300, deadline=None)
def test_what_is_printed_is_read_back_as_the_same_tree(node: ast.expr) -> None:
    assert same(ast.parse(text(node), mode="eval").body, node)


@given(expressions(), st.sampled_from(["assigned", "returned", "tested", "called"]))
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


def test_parameters_with_a_default_are_the_last() -> None:
    function = defined("__init__", ["self", "c", "k", "s"], [ast.Continue()], {"s": valued(1)})
    assert lines([function], {})[0] == "def __init__(self, c, k, s=1):"
    with pytest.raises(AssertionError):
        defined("__init__", ["self", "c", "s", "k"], [ast.Continue()], {"s": valued(1)})


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
