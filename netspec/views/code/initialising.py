"""The part of a constructor that fills parameters as the `init` rules say.

Modules that are filled alike are found by a loop over all modules, with the test that a
person would write. Where no order of tests finds exactly the right modules, each is named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import reduce
from typing import Final

from netspec.graph.init import Owner, Rule
from netspec.graph.model import Graph
from netspec.initializers import Default, Initializer, Zeros
from netspec.layers.base import Layer
from netspec.python.layout import Line
from netspec.python.literals import literal
from netspec.python.names import attribute

Plan = dict[str, str]
"""The statement that fills each tensor."""
Branches = dict["Test", tuple[Plan, bool]]
"""The tests of the loop in order, each with what it fills and whether only some of its modules have a bias."""

_INNER: Final = {"nn.Linear", "nn.LayerNorm"}
"""What torch's own modules have modules of."""


@dataclass(frozen=True, slots=True)
class Test:
    """What recognises the modules of one branch: their classes, their names, or both."""

    kinds: tuple[str, ...]
    pattern: str = ""
    but: str = ""
    """The names of modules of these classes that are left alone."""

    def holds(self, owner: Owner) -> bool:
        right = not self.kinds or _class(owner) in self.kinds
        return right and (not self.pattern or fnmatchcase(owner.path, self.pattern))

    def may_find(self, path: str) -> bool:
        """Whether it would find a module that torch has put inside another, as the projections of an attention."""
        return bool(_INNER & set(self.kinds)) and (not self.pattern or fnmatchcase(path, self.pattern))

    def __str__(self) -> str:
        kinds = self.kinds[0] if len(self.kinds) == 1 else f"({', '.join(self.kinds)})"
        parts = [f"isinstance(module, {kinds})"] if self.kinds else []
        parts += [_fits(self.pattern)] if self.pattern else []
        parts += [f"not {_fits(self.but)}"] if self.but else []
        return " and ".join(parts)


def _fits(pattern: str) -> str:
    """The question whether a name fits a pattern."""
    stars = sum(pattern.count(c) for c in "*?[")
    if not stars:
        return f"name == {literal(pattern)}"
    if stars == 1 and pattern.startswith("*"):
        return f"name.endswith({literal(pattern[1:])})"
    if stars == 1 and pattern.endswith("*"):
        return f"name.startswith({literal(pattern[:-1])})"
    return f"fnmatch(name, {literal(pattern)})"


def statements(rules: Sequence[Rule], owners: Sequence[Owner], path: Callable[[str], str]) -> list[Line]:
    """The statements that fill what the rules name. `path` writes how a module is reached from the root."""
    modules = [owner for owner in owners if owner.op is not None]
    branches = _branches(rules, modules)
    named = [o for o in owners if o.plan and (o.op is None or branches is None)]
    return [
        *_loop(_shortened(branches or {}, modules)),
        *(Line(code) for owner in named for code in _plan(owner, path(owner.path)).values()),
    ]


def padding(graph: Graph, path: Callable[[str], str]) -> list[Line]:
    """The statements that keep at 0 the rows of embeddings that stand for padding, where others have filled them."""
    plans = {owner.name_of("weight"): owner.plan.get("weight") for owner in graph.owners}
    filled = {name: rule[1] for name, rule in plans.items() if rule and not isinstance(rule[1], Default | Zeros)}
    lines = []
    for name, step in graph.root.owners():
        row = getattr(step.op, "padding_idx", None)
        tensor = f"{name}.weight"
        if row is not None and not step.wrap and (tensor in graph.ties or tensor in filled):
            lines.append(Line(f"nn.init.zeros_({path(name)}.weight[{row}])"))
    return lines


def _loop(branches: Branches) -> list[Line]:
    if not any(plan for plan, _ in branches.values()):
        return []
    by_name = any(test.pattern or test.but for test in branches)
    lines = [Line("for name, module in self.named_modules():" if by_name else "for module in self.modules():")]
    word = "if"
    for test, (plan, some_bias) in branches.items():
        lines.append(Line(f"{word} {test}:", depth=1))
        for tensor, text in plan.items():
            if tensor == "bias" and some_bias:
                lines += [Line("if module.bias is not None:", depth=2), Line(text, depth=3)]
            else:
                lines.append(Line(text, depth=2))
        lines += [] if plan else [Line("continue", depth=2)]
        word = "elif" if plan else "if"
    return lines


