"""The part of a constructor that fills parameters as the `init` rules say.

Modules that are filled alike are found by a loop over all modules, with the test that a
person would write. Where no order of tests finds exactly the right modules, each is named.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial, reduce
from typing import Final

from netspec.emit.torch import filled, torch_class
from netspec.graph.init import Owner, Rule
from netspec.graph.model import Graph
from netspec.graph.tracing import over_params
from netspec.initializers import Constant, Default, Initializer, Ones, Zeros
from netspec.layers.base import Layer
from netspec.python.nodes import (
    assigned,
    attribute,
    call,
    is_not_none,
    item,
    keyword,
    method,
    named,
    same,
    stored,
    tupled,
    valued,
)
from netspec.views.code.containers import SELF
from netspec.views.code.slots import Slots

Plan = dict[str, ast.stmt]
"""The statement that fills each tensor."""
Branches = dict["Test", tuple[Plan, bool]]
"""The tests of the loop in order, each with what it fills and whether only some of its modules have a bias."""

_INNER: Final = {"nn.Linear", "nn.LayerNorm", "nn.Conv1d", "nn.Conv2d", "nn.Conv3d"}
"""What torch's own modules have modules of."""
_STARS: Final = set("*?[")
_PROJECTED: Final = "nn.Linear"
"""What the last projection of an attention is a subclass of."""


@dataclass(frozen=True, slots=True)
class Test:
    """What recognises the modules of one branch: their classes, their names, or both."""

    kinds: tuple[str, ...]
    pattern: str = ""
    but: str = ""
    """The names of modules of these classes that are left alone."""
    exact: bool = False
    """Whether it passes over subclasses."""

    def holds(self, owner: Owner) -> bool:
        """Whether a module passes it: by its class, and by its path where it asks for that."""
        right = not self.kinds or _class(owner) in self.kinds
        return right and (not self.pattern or fnmatchcase(owner.path, self.pattern))

    def may_find(self, path: str) -> bool:
        """Whether it would find a module that torch has put inside another, as the projections of an attention."""
        kinds = {_PROJECTED} if _is_projection(path) else _INNER
        return not kinds.isdisjoint(self.kinds) and (not self.pattern or fnmatchcase(path, self.pattern))

    @property
    def has_star(self) -> bool:
        """Whether modules of many names pass it."""
        return bool(set(self.pattern) & _STARS)

    def question(self) -> ast.expr:
        """The test as it is asked of `name` and `module`."""
        kinds = [named(kind) for kind in self.kinds]
        parts: list[ast.expr] = []
        known = kinds[0] if len(kinds) == 1 else tupled(kinds)
        if kinds and self.exact:
            sign = ast.Is() if len(kinds) == 1 else ast.In()
            parts.append(ast.Compare(call("type", MODULE), [sign], [known]))
        elif kinds:
            parts.append(call("isinstance", MODULE, known))
        parts += [_fits(self.pattern)] if self.pattern else []
        parts += [_not(_fits(self.but))] if self.but else []
        return parts[0] if len(parts) == 1 else ast.BoolOp(ast.And(), parts)


MODULE: Final = named("module")
PARAMETER: Final = named("parameter")
FEW: Final = 3
"""From how many parameters on they are filled in a loop, where each test finds two or more."""
NAME: Final = named("name")


def _not(question: ast.expr) -> ast.expr:
    """`not question`."""
    return ast.UnaryOp(ast.Not(), question)


def _fits(pattern: str) -> ast.expr:
    """The question whether a name fits a pattern."""
    stars = sum(pattern.count(c) for c in "*?[")
    if not stars:
        return ast.Compare(NAME, [ast.Eq()], [valued(pattern)])
    if stars == 1 and pattern.startswith("*"):
        return method(NAME, "endswith", valued(pattern[1:]))
    if stars == 1 and pattern.endswith("*"):
        return method(NAME, "startswith", valued(pattern[:-1]))
    return call("fnmatch", NAME, valued(pattern))


Path = Callable[[str], ast.expr]
"""How a module is reached from the root, by its name."""


