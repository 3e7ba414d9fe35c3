"""Which initialiser fills which parameter: the first rule that matches wins, tensor by tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from math import prod
from types import MappingProxyType
from typing import Any

from netspec.errors import At, Path, Problem
from netspec.graph.members import base_word
from netspec.graph.model import Level
from netspec.initializers import Default, Initializer, Whitening
from netspec.language.calls import Lookup, read_entry
from netspec.language.refusals import Refused
from netspec.language.rows import Expr
from netspec.layers.base import Op
from netspec.layers.convolution import DirectConvolution
from netspec.text.source import File, Source
from netspec.vocabulary import INITIALIZERS, kind_of_layer
from netspec.words import did_you_mean, listed, offered


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of `init`: a kind of operation or a pattern of names, and what fills which tensor."""

    key: str
    classes: tuple[type[Op], ...]
    """The operations it matches; empty for a pattern of names."""
    tensors: dict[str, Initializer]
    """By the tensor's own name; an empty name stands for the weight, or for the very tensor that matched."""
    path: Path
    written: dict[str, dict[str, Expr]] = field(default_factory=dict)
    """The expressions that arguments came from, by tensor and field."""
    origin: File | None = None
    """The file that it stands in."""
    inherited: bool = False
    """Whether that is one which the spec extends."""


Plan = dict[str, tuple[int, Initializer]]
"""For each tensor that a rule matches: the rule's number and its initialiser."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A module with parameters of its own, and what its rules say of each tensor."""

    path: str
    op: Op | None
    """Its operation; None for a level with parameters of its own."""
    shapes: dict[str, tuple[int, ...]]
    """Of a wrapped module both the weight and the parts that it is trained by."""
    wrap: str = ""
    parts: frozenset[str] = frozenset()
    """The parts of a wrapped weight."""
    beside: tuple[str, ...] = ()
    """Small matrices beside its weight, which are filled where they are made and by no rule."""
    plan: Mapping[str, tuple[int, Initializer]] = field(default_factory=dict)
    """For each tensor that a rule fills, the number of that rule and what fills it."""
    dim: int = 0
    """The axis of a wrapped weight of which each place has a length."""

    def name_of(self, tensor: str) -> str:
        """A tensor's name in the network."""
        return f"{self.path}.{tensor}".removeprefix(".")

    def awaits(self, tensor: str, plan: Plan) -> bool:
        """Whether a plan fills neither a tensor yet, nor a part of it, nor what it is a part of."""
        if tensor in self.parts and "weight" in plan:
            return False
        return tensor not in plan and not (tensor == "weight" and plan.keys() & self.parts)


Report = Callable[[Problem], None]


def read_rules(section: dict[str, Any], lookup: Lookup, report: Report, source: Source) -> list[Rule]:
    """The rules of an `init` section."""
    rules = []
    for key, value in section.items():
        path = ("init", key)
        given = value if isinstance(value, dict) and not _is_entry(value) else {"": value}
        tensors, written = {}, {}
        for tensor, text in given.items():
            where = (*path, tensor) if tensor else path
            try:
                tensors[tensor], arguments = read_entry(text, where, INITIALIZERS, lookup)
                written[tensor] = arguments.written
            except Refused as refused:
                for problem in refused.problems:
                    report(problem)
        rules.append(
            Rule(key, kind_of_layer(key), tensors, path, written, source.file_of(path), source.inherited(path))
        )
    return rules


def _is_entry(value: dict[str, Any]) -> bool:
    """Whether a mapping is the long form of an initializer."""
    return len(value) == 1 and bool(INITIALIZERS.find(next(iter(value))))