def _shortened(branches: Branches, modules: Sequence[Owner]) -> Branches:
    """The same with fewer tests: classes that are filled alike together, and no test for what none behind it finds."""
    found: Branches = {}
    rest = list(branches.items())
    for i, (test, (plan, some_bias)) in enumerate(rest):
        behind = [later for later, (filled, _) in rest[i + 1 :] if filled]
        if not plan and not any(test.holds(o) and any(later.holds(o) for later in behind) for o in modules):
            continue
        last = next(reversed(found), None)
        if last and last.kinds and test.kinds and last.pattern == test.pattern and found[last] == (plan, some_bias):
            del found[last]
            test = Test((*last.kinds, *test.kinds), test.pattern)
        elif last and not found[last][0] and last.kinds == test.kinds and not test.pattern and i + 1 == len(rest):
            del found[last]
            test = Test(test.kinds, but=last.pattern)
        found[test] = (plan, some_bias)
    return found


def _branches(rules: Sequence[Rule], modules: Sequence[Owner]) -> Branches | None:
    """The branches of the loop; None if they would not find exactly the right modules."""
    filled = [owner for owner in modules if owner.plan]
    tests = {id(owner): _test(rules[_first(owner)], owner) for owner in filled}
    found: Branches = {}
    for owner in sorted(filled, key=_first):
        test, plan = tests[id(owner)], _plan(owner, "module")
        known, some_bias = found.get(test, (plan, False))
        longer, shorter = (plan, known) if len(plan) > len(known) else (known, plan)
        if any(longer.get(tensor) != text for tensor, text in shorter.items()) or longer.keys() - shorter.keys() > {
            "bias"
        }:
            return None
        found[test] = (longer, some_bias or len(longer) != len(shorter))
    for owner in modules:
        if next((test for test in found if test.holds(owner)), None) != tests.get(id(owner)):
            return None
    inner = {f"{owner.path}.{name.rpartition('.')[0]}" for owner in modules for name in owner.shapes if "." in name}
    return None if any(test.may_find(path) for test, (plan, _) in found.items() if plan for path in inner) else found


def _first(owner: Owner) -> int:
    """The first rule that fills something of a module."""
    return min(number for number, _ in owner.plan.values())


def _test(rule: Rule, owner: Owner) -> Test:
    """How a loop over the modules recognises one that a rule matches."""
    if rule.classes:
        return Test((_class(owner),))
    pattern = rule.key
    if not fnmatchcase(owner.path, pattern):  # the pattern of a tensor's name, not of a module's
        pattern = pattern.rpartition(".")[0]
        if not fnmatchcase(owner.path, pattern):
            pattern = owner.path
    return Test((_class(owner),) if set(pattern) & set("*?[") else (), pattern)


def _plan(owner: Owner, module: str) -> Plan:
    plan: Plan = {}
    for tensor, (_, initializer) in owner.plan.items():
        if isinstance(initializer, Default):
            continue
        if tensor == "weight" and owner.wrap:
            plan |= _wrapped(owner.wrap, initializer, module)
        else:
            plan[tensor] = initializer.call(reduce(attribute, tensor.split("."), module))
    return plan


def _wrapped(wrap: str, initializer: Initializer, module: str) -> Plan:
    """What fills a wrapped weight: torch takes apart what is assigned to it. The older functions have no such way."""
    if wrap == "weight_norm_hook":
        length = f"torch.norm_except_dim({module}.weight_v.data)"
        return {
            "weight_v": initializer.call(f"{module}.weight_v"),
            "weight_g": f"{module}.weight_g.data.copy_({length})",
        }
    if wrap == "spectral_norm_hook":
        return {"weight_orig": initializer.call(f"{module}.weight_orig")}
    return {"weight": f"{module}.weight = {initializer.call(f'torch.empty_like({module}.weight)')}"}


def _class(owner: Owner) -> str:
    return owner.op.torch_class() if isinstance(owner.op, Layer) else ""
