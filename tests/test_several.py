"""Fields of one value or several: what they accept and what their JSON Schema says are the same."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from netspec.faults import Invalid
from netspec.layers.layernorm import LayerNorm
from netspec.losses.heads import AdaptiveLogSoftmaxWithLoss
from netspec.ops.reducing import Mean
from netspec.ops.spatial import Interpolate
from netspec.records import Record
from netspec.schedulers.falling import MultiStepLR
from netspec.several import Several, rising, whole
from netspec.transforms.geometry import Reshape

VALUES: tuple[Any, ...] = (
    0,
    1,
    3,
    -1,
    2.5,
    True,
    "x",
    None,
    [],
    [1],
    [1, 2],
    [2, 1],
    [1, 1],
    [0, 4],
    [1, None],
    [1.5, 2],
    ["x"],
)
FIELDS: list[tuple[type[Record], str, dict[str, Any], list[Any]]] = [
    (LayerNorm, "normalized_shape", {}, []),
    (Interpolate, "scale_factor", {}, []),
    (Mean, "dim", {}, []),
    (Reshape, "sizes", {}, []),
    (MultiStepLR, "milestones", {}, [[2, 1]]),
    (AdaptiveLogSoftmaxWithLoss, "cutoffs", {"in_features": 8, "n_classes": 9}, [[2, 1], [1, 1]]),
]
"""Fields with what else their record needs, and the lists that only fail to fit together, which no schema says."""


class Pair(Record):
    """Two counts."""

    counts = Several("counts", whole(1), "two counts, rising", least=2, fit=rising)
    one = Several("a count, or several", whole(1), "counts", 1, alone=True)


@pytest.mark.parametrize(
    ("cls", "name", "others", "unfit"), FIELDS, ids=[f"{cls.__name__}.{n}" for cls, n, _, _ in FIELDS]
)
def test_what_is_accepted_is_what_the_schema_says(
    cls: type[Record], name: str, others: dict[str, Any], unfit: list[Any]
) -> None:
    field = cls.fields[name]
    said = Draft202012Validator(field.kind(cls)[1])
    for value in VALUES:
        if value is None and field.default is None:
            continue
        try:
            cls(**others, **{name: value})
            accepted = True
        except Invalid:
            accepted = False
        valid = said.is_valid(value) and not (isinstance(value, float) and value.is_integer())
        assert accepted == (valid and value not in unfit), value


def test_one_value_becomes_a_tuple_unless_it_may_stand_alone() -> None:
    pair = Pair(counts=[1, 2])
    assert (pair.counts, pair.one) == ((1, 2), 1)
    assert (Pair(counts=(3, 5), one=[4]).one, Mean(dim=2).dim) == ((4,), (2,))


@pytest.mark.parametrize("counts", [1, [1], [2, 1], [1, 1], [0, 1], [1, True], "1x2"])
def test_what_does_not_fit_is_refused_with_what_was_expected(counts: Any) -> None:
    with pytest.raises(Invalid, match="expected two counts, rising"):
        Pair(counts=counts)