def statements(rules: Sequence[Rule], owners: Sequence[Owner], path: Path, names: Collection[str]) -> list[ast.stmt]:
    """The statements that fill what the rules name; `names` are those of all parameters, in torch's order."""
    modules = [owner for owner in owners if owner.op is not None]
    branches = _apart(_shortened(_branches(rules, modules), modules), modules)
    named_ones = [o for o in owners if o.plan and (o.op is None or branches is None)]
    before, loop, behind = _single(branches or {}, modules)
    by_name = partial(_by_name, path)
    parameters = _over_parameters(rules, named_ones, names) if not any(owner.wrap for owner in owners) else None
    last = [parameters] if parameters is not None else by_name(named_ones)
    return [*by_name(before), *_loop(loop), *by_name(behind), *last]


def _by_name(path: Path, owners: Sequence[Owner]) -> list[ast.stmt]:
    """The statements that fill each of these by its name."""
    return [statement for owner in owners for statement in _plan(owner, path(owner.path)).values()]


def _single(branches: Branches, modules: Sequence[Owner]) -> tuple[list[Owner], Branches, list[Owner]]:
    """The tests of a loop, and the modules before and behind it that one of them would find alone, by its name.

    What is drawn at random is drawn in the order of the modules all the same.
    """
    found = {id(o): next((test for test in branches if test.holds(o)), None) for o in modules}
    alone: dict[Test, tuple[int, Owner]] = {}
    for test, (plan, _) in branches.items():
        held = [(place, owner) for place, owner in enumerate(modules) if test.holds(owner)]
        if plan and len(held) == 1 and test.pattern and (not test.has_star or "." not in held[0][1].path):
            others = any(other.holds(held[0][1]) for other in branches if other is not test)
            alone |= {test: held[0]} if not others and not held[0][1].wrap else {}
    drawn = [place for place, o in enumerate(modules) if found[id(o)] not in (None, *alone) and not _is_fixed(o)]
    before = {test: at for test, at in alone.items() if all(at[0] < place for place in drawn)}
    behind = {t: at for t, at in alone.items() if _is_fixed(at[1]) or all(at[0] > place for place in drawn)}
    behind = {test: at for test, at in behind.items() if test not in before}
    loop = {test: branch for test, branch in branches.items() if test not in before and test not in behind}
    if not any(plan for plan, _ in loop.values()):  # then nothing stands between them
        before, behind = {}, {**before, **behind}
    ranked = (sorted(some.values(), key=lambda at: at[0]) for some in (before, behind))
    first, last = ([owner for _, owner in some] for some in ranked)
    return first, loop, last


def _is_fixed(owner: Owner) -> bool:
    """Whether nothing of a module is drawn at random."""
    return all(isinstance(initializer, Zeros | Ones | Constant) for _, initializer in owner.plan.values())


def over_arguments(graphs: Sequence[Graph], slots: Slots) -> list[list[Owner]]:
    """The owners of each graph that the class serves, with what fills them over the constructor's arguments."""
    origins = graphs[0].root.origins
    if not origins:
        return [list(graph.owners) for graph in graphs]
    found: dict[tuple[int, str], Initializer] = {}
    for number, rule in enumerate(graphs[0].init):
        for tensor, given in rule.written.items():
            initializer = rule.tensors[tensor]
            codes = {}
            for name, expr in given.items():
                values = [getattr(graph.init[number].tensors[tensor], name) for graph in graphs]
                codes[name] = slots.code(values, name, [over_params(expr, origins)] * len(graphs))
            found[number, tensor] = initializer.replace(**codes)
    return [[_over(owner, found) for owner in graph.owners] for graph in graphs]


def _over(owner: Owner, found: Mapping[tuple[int, str], Initializer]) -> Owner:
    """An owner whose tensors are filled by what is found for the number of each one's rule, and its name there."""
    plan = {t: (n, found.get((n, t if (n, t) in found else ""), i)) for t, (n, i) in owner.plan.items()}
    return replace(owner, plan=plan)