def assign(
    root: Level, rules: list[Rule], ties: Mapping[str, str], may_be: Callable[[Rule, bool], bool], report: Report
) -> tuple[tuple[Owner, ...], list[Path]]:
    """Every module with parameters, each tensor with the first rule that matches it; and the rules that are idle.

    `ties` names the parameters that are another's tensor, and `may_be` tells of a rule, and whether it matches
    something, whether it may match more by other settings of the spec. A rule that never wins is a problem, unless it
    is one of a spec that this one extends, whose own rules take its place: it is idle.
    """
    owners = tuple(_owners(root, ""))
    plans: list[Plan] = [{} for _ in owners]
    idle: list[Path] = []
    for number, rule in enumerate(rules):
        uses: dict[str, Uses] = {}
        for owner, plan in zip(owners, plans, strict=True):
            for key, tensor in _matches(rule, owner):
                found = uses.setdefault(key, Uses())
                if tensor in plan:
                    found.takers.add(plan[tensor][0])
                    continue
                if not owner.awaits(
                    tensor, plan
                ):  # a part of what is filled, or the whole: another tensor all the same
                    found.wins = True
                    continue
                plan[tensor] = (number, rule.tensors[key])
                found.note(owner.name_of(tensor), ties)
                for text, hint in _refusals(owner, tensor, rule.tensors[key], rule):
                    report(Problem("init", text, At(rule.path, on_key=True), hint))
        if uses:
            _check_tensors(rule, owners, report)
        elif rule.classes and rule.inherited:
            idle.append(rule.path)
        elif rule.tensors and not may_be(rule, False):
            report(_unmatched(rule, owners))
        if len(uses) > 1 and uses.keys() == rule.tensors.keys() and not any(f.wins or f.tied for f in uses.values()):
            uses = {"": Uses(set().union(*(found.takers for found in uses.values())))}
        for key, found in uses.items():
            takers = [rules[taker] for taker in sorted(found.takers - {number})]
            if not found.wins and any(taker.origin != rule.origin for taker in takers):
                idle.append((*rule.path, key) if key else rule.path)
            elif not found.wins and (takers or found.tied) and not may_be(rule, True):
                report(_never_wins(rule, key, found.tied, takers, ties))
    planned = zip(owners, plans, strict=True)
    return tuple(replace(owner, plan=MappingProxyType(plan)) for owner, plan in planned), idle


@dataclass(slots=True)
class Uses:
    """What one rule, or one tensor of it, comes to."""

    takers: set[int] = field(default_factory=set)
    """The earlier rules that fill some of what it matches."""
    tied: str = ""
    """A parameter that it fills in vain, being another's tensor."""
    wins: bool = False

    def note(self, name: str, ties: Mapping[str, str]) -> None:
        """It fills the parameter called `name`."""
        self.wins = self.wins or name not in ties
        self.tied = self.tied or name


def _never_wins(rule: Rule, key: str, tied: str, takers: Sequence[Rule], ties: Mapping[str, str]) -> Problem:
    """The problem with a rule, or one tensor of it, that fills nothing which it matches."""
    at = At((*rule.path, key) if key else rule.path, on_key=True)
    called = f"the {key} of {rule.key}" if key else rule.key
    if tied:
        text = f"{called} fills only {tied}, which is tied to {ties[tied]} and has its values"
        return Problem("init", text, at, f"Write a rule for {ties[tied]}, or leave this one out.")
    verb = "takes" if len(takers) == 1 else "take"
    text = f"{called} never wins: {listed(taker.key for taker in takers)} above it {verb} all that it matches"
    return Problem("init", text, at, "The first rule that matches wins. Write this one above, or leave it out.")


