"""Routes: levels that run experts, each for those tokens alone that are routed to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from netspec.dims import Size, named
from netspec.errors import At, Path, Problem
from netspec.graph.by_parts import ROUTED, Route
from netspec.graph.draft import Level, Step, Value
from netspec.graph.names import check_member_name
from netspec.graph.references import reference
from netspec.graph.scope import Flow, Scope
from netspec.language.refusals import Refused
from netspec.tensors import Tensor
from netspec.words import offered

KEYS: Final = ("over", "to", "weights", "each")
EXAMPLE: Final = "route: {over: tokens, to: top.indices, weights: top}, repeat: 8"


@dataclass(frozen=True, slots=True)
class Routing:
    """Experts as they are written: what they take, and which of it each."""

    path: Path
    """Where it stands."""
    name: str
    """What the body calls the tokens of one expert."""
    tokens: Value
    each: Mapping[str, Value]
    """The values that have a place for each expert, by what the body calls that place."""
    to: Value
    """For each token the numbers of its experts."""
    weights: Value | None
    apart: bool
    """Whether each expert is a round of a repeat."""

    @property
    def entry(self) -> Value:
        """What goes on where the level does not run."""
        return self.tokens

    @property
    def given(self) -> tuple[Value, ...]:
        """What the level is called with."""
        return (self.tokens, *self.each.values(), self.to, *([self.weights] if self.weights is not None else []))

    @property
    def shares(self) -> Size | None:
        """How many tokens all experts have together."""
        tensor = self.to.tensor
        return None if tensor is None else tensor.shape[0] * tensor.shape[1]

    def opened(self, level: Level, scope: Scope) -> Scope:
        """What the body sees: the tokens of one expert, its place of what `each` names, and all that is around."""
        inner = {self.name: Value(self.name, _routed(self.tokens.tensor), level)}
        for name, value in self.each.items():
            one = None if value.tensor is None else value.tensor.with_shape(*value.tensor.shape[1:])
            inner[name] = Value(name, one, level)
        own = {" index": Value("index", self.to.tensor, level)}  # no name that a step can have: the body sees neither
        if self.weights is not None:
            own[" weights"] = Value("weights", self.weights.tensor, level)
        level.inputs = inner | own
        level.route = Route(self._count(), self.apart, self.weights is not None, self.shares or 1)
        first = inner[self.name]
        return Scope(level, inner.get("in", scope.block_input), Flow(first, "names"), scope, names=inner)

    def _count(self) -> int:
        """How many experts there are, as far as that is known."""
        tensors = [value.tensor for value in self.each.values() if value.tensor is not None]
        count = tensors[0].shape[0] if tensors else 1
        return count if isinstance(count, int) else 1

    def _among(self) -> int | None:
        """How many experts there are to choose from, where a topk chooses and that is known."""
        chooser = self.to.actual.step
        if chooser is None or chooser.op is None or not chooser.inputs:
            return None
        scores, axis = chooser.inputs[0].tensor, chooser.op.picks_along()
        size = None if scores is None or axis is None else scores.shape[axis]
        return size if isinstance(size, int) else None

    def closed(self, step: Step, inner: Scope) -> Iterator[Problem]:
        """Give the level's step what the experts give together, a row for each token."""
        level = step.body
        assert level is not None
        assert level.route is not None
        at = At(self.path, on_key=True)
        main = step.value
        steps = [each for each in level.steps if not each.left_out]
        ends = tuple(each.value for each in steps) if self.apart else tuple(level.exports.values())[:1]
        main.parts.clear()
        level.exports = {main: level.exports[main]} if main in level.exports else {}
        main.tensor = None
        for end in ends:
            wanted = _routed(self.tokens.tensor)
            if end.tensor is not None and wanted is not None and end.tensor != wanted:
                text = f"{end.name} gives {end.tensor} for tokens of {wanted}"
                yield Problem("shape-mismatch", text, end.step.at if end.step else at, WIDTH)
                break
        else:
            main.tensor = self.tokens.tensor
        first = level.inputs[self.name]
        for each in steps if self.apart else ():
            if not each.member or [value.actual for value in each.inputs or (first,)] != [first]:
                hint = "Write a block, or [ ] around the layers of one expert: layers: [[linear 8, relu]]"
                yield Problem("route", "each round of routed experts is one module of the tokens", each.at, hint)
                break
        count = len(ends) if self.apart else level.route.experts
        if not inner.flow.lost and (among := self._among()) not in (None, count):
            text = f"the router chooses among {among}, and the level has {count} expert{'s' * (count != 1)}"
            hint = "What chooses scores each expert: give both one number, as in linear $experts and repeat: $experts"
            yield Problem("route", text, At((*self.path, "to")), hint)
        level.route = Route(count, self.apart, self.weights is not None, self.shares or 1, ends)


