"""Random arguments and shapes, right and wrong: the catalogue and torch must agree on all of them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from netspec.layers.base import Layer
from tests.layers.cases import Case, cases
from tests.layers.comparison import difference
from tests.layers.examples import CLASSES

HEALTH = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_torch_agrees_on_random_cases(cls: type[Layer]) -> None:
    @settings(max_examples=8, deadline=None, database=None, derandomize=True, suppress_health_check=HEALTH)
    @given(cases(cls))
    def agree(case: Case) -> None:
        assert not difference(case), case

    agree()
