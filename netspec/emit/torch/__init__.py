"""How torch writes what the catalogue has: modules, functions, methods, operators, as trees of Python.

`construct` is what the constructor of a printed class says of an operation, `called` what forward does; both come from
tables, whose defaults hold for every class that they do not have.
"""

from __future__ import annotations

import ast

from netspec.emit.torch.helpers import HELPERS as HELPERS
from netspec.emit.torch.initializers import ADAPTERS as ADAPTERS
from netspec.emit.torch.initializers import WRAPPING as WRAPPING
from netspec.emit.torch.initializers import fill_name as fill_name
from netspec.emit.torch.initializers import filled as filled
from netspec.emit.torch.initializers import wrap_names as wrap_names
from netspec.emit.torch.initializers import wrapped as wrapped
from netspec.emit.torch.modules import FUNCTIONS as LAYER_FUNCTIONS
from netspec.emit.torch.modules import PASSED, function, function_name, making
from netspec.emit.torch.modules import arguments as arguments
from netspec.emit.torch.modules import construct as construct
from netspec.emit.torch.modules import torch_class as torch_class
from netspec.emit.torch.operations import FUNCTIONS, SEATS
from netspec.emit.torch.rules import NOWHERE, Inputs, Rule
from netspec.emit.torch.rules import Where as Where
from netspec.emit.torch.rules import module_arguments as module_arguments
from netspec.layers.base import Layer, Op


def has_seat(op: Op) -> bool:
    """Whether a function can stand among the modules of an nn.Sequential, though torch has no module for it."""
    return _seat(type(op)) is not None


def seated(op: Op) -> ast.expr:
    """The module that does there what a function does: `Permute(0, 2, 3, 1)`."""
    rule = _seat(type(op))
    assert rule is not None
    return rule(op)


def _seat(cls: type[Op]) -> Rule | None:
    """The module that stands in for a function of netspec's own, if there is one."""
    return SEATS.get(cls.__name__) if cls.__module__.startswith("netspec.") else None


def called(op: Op, inputs: Inputs, where: Where = NOWHERE) -> ast.expr:
    """What computes an operation that needs no module, over its inputs: `F.relu(x)`."""
    return _function(type(op))(op, inputs, where)


def _function(cls: type[Op]) -> Rule:
    """How a class writes its call without a module."""
    return (LAYER_FUNCTIONS if issubclass(cls, Layer) else FUNCTIONS).of(cls)


def helpers(cls: type[Op]) -> list[str]:
    """The functions and classes above the network's that the text of an operation may call, by name."""
    return sorted(name for name in _names(cls) if name in HELPERS)


def torch_names(cls: type[Op]) -> frozenset[str]:
    """All of torch that the text of an operation may name, which is all that printed source may name of it.

    `torch.cat` is a function, `.split` a method.
    """
    return frozenset(name for name in _names(cls) if name not in HELPERS)


def _names(cls: type[Op]) -> frozenset[str]:
    """The names of torch that a class may reach, in full: `nn.Conv2d`, `F.relu`."""
    if not issubclass(cls, Layer):
        rule, seat = making(cls) if cls.owned else _function(cls), _seat(cls)
        return frozenset(name.format(cls.called()) for name in (*rule.names, *(seat.names if seat else ())))
    functions = _function(cls).names if cls.functional or _function(cls) is not function else ()
    names = {*PASSED.of(cls).names, *making(cls).names, *functions}
    return frozenset(name.format(module=torch_class(cls), function=function_name(cls)) for name in names)
