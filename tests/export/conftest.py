"""Makes exports cheaper: onnxscript parses all its functions again for each, which is half the work for a small one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module

import pytest

from netspec.runtime.export.onnx_graph import quiet


@pytest.fixture(scope="session", autouse=True)
def _parsed_once() -> Iterator[None]:
    with quiet():
        module = import_module("torch.onnx._internal._lazy_import").onnxscript_apis
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "get_torchlib_ops", cache(module.get_torchlib_ops))
        yield
