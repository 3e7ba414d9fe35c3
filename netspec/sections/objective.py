"""The objective: one loss, or a loss for each of several outputs and what each counts in their sum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from netspec.errors import At, Path, Problem
from netspec.language.calls import (
    Arguments,
    Lookup,
    arguments,
    compute,
    construct,
    long_arguments,
    long_value,
    one_class,
    raise_all,
    single_call,
)
from netspec.language.refusals import Refused
from netspec.losses.base import Loss
from netspec.records import Bool, Checked, Entry, Float, Text, refuse
from netspec.vocabulary import LOSSES

LEARNED: Final = "learned"
"""Stands in place of a weight that is learnt with the network."""


def _loss(value: Any) -> Loss:
    """The check of a field that takes a loss."""
    if not isinstance(value, Loss):
        raise refuse("a Loss")
    return value


def _names(value: Any) -> tuple[str, ...]:
    """The check of a field that takes names of outputs."""
    found = value if isinstance(value, list | tuple) else (value,)
    if not found or not all(isinstance(name, str) for name in found):
        raise refuse("the name of an output, or a list of them")
    return tuple(found)


def _target(value: Any) -> str | float:
    """The check of a field that names a target, or is a number that stands for one."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise refuse("the name of a target, or of an output, or a number")
    return value if isinstance(value, str) else float(value)


class Term(Entry):
    """One loss of several: what it compares, and how much it counts."""

    example = "{smooth_l1: {beta: 0.5}, weight: 0.5}"

    name = Text("what it is told by, which is the output that it is on where `of` names none", "")
    loss = Checked("what is minimised", _loss, {})
    weight = Float("what it counts in the sum of all", 1.0, ge=0)
    learned = Bool("whether what it counts is learnt with the network", False)
    target = Checked(
        "what it compares with: a target of the data, by default that of its own name, or the only one; an output of "
        "another pass or of a teacher, such as teacher.logits, which gets no gradients; or a number, the same for all",
        _target,
        {"type": ["string", "number"]},
        "",
        textual=True,
    )
    of = Checked("the outputs that it takes, where they are not the one of its own name", _names, {}, (), textual=True)
    player = Text("who learns by it, where that is not the network", "")
    within = Bool("whether what it compares with comes from the step itself, and not from the data", False)

    @property
    def path(self) -> Path:
        """Where it stands in the spec."""
        if self.player:
            return ("train", "players", self.player, "loss", self.name.removeprefix(f"{self.player}."))
        return ("train", "loss", self.name) if self.name else ("train", "loss")

    @property
    def takes_data(self) -> bool:
        """Whether it compares with a target of the data."""
        return bool(self.loss.takes_target) and not self.within

    @property
    def constant(self) -> float | None:
        """The number that it compares with; None where it compares with something that has a name."""
        return self.target if isinstance(self.target, float) else None

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs that it takes by name; none where it takes all that there are."""
        return self.of or ((self.name,) if self.name else ())

    @property
    def owns_parameters(self) -> bool:
        """Whether something of it is trained with the network."""
        return self.learned or self.loss.owns_parameters

    def target_of(self, names: tuple[str, ...]) -> str:
        """The one of several targets that it compares with; empty where the data has only one."""
        return (self.named_target or self.name) if names else ""

    @property
    def named_target(self) -> str:
        """The name of what it compares with; empty where that follows from its own."""
        return self.target if isinstance(self.target, str) else ""


def alone(loss: Loss) -> tuple[Term, ...]:
    """The one loss of a network, on all that it gives."""
    return (Term(loss=loss),)


def names_of(value: Any) -> tuple[str, ...]:
    """The names of several losses in the plain data of `loss`; none where it is one loss."""
    if not isinstance(value, Mapping) or not value:
        return ()
    if len(value) == 1:
        ((word, options),) = value.items()
        return (word,) if _is_loss(options) or (isinstance(options, str) and not LOSSES.find(word)) else ()
    return tuple(map(str, value))


def _is_loss(value: Any) -> bool:
    """Whether plain data is a loss by itself: a row that begins with one, or a mapping with one among its keys."""
    if isinstance(value, str):
        return bool(LOSSES.find(value.partition(" ")[0]))
    return isinstance(value, Mapping) and any(isinstance(key, str) and LOSSES.find(key) for key in value)


def read_terms(value: Mapping[str, Any], path: Path, lookup: Lookup) -> tuple[Term, ...]:
    """The losses of several outputs, from a mapping of their names. Raises Refused with every problem."""
    found, refusals = list[Term](), list[Refused]()
    for name, given in value.items():
        try:
            found.append(_term(name, given, (*path, name), lookup))
        except Refused as refused:
            refusals.append(refused)
    raise_all(refusals)
    return tuple(found)


def _term(name: str, value: Any, path: Path, lookup: Lookup) -> Term:
    """One loss with what stands beside its arguments, in a row or long. Raises Refused."""
    found = Arguments({"name": name}, word=name)
    if isinstance(value, str):
        _take_row(found, value, path, lookup)
        return _made(found, path)
    words = [key for key in value if key not in Loss.extra] if isinstance(value, dict) else []
    if len(words) != 1 or not (isinstance(value[words[0]], dict | str | int | float | None)):
        hint = f"As in: {{{name}: cross_entropy weight=0.5}}, or {{{name}: {Term.example}}}"
        raise Refused(Problem("bad-value", f"expected the loss of the output {name!r}", At(path), hint))
    (word,) = words
    options = value[word]
    if isinstance(options, dict):
        _take_long(found, word, options, path, lookup)
    else:
        _take_row(found, f"{word} {'' if options is None else options}".strip(), (*path, word), lookup)
    for key in value:
        if key != word:
            _put(found, key, long_value(value[key], lookup, At((*path, key)), textual=True), At((*path, key)))
    return _made(found, path)


def _take_row(found: Arguments, text: str, path: Path, lookup: Lookup) -> None:
    """Take a loss with its weight among its arguments: `smooth_l1 beta=0.5 weight=0.5`. Raises Refused."""
    row = single_call(text, path)
    at = At(path, row.op_span)
    assert isinstance(row.op, str)
    cls, own = one_class(row.op, LOSSES, at), []
    for arg in row.args:
        place = At(path, arg.span)
        value = compute(arg.value, lookup, place) if arg.kind == "keyword" and arg.name in Loss.extra else None
        if value is not None and _is_beside(arg.name, value, cls):
            _put(found, arg.name, value, place)
        else:
            own.append(arg)
    found.put("loss", construct(cls, arguments(replace(row, args=tuple(own)), cls, lookup, path), at), at, None)


def _take_long(found: Arguments, word: str, options: Mapping[str, Any], path: Path, lookup: Lookup) -> None:
    """Take a loss with its weight among its arguments: `{smooth_l1: {beta: 0.5, weight: 0.5}}`. Raises Refused."""
    at, own = At((*path, word), on_key=True), {}
    cls = one_class(word, LOSSES, at)
    for key, given in options.items():
        place = At((*path, word, key))
        value = long_value(given, lookup, place, textual=True) if key in Loss.extra else None
        if value is not None and _is_beside(key, value, cls):
            _put(found, key, value, place)
        else:
            own[key] = given
    found.put("loss", construct(cls, long_arguments(own, cls, lookup, (*path, word), word), at), at, None)


def _is_beside(key: str, value: Any, cls: type[Loss]) -> bool:
    """Whether an argument is the term's and not the loss's own, as weights of classes are."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return key not in cls.fields or number or value == LEARNED