WIDTH: Final = "What experts give is added up token by token, in the shape that the tokens had."


def _routed(tensor: Tensor | None) -> Tensor | None:
    """The tokens of one expert."""
    return None if tensor is None else tensor.with_shape(named(ROUTED), *tensor.shape[1:])


def read_route(given: Any, path: Path, scope: Scope, options: Mapping[str, Any]) -> Routing:
    """What stands behind `route` beside the layers of a level. Raises Refused."""
    if not isinstance(given, dict):
        raise Refused(Problem("route", "route says which tokens go to which expert", At(path), f"As in: {EXAMPLE}"))
    for key in given:
        if key not in KEYS:
            text = f"route has no {key!r}"
            raise Refused(Problem("unknown-key", text, At((*path, key), on_key=True), offered(key, KEYS)))
    for key, what in (("over", "the tokens"), ("to", "the numbers of each token's experts")):
        if key not in given:
            text = f"route wants `{key}`, {what}"
            raise Refused(Problem("route", text, At(path, on_key=True), f"As in: {EXAMPLE}"))
    if ("repeat" in options) == ("each" in given):
        text = "routed experts are the rounds of a `repeat`, or the places of the values that `each` names"
        hint = f"One of the two: {EXAMPLE}; or each: {{weight: weights}} of experts x rows x columns"
        raise Refused(Problem("route", text, At(path, on_key=True), hint))
    name, tokens = _named(given["over"], (*path, "over"), scope)
    to = reference(given["to"], (*path, "to"), scope)
    weights = reference(given["weights"], (*path, "weights"), scope) if "weights" in given else None
    each = _each(given.get("each", {}), (*path, "each"), scope)
    _need_shapes(tokens, to, weights, path)
    return Routing(path, name, tokens, each, to, weights, "repeat" in options)


def _named(given: Any, path: Path, scope: Scope) -> tuple[str, Value]:
    """The tokens, and what the body calls them. Raises Refused."""
    name, text = next(iter(given.items())) if isinstance(given, dict) and len(given) == 1 else (str(given), given)
    value = reference(text, path, scope)
    name = "in" if "." in name or name in ("in", "prev") else name
    if name != "in" and (problem := check_member_name(name, At(path))):
        raise Refused(problem)
    return name, value


def _each(given: Any, path: Path, scope: Scope) -> dict[str, Value]:
    """The values that have a place for each expert. Raises Refused."""
    if not isinstance(given, dict):
        text = "each names values that have a place for each expert on their first axis"
        raise Refused(Problem("route", text, At(path), "As in: each: {up: up_proj}"))
    found: dict[str, Value] = {}
    for name, text in given.items():
        if problem := check_member_name(name, At((*path, name), on_key=True)):
            raise Refused(problem)
        value = found[name] = reference(text, (*path, name), scope)
        if value.tensor is not None and (not value.tensor.shape or not isinstance(value.tensor.shape[0], int)):
            said = f"{name} is {value.tensor}, whose first axis is no number of experts"
            raise Refused(Problem("route", said, At((*path, name)), "Its first axis is that of the experts."))
    counts = {name: value.tensor.shape[0] for name, value in found.items() if value.tensor is not None}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} has {count}" for name, count in counts.items())
        raise Refused(Problem("route", f"the number of experts differs: {told}", At(path, on_key=True), ""))
    return found


def _need_shapes(tokens: Value, to: Value, weights: Value | None, path: Path) -> None:
    """Refuse routes that are no list of experts for each token. Raises Refused."""
    if to.tensor is not None and (to.tensor.dtype != "int64" or len(to.tensor.shape) != 2):
        text = f"the experts of tokens are {to.tensor.dtype} of {to.tensor}, not whole numbers of tokens x experts"
        hint = "They are the indices of a topk, as in top: topk 2 -1, then to: top.indices"
        raise Refused(Problem("route", text, At((*path, "to")), hint))
    if tokens.tensor is None or to.tensor is None:
        return
    if len(tokens.tensor.shape) < 2 or tokens.tensor.shape[0] != to.tensor.shape[0]:
        text = f"the tokens are {tokens.tensor}, their experts {to.tensor}"
        hint = "Flatten the axes before the width first, as in tokens: flatten(in) 0 1"
        raise Refused(Problem("route", text, At((*path, "over")), hint))
    if weights is not None and weights.tensor is not None and weights.tensor.shape != to.tensor.shape:
        text = f"the weights are {weights.tensor}, the experts {to.tensor}"
        raise Refused(Problem("route", text, At((*path, "weights")), "Each expert of each token has one weight."))
