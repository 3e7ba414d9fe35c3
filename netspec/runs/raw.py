"""What a file takes where the steps of the data are in it: samples as the data's source has them. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from netspec.dims import BATCH
from netspec.emit.onnx.transforms import bare
from netspec.errors import UsageError
from netspec.exporters.base import NeedsTorch
from netspec.runs.cells import cells_of, fills_of
from netspec.runtime.data.in_use import known_steps
from netspec.runtime.export.emission import Ahead
from netspec.runtime.export.made_up import Between, Form
from netspec.spec import Spec
from netspec.tensors import Tensor
from netspec.transforms.base import Transform


def taken_raw(spec: Spec, whole: bool, given: str | None, learnt: Mapping[str, Any]) -> tuple[dict[str, Ahead], str]:
    """What is taken in place of inputs, by their names, and what of the way of the data the file does not have.

    All of the way is in the file where it is `whole`; `given` is the dtype that it is to take, where one is said.
    Raises UsageError where the file is to take what the data does not have, NeedsTorch where it was not looked at.
    """
    section = spec.experiment.data
    if section is None:
        raise UsageError(
            f"{spec.name} has no data, so there is nothing that its inputs are made of. Add a data section."
        )
    if "values" not in learnt or "transform" not in learnt:
        raise NeedsTorch("its data was not looked at")
    if section.draw:
        raise UsageError(f"{spec.name} draws some of its inputs, which no data has. Leave out preprocess and input.")
    inputs = raw_inputs(learnt)
    names = learnt["inputs"]["names"]
    written = section.placed(inputs, names)
    if written and not whole:
        text = f"the data's {written[0].step.said} changes what the file would take as bytes"
        raise UsageError(f"{text}. Write preprocess: true under export.onnx, and the file does it.")
    use = section.ways(inputs, None, names, known_steps(written, learnt["transform"])).in_use
    steps: dict[int, list[Transform]] = {}
    for placed in (*use[0], *use[2]):
        for place in placed.inputs:
            steps.setdefault(place, []).append(placed.step)
    cells = cells_of(section.source, learnt, given == "uint8")
    if not whole and any(each.tables for each in cells.values()):
        text = "the numbers of its characters are not those of bytes"
        raise UsageError(f"{text}. Write preprocess: true under export.onnx, and the file looks them up.")
    found: dict[str, Ahead] = {}
    for place, (name, x, form) in enumerate(zip(spec.graph.inputs, inputs, raw_forms(learnt), strict=False)):
        own, dtype = cells.get(place), form[1]
        if given == "uint8" and (own.dtype if own else dtype) != "uint8":
            kind = "texts" if own else dtype
            raise UsageError(f"input: uint8 is for data of bytes, {names[place]} is of {kind}. Leave out input.")
        if given == "float32" and dtype == "uint8":
            dtype = "float32"
        taken = bare((BATCH, *form[0]), own.dtype if own else dtype)
        known = spec.graph.inputs[name].shape
        if place not in steps and known[0] == BATCH:  # whose sizes may be open
            taken = replace(taken, shape=known)
        fills = fills_of(learnt) if x.dtype == "float32" and not place else ()
        found[name] = Ahead(taken, tuple(steps.get(place, ())), learnt["inputs"]["peak"], own, fills)
    return found, _left_out(learnt)


def raw_forms(learnt: Mapping[str, Any]) -> list[Form]:
    """The shape of a sample, and its numbers, of each input as the data's source has it."""
    forms: list[Form] = []
    for place, x in enumerate(learnt["values"]):
        floats, shape = x["dtype"].startswith("float"), tuple(x["shape"])
        between = _between(x["low"], x["high"], {} if place else learnt.get("columns") or {}, shape)
        forms.append((shape, "float32", between) if floats else (shape, x["dtype"], None))
    return forms


def _between(low: float, high: float, columns: Mapping[str, Any], shape: tuple[int, ...]) -> Between:
    """What numbers lie between; in a table, whose columns may be of any scale, for each of them."""
    extents = columns.get("extents", {})
    if not extents or len(shape) != 1:
        return low, high
    known = [extents.get(name, (0.0,))[-1] for name in columns["numbers"]]
    known += [max(abs(low), abs(high))] * (shape[0] - len(known))  # of dates, which stand behind
    return tuple(max(low, -most) for most in known), tuple(min(high, most) for most in known)


def raw_inputs(learnt: Mapping[str, Any]) -> list[Tensor]:
    """The same as the graph describes them: bytes are the floats that they become."""
    kinds = {"uint8": "float32", "float32": "float32", "bool": "bool"}
    return [bare((BATCH, *shape), kinds.get(dtype, "int64")) for shape, dtype, _ in raw_forms(learnt)]


def _left_out(learnt: Mapping[str, Any]) -> str:
    """What of the way of the data stands beside the file, in words."""
    columns, left = learnt.get("columns"), list[str]()
    if "tokenizer" in learnt:
        left.append("it takes the numbers of tokens, and the tokenizer")
    if columns:
        left.append("which column is which")
        left += ["how texts are cut"] if columns.get("texts") else []
        left += ["what dates become"] if columns.get("dates") else []
    return f"{' and '.join(left)} {'stand' if left[1:] else 'stands'} beside the file as JSON" if left else ""
