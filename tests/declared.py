"""What an operation is written with is what its class says it may be written with."""

from __future__ import annotations

import ast

from netspec.layers.base import Layer, Op
from netspec.views.code.allow import paths


def assert_declared(op: Op, inputs: int) -> None:
    """The text of an operation, as function and as module, names nothing of torch that its class does not give."""
    names = [f"x{i}" for i in range(inputs)]
    device = ["some"] if op.source and op.needs_device else []
    texts = [op.construct()] if isinstance(op, Layer) else []
    called = op.call([*device, *names])
    texts += [called] if called is not None else []
    texts += [f"call({', '.join(op.adapt(names))})"] if names else []
    for text in texts:
        undeclared = paths(ast.parse(text)) - {".training", ".shape"} - op.torch_names()
        assert not undeclared, f"{type(op).__name__} names {sorted(undeclared)}: {text}"
