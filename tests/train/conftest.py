"""One thread for all tests of training: their networks are so small that more would only wait for each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from netspec.runtime.device.device import threads


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with threads(1):
        yield