def padding(graph: Graph, path: Path) -> list[ast.stmt]:
    """The statements that keep at 0 the rows of embeddings that stand for padding, where others have filled them."""
    plans = {owner.name_of("weight"): owner.plan.get("weight") for owner in graph.owners}
    filled = {name: rule[1] for name, rule in plans.items() if rule and not isinstance(rule[1], Default | Zeros)}
    found: list[ast.stmt] = []
    for name, step in graph.root.owners():
        row = getattr(step.op, "padding_idx", None)
        tensor = f"{name}.weight"
        if row is not None and (step.wrap is None or step.wrap.beside) and (tensor in graph.ties or tensor in filled):
            rows = item(attribute(path(name), "weight"), valued(row))
            found.append(ast.Expr(call("nn.init.zeros_", rows)))
    return found


def _over_parameters(rules: Sequence[Rule], owners: Sequence[Owner], names: Collection[str]) -> ast.stmt | None:
    """A loop over all parameters that fills those of some owners; None where tests of names would not find just them.

    What is drawn at random is drawn in the order in which the rules name it.
    """
    filled_ones = {
        owner.name_of(tensor): (number, tensor, initializer)
        for owner in owners
        for tensor, (number, initializer) in owner.plan.items()
        if initializer.printed
    }
    fixed = all(isinstance(initializer, Zeros | Ones | Constant) for _, _, initializer in filled_ones.values())
    in_order = list(filled_ones) == [name for name in names if name in filled_ones]
    if len(filled_ones) < FEW or not (fixed or in_order):
        return None
    branches: dict[str, ast.stmt] = {}
    for name, (number, tensor, initializer) in sorted(filled_ones.items(), key=lambda one: one[1][0]):
        rule, statement = rules[number], _filled(initializer, PARAMETER)
        pattern = rule.key if fnmatchcase(name, rule.key) else f"{rule.key}.{tensor}"
        if (
            rule.classes
            or not fnmatchcase(name, pattern)
            or not same(branches.setdefault(pattern, statement), statement)
        ):
            return None
    for name in names:
        found = next((statement for pattern, statement in branches.items() if fnmatchcase(name, pattern)), None)
        wanted = _filled(filled_ones[name][2], PARAMETER) if name in filled_ones else None
        if not same(found, wanted):
            return None
    if len(branches) > len(filled_ones) // 2:
        return None
    body: list[ast.stmt] = []
    for pattern, statement in reversed(branches.items()):
        body = [ast.If(_fits(pattern), [statement], body)]
    target = ast.Tuple([stored("name"), stored("parameter")], ast.Store())
    return ast.For(target, method(SELF, "named_parameters"), body, [])


def _loop(branches: Branches) -> list[ast.stmt]:
    """`for module in self.modules(): ...`, with a branch for each test; nothing where no branch fills anything."""
    if not any(plan for plan, _ in branches.values()):
        return []
    by_name = any(test.pattern or test.but for test in branches)
    target = ast.Tuple([stored("name"), stored("module")], ast.Store()) if by_name else stored("module")
    modules = method(SELF, "named_modules" if by_name else "modules")
    return [ast.For(target, modules, _tests(list(branches.items())), [])]


def _tests(branches: Sequence[tuple[Test, tuple[Plan, bool]]]) -> list[ast.stmt]:
    """The tests one after the other: a module that one finds is left to none behind it."""
    if not branches:
        return []
    (test, (plan, some_bias)), *others = branches
    if not plan:
        return [ast.If(test.question(), [ast.Continue()], []), *_tests(others)]
    return [ast.If(test.question(), _fillings(plan, some_bias), _tests(others))]


def _fillings(plan: Plan, some_bias: bool) -> list[ast.stmt]:
    """The statements of a plan; a bias is asked for where only some modules have one."""
    asked = is_not_none(attribute(MODULE, "bias"))
    return [
        ast.If(asked, [statement], []) if tensor == "bias" and some_bias else statement
        for tensor, statement in plan.items()
    ]


