"""How torch writes operations: tables with defaults, in which nothing stands that no class needs."""

from __future__ import annotations

import ast
import importlib
import inspect

import pytest
import torch
import torch.nn.functional as functional
from torch import nn

from netspec.emit.torch import (
    ADAPTERS,
    HELPERS,
    called,
    construct,
    helpers,
    modules,
    operations,
    torch_class,
    torch_names,
)
from netspec.emit.torch.rules import Rule, of_function, of_method
from netspec.layers.base import Layer, Op
from netspec.python import expressions
from netspec.python.nodes import Code, named
from netspec.records import Bool, Int
from netspec.vocabulary import OPERATIONS

CLASSES = OPERATIONS.classes()
X = [named("x"), named("y")]


class Invented(Op):
    """An operation that only these tests have."""

    example = "invented 1 2"
    size = Int("a number")
    axes = Int("numbers", (1, 2))
    flag = Bool("a word", False)


@pytest.mark.parametrize(
    ("rule", "printed"),
    [
        (of_function("torch.{}"), "torch.invented(x, y)"),
        (of_function("F.f", "size"), "F.f(x, y, 3)"),
        (of_function("F.f", "size="), "F.f(x, y, size=3)"),
        (of_function("F.f", "flag=?"), "F.f(x, y)"),
        (of_function("F.f", "flag?", "size="), "F.f(x, y, size=3)"),
        (of_function("F.f", "(axes)", "(only)="), "F.f(x, y, (1, 2), only=7)"),
        (of_function("F.f", "*axes"), "F.f(x, y, 1, 2)"),
        (of_function("F.f", "size", "$"), "F.f(3, x, y)"),
        (of_function("F.f", "[$]", "..."), "F.f([x, y], 3)"),
        (of_method("m", "size"), "x.m(y, 3)"),
        (of_method("{}", "size", "$"), "x.invented(3, y)"),
    ],
)
def test_the_places_of_a_call_are_told_field_by_field(rule: Rule, printed: str) -> None:
    op = Invented(size=3).replace(only=(7,))
    assert expressions.text(rule(op, X)) == printed


def test_code_stands_where_a_value_would() -> None:
    op = Invented(size=3).replace(size=Code(named("self.n")), axes=Code(named("axes")), flag=Code(named("flag")))
    rule = of_function("F.f", "size", "*axes", "flag=?")
    assert expressions.text(rule(op, X[:1])) == "F.f(x, self.n, *axes, flag=flag)"


@pytest.mark.parametrize(
    ("table", "layers"),
    [
        (operations.FUNCTIONS, False), (modules.STATE, False), (modules.MODULES, True), (modules.FUNCTIONS, True),
        (modules.PASSED, True), (modules.CLASSES, True),
    ],
)  # fmt: skip
def test_every_entry_is_for_a_class_and_for_one_alone(table: dict[str, object], layers: bool) -> None:
    """The name of an entry is that of one class, which some class of the catalogue is or stands below."""
    known = [cls for cls in CLASSES if issubclass(cls, Layer) == layers]
    bases = {base for cls in known for base in cls.__mro__ if base.__module__.startswith("netspec.")}
    for name in table:
        assert len([base for base in bases if base.__name__ == name]) == 1, name


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if issubclass(cls, Layer)], ids=lambda cls: cls.__name__)
def test_classes_and_functions_are_torchs(cls: type[Layer]) -> None:
    if cls.__name__ != "GAP":
        assert hasattr(nn, torch_class(cls).removeprefix("nn."))
    scope = {"torch": torch, "F": functional, "nn": nn}
    for name in torch_names(cls):
        if not name.startswith(".") and name != "nn.GAP":
            assert inspect.isroutine(found := eval(name, scope)) or inspect.isclass(found), name


def test_a_plugins_class_is_written_as_a_module_whatever_it_is_called() -> None:
    flatten = type("Flatten", (Layer,), {"__module__": "gates", "origin": "gates", "width": Int("a width")})
    op = flatten(width=3)
    assert op.needs_module()
    assert expressions.text(construct(op)) == "gates.Flatten(3)"
    assert torch_names(flatten) == {"gates.Flatten"}


def test_a_new_operation_is_written_as_the_function_that_it_is_called_by() -> None:
    sinh = type("Sinh", (Op,), {"__module__": "netspec.ops.new", "dim": Int("an axis", 0)})
    assert expressions.text(called(sinh(), X[:1])) == "torch.sinh(x)"
    assert torch_names(sinh) == {"torch.sinh"}


def test_a_new_layer_is_written_without_an_entry() -> None:
    fields = {"__module__": "netspec.layers.new", "functional": True, "dim": Int("an axis")}
    log_softsign = type("LogSoftSign", (Layer,), {**fields, "words": ("log_softsign",)})
    op = log_softsign(dim=1)
    assert expressions.text(construct(op)) == "nn.LogSoftSign(1)"
    assert expressions.text(called(op, X[:1])) == "F.log_softsign(x, 1)"


def test_helpers_are_called_by_some_operation_and_named_for_themselves() -> None:
    assert {name for cls in CLASSES for name in helpers(cls)} | {*ADAPTERS.values()} == HELPERS.keys()
    for name, source in HELPERS.items():
        (made,) = ast.parse(source).body
        assert isinstance(made, ast.FunctionDef | ast.ClassDef)
        assert made.name == name


def test_records_do_not_know_how_torch_writes_them() -> None:
    for cls in CLASSES:
        source = inspect.getsource(importlib.import_module(cls.__module__))
        assert "netspec.emit" not in source, cls.__module__
        assert "netspec.python" not in source, cls.__module__