def _unmatched(rule: Rule, owners: Sequence[Owner]) -> Problem:
    """The problem with a rule that no parameter matches."""
    at = At(rule.path, on_key=True)
    meant = next((owner for owner in owners if owner.op is not None and _is_meant(rule, owner)), None)
    if meant is not None:
        names = ", ".join(meant.shapes)
        tensor = next(iter(rule.tensors)) or "weight"
        text = f"{rule.key} matches {type(meant.op).__name__}, which has no `{tensor}`"
        hint = f"Name what is filled, {{{rule.key}: {{{next(iter(meant.shapes))}: ...}}}}. It has: {names}."
        return Problem("init", text, at, hint)
    if rule.classes:
        kinds = {base_word(type(o.op), type(o.op).__name__) for o in owners if o.op is not None}
        return Problem("init", f"no layer with parameters is a {rule.key}", at, offered(rule.key, sorted(kinds)))
    known = (name for o in owners for name in (o.path, *(f"{o.path}.{t}" for t in o.shapes)))
    hint = did_you_mean(rule.key, known) or "A rule names a kind of layer, or a pattern of names as in *.weight."
    return Problem("init", f"{rule.key!r} matches no layer and no parameter", at, hint)


def _check_tensors(rule: Rule, owners: Sequence[Owner], report: Report) -> None:
    """Report names of tensors that nothing has which the rule matches; not all layers of a kind have a bias."""
    known = {tensor for owner in owners if _is_meant(rule, owner) for tensor in owner.shapes}
    for tensor in rule.tensors.keys() - known - {"", "weight", "bias"}:
        text = f"nothing that {rule.key} matches has a parameter {tensor!r}"
        report(Problem("init", text, At((*rule.path, tensor), on_key=True), offered(tensor, sorted(known))))


def _is_meant(rule: Rule, owner: Owner) -> bool:
    """Whether a rule is for a module: by its class, or by a pattern of its path."""
    return isinstance(owner.op, rule.classes) if rule.classes else fnmatchcase(owner.path, rule.key)


def _matches(rule: Rule, owner: Owner) -> Iterator[tuple[str, str]]:
    """The tensors of a module that a rule fills, each with its name in the rule."""
    whole = _is_meant(rule, owner)
    for tensor in owner.shapes:
        full = owner.name_of(tensor)
        if tensor in rule.tensors and whole:
            yield tensor, tensor
        elif "" in rule.tensors and (
            (whole and _main(tensor, rule)) or (not rule.classes and fnmatchcase(full, rule.key))
        ):
            yield "", tensor


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
    elif isinstance(initializer, Whitening):
        yield from _unwhitened(owner, tensor)


def _unwhitened(owner: Owner, tensor: str) -> Iterator[tuple[str, str]]:
    """Why a tensor cannot be filled with filters that whiten patches, and what to do."""
    name, op = f"{owner.path}.{tensor}", owner.op
    if not isinstance(op, DirectConvolution) or tensor != "weight" or op.groups != 1 or owner.wrap:
        text = f"{name} is not the weight of a plain convolution, whose patches could be whitened"
        yield text, "Whiten a conv without groups and wrap, as in: {conv1.weight: whitening}"
        return
    filters, *patch = owner.shapes[tensor]
    if filters % 2 or filters > 2 * prod(patch):
        text = f"{name} has {filters} filters, whitening fills an even number of at most {2 * prod(patch)}"
        sizes = " x ".join(map(str, patch))
        yield text, f"For patches of {sizes} = {prod(patch)} values all directions are {2 * prod(patch)} filters."


def _main(tensor: str, rule: Rule) -> bool:
    """Whether a rule fills a tensor of this name where it names none: the weight, and everything for `default`."""
    return tensor == "weight" or isinstance(rule.tensors[""], Default)


def _owners(level: Level, prefix: str) -> Iterator[Owner]:
    """The modules below a level that have parameters; behind them the level itself, for those of its own."""
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
            inner = tuple(name for name in shapes if step.wrap and step.wrap.beside and name not in whole)
            if step.wrap is None or inner:
                yield Owner(path, step.op, whole, beside=inner)
            else:
                yield Owner(
                    path,
                    step.op,
                    whole | shapes,
                    step.wrap.word,
                    frozenset(shapes.keys() - whole.keys()),
                    dim=getattr(step.wrap, "dim", 0),
                )
    if own:
        yield Owner(prefix.removesuffix("."), None, own)
