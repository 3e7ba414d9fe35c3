"""What torch takes and the catalogue refuses on purpose, each with its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netspec.faults import Invalid
from netspec.tensors import Misfit, Tensor
from tests.layers.cases import Case
from tests.layers.examples import example_inputs

Judge = Callable[[Case, Misfit | Invalid, Any], bool]


def excuse(case: Case, refusal: Misfit | Invalid, result: Any) -> str:
    """Why this refusal is meant although torch takes the case and gives `result`; empty where it is a difference."""
    return next((reason for reason, judge in REASONS.items() if judge(case, refusal, result)), "")


def _code(*codes: str) -> Judge:
    return lambda case, refusal, result: isinstance(refusal, Misfit) and refusal.code in codes


def _bounds(case: Case, refusal: Misfit | Invalid, result: Any) -> bool:
    """The refusal is about nothing but the bounds of arguments in `BOUNDS`."""
    return isinstance(refusal, Invalid) and all(fault.loc[0] in BOUNDS for fault in refusal.faults)


def _argument(*names: str) -> Judge:
    return lambda case, refusal, result: isinstance(refusal, Misfit) and refusal.field in names


def _layer(*starts: str) -> Judge:
    return lambda case, refusal, result: case.cls.__name__.startswith(starts)


def _all(*judges: Judge) -> Judge:
    return lambda case, refusal, result: all(judge(case, refusal, result) for judge in judges)


def _tensors(result: Any) -> list[Tensor]:
    parts = result if isinstance(result, tuple) else (result,)
    return [t for part in parts if part is not None for t in (_tensors(part) if isinstance(part, tuple) else [part])]


def _unbatched(case: Case, refusal: Misfit | Invalid, result: Any) -> bool:
    ranks = len(case.inputs[0].shape), len(example_inputs(case.cls)[0].shape)
    return isinstance(refusal, Misfit) and refusal.code == "rank" and ranks[0] == ranks[1] - 1


BOUNDS: dict[str, str] = {
    **dict.fromkeys(("kernel_size", "stride", "dilation", "output_size"), "a window, step, spacing or size of 0"),
    "padding": "a negative padding where it is not a crop",
    **dict.fromkeys(("out_features", "out_channels", "hidden_size", "dim_feedforward"), "a layer of width 0"),
    **dict.fromkeys(("num_embeddings", "embedding_dim"), "an empty table"),
    **dict.fromkeys(("eps", "layer_norm_eps"), "an eps of 0 or less: a constant input is divided by 0"),
    "dropout": "a probability outside of 0 to 1",
    "norm_type": "a power of 0 or less in a p-norm",
    "max_norm": "a longest vector of length 0 or less",
    **dict.fromkeys(("alpha", "beta"), "an activation bent the wrong way, or divided by 0"),
    "scale_factor": "a factor of 0 next to a size, which counts as none",
}
"""Arguments whose bounds are tighter here, and what torch takes beyond them."""

REASONS: dict[str, Judge] = {
    "arguments out of bounds that torch does not check": _bounds,
    "an input without a batch: every value of a network has one": _unbatched,
    "whole numbers or booleans where a network computes with floats": _code("dtype"),
    "a result without elements": lambda case, refusal, result: any(0 in t.shape for t in _tensors(result)),
    "`same` is the spec's own word, torch is not asked about it": _all(
        _layer("Conv", "MaxPool", "AvgPool"), _code("even-kernel", "contradiction")
    ),
    "another rank than the class is named for": _all(
        _layer("ZeroPad", "ConstantPad", "Dropout", "FeatureAlphaDropout", "AdaptiveAvgPool", "Upsampling"),
        _code("rank"),
    ),
    "the axis of a softmax, which torch guesses with a warning": _all(
        _layer("Soft", "LogSoftmax"), _code("missing-argument")
    ),
    "circular padding of what a negative side cut off: torch leaves numbers unset": _all(
        _layer("CircularPad"), _argument("padding")
    ),
    "a written number of channels that is wrong but unused": _all(
        _layer("InstanceNorm", "BatchNorm", "SyncBatchNorm", "GroupNorm"), _argument("num_features", "num_channels")
    ),
    "is_causal over keys that are not the queries": _argument("is_causal"),
}
"""Each reason, and what it excuses."""