def _shortened(branches: Branches | None, modules: Sequence[Owner]) -> Branches | None:
    """The same with fewer tests: classes that are filled alike together, and no test for what none behind it finds."""
    if branches is None:
        return None
    found: Branches = {}
    rest = list(branches.items())
    for i, (test, (plan, some_bias)) in enumerate(rest):
        behind = [later for later, (filled, _) in rest[i + 1 :] if filled]
        if not plan and not any(test.holds(o) and any(later.holds(o) for later in behind) for o in modules):
            continue
        last = next(reversed(found), None)
        alike = last and last.kinds and test.kinds and last.pattern == test.pattern
        if last and alike and _equal(found[last][0], plan) and found[last][1] == some_bias:
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
        test, plan = tests[id(owner)], _plan(owner, MODULE)
        known, some_bias = found.get(test, (plan, False))
        longer, shorter = (plan, known) if len(plan) > len(known) else (known, plan)
        if not _extends(longer, shorter):
            return None
        found[test] = (longer, some_bias or len(longer) != len(shorter))
    for owner in modules:
        if next((test for test in found if test.holds(owner)), None) != tests.get(id(owner)):
            return None
    return found


def _apart(branches: Branches | None, modules: Sequence[Owner]) -> Branches | None:
    """The same, where no branch finds modules that torch has put inside others; None where one would.

    The last projection of an attention is of a subclass, which a test of the very class tells apart.
    """
    if branches is None:
        return None
    inner = {
        f"{owner.path}.{name.rpartition('.')[0]}"
        for owner in modules
        for name in (*owner.shapes, *owner.beside)
        if "." in name
    }
    found: Branches = {}
    for test, (plan, some_bias) in branches.items():
        met = [path for path in inner if plan and test.may_find(path)]
        # What is wrapped, or has small matrices beside it, is of a subclass as well.
        changed = any(test.holds(owner) for owner in modules if owner.wrap or owner.beside)
        if met and (changed or not all(map(_is_projection, met))):
            return None
        found[replace(test, exact=bool(met))] = (plan, some_bias)
    return found


def _is_projection(path: str) -> bool:
    """Whether a module inside another is the last projection of an attention."""
    return path.endswith(".out_proj")


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
    return Test((_class(owner),) if set(pattern) & _STARS else (), pattern)


def _extends(longer: Plan, shorter: Plan) -> bool:
    """Whether one plan is the other, or that and what fills a bias."""
    return all(t in longer and same(longer[t], s) for t, s in shorter.items()) and (
        longer.keys() - shorter.keys() <= {"bias"}
    )


def _equal(plan: Plan, other: Plan) -> bool:
    """Whether two plans fill the same tensors alike, in the same order."""
    return list(plan) == list(other) and all(map(same, plan.values(), other.values()))


def _plan(owner: Owner, module: ast.expr) -> Plan:
    """The statements that fill a module's tensors, by tensor."""
    plan: Plan = {}
    for tensor, (_, initializer) in owner.plan.items():
        if not initializer.printed:
            continue
        if tensor == "weight" and owner.wrap:
            plan |= _wrapped(owner.wrap, owner.dim, initializer, module)
        else:
            plan[tensor] = _filled(initializer, reduce(attribute, tensor.split("."), module))
    return plan


def _filled(initializer: Initializer, tensor: ast.expr) -> ast.stmt:
    """`nn.init.normal_(tensor, std=0.02)` as a statement."""
    return ast.Expr(filled(initializer, tensor))


def _wrapped(wrap: str, dim: int, initializer: Initializer, module: ast.expr) -> Mapping[str, ast.stmt]:
    """What fills a wrapped weight: torch takes apart what is assigned to it. The older functions have no such way."""
    if wrap == "weight_norm_hook":
        direction, length = attribute(module, "weight_v"), attribute(module, "weight_g")
        rest = [keyword("dim", valued(dim))] if dim else []
        norm = call("torch.norm_except_dim", attribute(direction, "data"), *rest)
        return {
            "weight_v": _filled(initializer, direction),
            "weight_g": ast.Expr(method(attribute(length, "data"), "copy_", norm)),
        }
    if wrap == "spectral_norm_hook":
        return {"weight_orig": _filled(initializer, attribute(module, "weight_orig"))}
    empty = call("torch.empty_like", attribute(module, "weight"))
    return {"weight": assigned(module, "weight", filled(initializer, empty))}


def _class(owner: Owner) -> str:
    """The class of torch of a module; empty for a free parameter."""
    return torch_class(type(owner.op)) if isinstance(owner.op, Layer) else ""
