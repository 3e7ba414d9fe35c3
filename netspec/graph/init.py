"""Which initialiser fills which parameter: the first rule that matches wins, tensor by tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from netspec.errors import At, Path, Problem, did_you_mean, offered
from netspec.graph.model import Level
from netspec.initializers import Default, Initializer
from netspec.language.calls import Lookup, Refused, read_entry
from netspec.layers.base import Op
from netspec.vocabulary import INITIALIZERS, kind_of_layer


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of `init`: a kind of operation or a pattern of names, and what fills which tensor."""

    key: str
    classes: tuple[type[Op], ...]
    """The operations it matches; empty for a pattern of names."""
    tensors: dict[str, Initializer]
    """By the tensor's own name; an empty name stands for the weight, or for the very tensor that matched."""
    path: Path


@dataclass(slots=True)
class Owner:
    """A module with parameters of its own, and what its rules say of each tensor."""

    path: str
    op: Op | None
    shapes: dict[str, tuple[int, ...]]
    """Of a wrapped module both the weight and the parts that it is trained by."""
    wrap: str = ""
    parts: frozenset[str] = frozenset()
    """The parts of a wrapped weight."""
    plan: dict[str, tuple[int, Initializer]] = field(default_factory=dict)
    """For each tensor that a rule matches: the rule's number and its initialiser."""

    def awaits(self, tensor: str) -> bool:
        """Whether no rule has filled a tensor yet, nor a part of it, nor what it is a part of."""
        if tensor in self.parts and "weight" in self.plan:
            return False
        return tensor not in self.plan and not (tensor == "weight" and self.plan.keys() & self.parts)


Report = Callable[[Problem], None]


def read_rules(section: dict[str, Any], lookup: Lookup, report: Report) -> list[Rule]:
    """The rules of an `init` section."""
    rules = []
    for key, value in section.items():
        path = ("init", key)
        given = value if isinstance(value, dict) and not _is_entry(value) else {"": value}
        tensors = {}
        for tensor, text in given.items():
            where = (*path, tensor) if tensor else path
            try:
                tensors[tensor], _ = read_entry(text, where, INITIALIZERS, lookup)
            except Refused as refused:
                for problem in refused.problems:
                    report(problem)
        rules.append(Rule(key, kind_of_layer(key), tensors, path))
    return rules


def _is_entry(value: dict[str, Any]) -> bool:
    return len(value) == 1 and bool(INITIALIZERS.find(next(iter(value))))


def assign(root: Level, rules: list[Rule], report: Report) -> tuple[Owner, ...]:
    """Every module with parameters, each tensor with the first rule that matches it."""
    owners = tuple(_owners(root, ""))
    for number, rule in enumerate(rules):
        matched = False
        for owner in owners:
            for tensor, initializer in _matches(rule, owner):
                matched = True
                if owner.awaits(tensor):
                    owner.plan[tensor] = (number, initializer)
                    for text, hint in _refusals(owner, tensor, initializer, rule):
                        report(Problem("init", text, At(rule.path, on_key=True), hint))
        if matched:
            _check_tensors(rule, owners, report)
        if not matched and not rule.classes and rule.tensors:
            known = (name for o in owners for name in (o.path, *(f"{o.path}.{t}" for t in o.shapes)))
            hint = (
                did_you_mean(rule.key, known) or "A rule names a kind of layer, or a pattern of names as in *.weight."
            )
            text = f"{rule.key!r} matches no layer and no parameter"
            report(Problem("init", text, At(rule.path, on_key=True), hint))
        if not matched and rule.tensors.keys() == {""} and (meant := _meant(rule, owners)):
            names = ", ".join(meant.shapes)
            text = f"{rule.key} matches {type(meant.op).__name__}, which has no `weight`"
            hint = f"Name what is filled, {{{rule.key}: {{{next(iter(meant.shapes))}: ...}}}}. It has: {names}."
            report(Problem("init", text, At(rule.path, on_key=True), hint))
    return owners


def _meant(rule: Rule, owners: Sequence[Owner]) -> Owner | None:
    """The first module of the kind that a rule names."""
    return next((owner for owner in owners if isinstance(owner.op, rule.classes)), None)


def _check_tensors(rule: Rule, owners: Sequence[Owner], report: Report) -> None:
    """Report names of tensors that nothing has which the rule matches; not all layers of a kind have a bias."""
    known = {tensor for owner in owners if _is_meant(rule, owner) for tensor in owner.shapes}
    for tensor in rule.tensors.keys() - known - {"", "weight", "bias"}:
        text = f"nothing that {rule.key} matches has a parameter {tensor!r}"
        report(Problem("init", text, At((*rule.path, tensor), on_key=True), offered(tensor, sorted(known))))


def _is_meant(rule: Rule, owner: Owner) -> bool:
    return isinstance(owner.op, rule.classes) if rule.classes else fnmatchcase(owner.path, rule.key)


def _matches(rule: Rule, owner: Owner) -> Iterator[tuple[str, Initializer]]:
    """The tensors of a module that a rule fills."""
    whole = _is_meant(rule, owner)
    for tensor in owner.shapes:
        full = f"{owner.path}.{tensor}".removeprefix(".")
        if tensor in rule.tensors and whole:
            yield tensor, rule.tensors[tensor]
        elif "" in rule.tensors and (
            (whole and _main(tensor, rule)) or (not rule.classes and fnmatchcase(full, rule.key))
        ):
            yield tensor, rule.tensors[""]


def _refusals(owner: Owner, tensor: str, initializer: Initializer, rule: Rule) -> Iterator[tuple[str, str]]:
    """Why an initialiser cannot fill a tensor, and what to do."""
    name, axes = f"{owner.path}.{tensor}", len(owner.shapes[tensor])
    low, high = initializer.ranks
    if not low <= axes <= high:
        text = f"{name} has {axes} ax{'is' if axes == 1 else 'es'}, {rule.key}'s initialiser needs {low} or more"
        yield text, f"Fill it with another, as in {rule.key}: {{weight: ..., bias: zeros}}"
    elif tensor == "weight" and owner.wrap.startswith("weight_norm") and initializer.leaves_zeros(owner.shapes[tensor]):
        text = f"{name} is wrapped in {owner.wrap}, which divides by the length of each output's weights"
        yield f"{text}, and {rule.key}'s initialiser makes some of length 0", "Draw it instead, as in: normal std=0.02"


def _main(tensor: str, rule: Rule) -> bool:
    return tensor == "weight" or isinstance(rule.tensors[""], Default)


def _owners(level: Level, prefix: str) -> Iterator[Owner]:
    own: dict[str, tuple[int, ...]] = {}
    for name, step in level.members.items():
        path = f"{prefix}{name}"
        if name in level.aliases or step.value.tensor is None:
            continue
        if step.body is not None:
            yield from _owners(step.body, f"{path}.")
        elif step.op is not None and step.op.source:
            own.update({name: shape for shape in step.op.parameters().values()})  # noqa: B035
        elif step.op is not None and (shapes := step.parameters()):
            whole = step.op.parameters()
            yield Owner(path, step.op, whole | shapes, step.wrap, frozenset(shapes.keys() - whole.keys()))
    if own:
        yield Owner(prefix.removesuffix("."), None, own)
