"""The part of a constructor that fills parameters as the `init` rules say.

Modules that are filled alike are found by a loop over all modules, with the test that a
person would write. Where no order of tests finds exactly the right modules, each is named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from netspec.graph.init import Owner, Rule
from netspec.initializers import Default, Initializer
from netspec.layers.base import Layer, literal
from netspec.views.code.layout import INDENT

Plan = dict[str, str]
"""The statement that fills each tensor."""


@dataclass(frozen=True, slots=True)
class Test:
    """What recognises the modules of one branch: their class, their name, or both."""

    kind: str
    pattern: str = ""

    def holds(self, owner: Owner) -> bool:
        right = not self.kind or _class(owner) == self.kind
        return right and (not self.pattern or fnmatchcase(owner.path, self.pattern))

    def __str__(self) -> str:
        return " and ".join(filter(None, (f"isinstance(module, {self.kind})" if self.kind else "", self._name())))

    def _name(self) -> str:
        stars = sum(self.pattern.count(c) for c in "*?[")
        if not self.pattern:
            return ""
        if not stars:
            return f"name == {literal(self.pattern)}"
        if stars == 1 and self.pattern.startswith("*"):
            return f"name.endswith({literal(self.pattern[1:])})"
        if stars == 1 and self.pattern.endswith("*"):
            return f"name.startswith({literal(self.pattern[:-1])})"
        return f"fnmatch(name, {literal(self.pattern)})"


def statements(rules: Sequence[Rule], owners: Sequence[Owner], path: Callable[[str], str]) -> list[str]:
    """The lines that fill what the rules name. `path` writes how a module is reached from the root."""
    modules = [owner for owner in owners if owner.op is not None]
    branches = _branches(rules, modules)
    named = [o for o in owners if o.plan and (o.op is None or branches is None)]
    return [*_loop(branches or {}), *(line for owner in named for line in _plan(owner, path(owner.path)).values())]


def _loop(branches: dict[Test, tuple[Plan, bool]]) -> list[str]:
    if not any(plan for plan, _ in branches.values()):
        return []
    by_name = any(test.pattern for test in branches)
    lines = ["for name, module in self.named_modules():" if by_name else "for module in self.modules():"]
    for i, (test, (plan, some_bias)) in enumerate(branches.items()):
        lines.append(f"{INDENT}{'elif' if i else 'if'} {test}:")
        for tensor, text in plan.items():
            if tensor == "bias" and some_bias:
                lines += [f"{INDENT * 2}if module.bias is not None:", f"{INDENT * 3}{text}"]
            else:
                lines.append(f"{INDENT * 2}{text}")
        lines += [] if plan else [f"{INDENT * 2}continue"]
    return lines


def _branches(rules: Sequence[Rule], modules: Sequence[Owner]) -> dict[Test, tuple[Plan, bool]] | None:
    """The tests of the loop in order, each with what it fills and whether only some of its modules have a bias.

    None if they would not find exactly the right modules.
    """
    filled = [owner for owner in modules if owner.plan]
    tests = {id(owner): _test(rules[_first(owner)], owner) for owner in filled}
    found: dict[Test, tuple[Plan, bool]] = {}
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
    return found


def _first(owner: Owner) -> int:
    """The first rule that fills something of a module."""
    return min(number for number, _ in owner.plan.values())


def _test(rule: Rule, owner: Owner) -> Test:
    """How a loop over the modules recognises one that a rule matches."""
    if rule.classes:
        return Test(_class(owner))
    pattern = rule.key
    if not fnmatchcase(owner.path, pattern):  # the pattern of a tensor's name, not of a module's
        pattern = pattern.rpartition(".")[0]
        if not fnmatchcase(owner.path, pattern):
            pattern = owner.path
    return Test(_class(owner) if set(pattern) & set("*?[") else "", pattern)


def _plan(owner: Owner, module: str) -> Plan:
    plan: Plan = {}
    for tensor, (_, initializer) in owner.plan.items():
        if isinstance(initializer, Default):
            continue
        if tensor == "weight" and owner.wrap:
            plan |= _wrapped(owner.wrap, initializer, module)
        else:
            plan[tensor] = initializer.call(f"{module}.{tensor}")
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