def _put(found: Arguments, key: str, value: Any, at: At) -> None:
    """Take what is said beside a loss. Raises Refused."""
    if key == "weight" and value == LEARNED:
        key, value = "learned", True
    if key in found.values or (key == "learned" and "weight" in found.values):
        raise Refused(Problem("twice", f"{key} is given twice", at, "Keep one of them."))
    found.put(key, value, at, None)


def _made(found: Arguments, path: Path) -> Term:
    """The term with these arguments. Raises Refused."""
    term = construct(Term, found, At(path))
    find = getattr(term.loss, "problems", list)
    raise_all(
        [
            Refused(Problem("contradiction", f"{term.loss.said}: {name} {text}", found.places["loss"]))
            for name, text in find()
        ]
    )
    return term


def terms_schema(loss: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema of several losses by the names of outputs; `loss` is that of one."""
    row, long = loss["anyOf"]
    weight = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]}
    names = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    beside = {
        "weight": {"description": f"{Term.fields['weight'].sentence}; {LEARNED}: with the network", **weight},
        "target": {"description": Term.fields["target"].sentence, "type": ["string", "number"]},
        "of": {"description": Term.fields["of"].sentence, **names},
    }
    term = {"type": "object", "properties": {**_weighed(long["properties"]), **beside}, "additionalProperties": False}
    return {"type": "object", "additionalProperties": {"anyOf": [row, term]}, "minProperties": 1}


def _weighed(losses: Mapping[str, Any]) -> dict[str, Any]:
    """The long forms of losses with what may stand beside their arguments."""
    return {word: {"description": known["description"]} for word, known in losses.items()}
