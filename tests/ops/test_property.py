"""Random arguments and shapes, right and wrong: the operations and torch must agree on all of them."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netspec.layers.base import Op
from tests.drawn import MORE
from tests.ops.campaign import problems
from tests.ops.cases import case
from tests.ops.examples import CLASSES

HEALTH = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
COUNT = dict.fromkeys(("Einsum", "Interpolate", "Pad", "SDPA"), 200)
"""Operations with many ways to go wrong, and how many cases each gets."""
every_operation = pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)


@every_operation
def test_torch_agrees_on_drawn_cases(cls: type[Op]) -> None:
    @settings(max_examples=8, deadline=None, database=None, derandomize=True, suppress_health_check=HEALTH)
    @given(st.randoms(use_true_random=False))
    def agree(rng: Random) -> None:
        assert not problems(case(cls, rng))

    agree()


@every_operation
def test_torch_agrees_on_seeded_cases(cls: type[Op]) -> None:
    for i in range(MORE * COUNT.get(cls.__name__, 50)):
        assert not problems(case(cls, Random(f"{cls.__name__} {i}")))
