"""Heads that exist in training only: which steps nothing but an output `when training` needs."""

from __future__ import annotations

from collections.abc import Sequence, Set

from netspec.errors import At, Problem
from netspec.graph import model
from netspec.graph.draft import Level, Step
from netspec.graph.model import flat
from netspec.graph.report import Report
from netspec.graph.uses import given, made, readings


def mark_heads(root: Level, report: Report) -> None:
    """Let the steps of the network that only its outputs in training need run in training alone."""
    if not root.training or root.outputs is None:
        return
    values = list(root.outputs.values()) if isinstance(root.outputs, dict) else flat(root.outputs)
    always = [value for value in values if value not in root.training]
    needed = _needed(root, always)
    for step in _needed(root, [value for value in values if value in root.training]) - needed:
        if step.training is None:
            step.training = True
    for step in needed:
        wanted = {value.actual for each in needed for value in _read(each)} | {value.actual for value in always}
        if step.body is not None and (idle := _idle(step, wanted)) is not None:
            text = f"{idle.name} is needed in training only, and runs inside {step.name}, which always runs"
            hint = "Put its layers at the top level, beside the step whose value they take."
            report.add(Problem("outputs", text, At(("outputs",), on_key=True), hint))


def _needed(level: Level, values: Sequence[model.Value]) -> set[Step]:
    """The steps of a level that values come from."""
    wanted, found = {value.actual for value in values}, set[Step]()
    for step in reversed(level.steps):
        if not step.left_out and any(value.actual in wanted for value in made(step)):
            found.add(step)
            wanted.update(value.actual for value in _read(step))
    return found


def _read(step: Step) -> list[model.Value]:
    """All that a step reads."""
    return [*given(step), *([step.passed] if step.passed is not None else []), *readings(step)]


def _idle(call: Step, wanted: Set[model.Value]) -> Step | None:
    """A step inside a level that nothing needs of what is `wanted` outside; None where there is none."""
    body = call.body
    assert body is not None
    inner = [value for outer, value in body.exports.items() if outer.actual in wanted]
    rest = [value for outer, value in body.exports.items() if outer.actual not in wanted]
    needed = _needed(body, inner)
    if found := _needed(body, rest) - needed:
        return next(step for step in body.steps if step in found)
    within = {value.actual for each in needed for value in _read(each)} | {value.actual for value in inner}
    return next((idle for each in needed if each.body is not None and (idle := _idle(each, within)) is not None), None)
