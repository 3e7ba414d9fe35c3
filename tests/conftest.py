"""Before any test: the files that take longest come first, so that no process is left alone with one at the end.

torch has one thread in each of the processes that share the work, and where a test asks for more, they sleep while they
wait: turning, they would take the time of the others. No example of a property is refused for the time
it took, which is that of everything else the machine does too.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

LONG: Final = (
    *("test_benchmarks.py", "test_campaigns.py", "test_many.py", "test_many_command.py"),
    *("test_given_weights.py", "test_sweep.py", "test_printed.py"),
)

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("netspec", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("netspec")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of the longest files first, each file's together."""
    items.sort(key=lambda item: item.path.name not in LONG)


def pytest_runtest_setup() -> None:
    """Have onnxscript parse its functions once, and not for each export: that is half the work for a small one."""
    if "onnxscript.function_libs.torch_lib.ops" in sys.modules:  # something was exported
        apis = sys.modules["torch.onnx._internal._lazy_import"].onnxscript_apis
        if "get_torchlib_ops" not in vars(apis):
            apis.get_torchlib_ops = cache(apis.get_torchlib_ops)
