"""Images declared with their channels last."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import Problem
from netspec.layers.windows import channels_last
from netspec.lint.base import Facts, Rule
from netspec.tensors import show


class ChannelsLast(Rule):
    """An image that goes into a convolution is channels x height x width.

    Of 224x224x3 a convolution takes each of the 224 rows for a channel: it has 75 times as many weights as are meant,
    and slides along columns and colours.
    """

    code = "channels-last"
    severity = "warning"
    about = ("reads_channels",)
    example = """\
input: 224x224x3
layers: [conv 8 k3, relu, gap, fc 10]
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        images = [tensor for tensor in (facts.inputs or {}).values() if channels_last(tensor.shape[1:])]
        for step in facts.flow.steps if images else ():
            tensor = step.inputs[0].tensor if step.inputs else None
            if step.op is None or not step.op.reads_channels or getattr(step.op, "dims", 0) != 2:
                continue
            if tensor is not None and tensor in images and not facts.flow.makers(step.inputs[0]):
                height, width, channels = tensor.shape[1:]
                text = f"{step.told} takes the first axis of {show(tensor.shape[1:])} for {height} channels"
                hint = f"Declare the input as {channels}x{height}x{width}"
                data = ", and bring data to it with transform: channels_first" if facts.data is not None else ""
                yield self.problem(text, step.at, f"{hint}{data}, or write permute 0 3 1 2 before it.")
