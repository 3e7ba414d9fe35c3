"""Odd values at every place of a spec, and what must become of it: a network, or a SpecError."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

import yaml

from netspec.errors import Path

VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    0,
    -1,
    7,
    10**17,
    1.5,
    float("nan"),
    float("inf"),
    "",
    " ",
    "word",
    "1e400",
    "$",
    "$nothing",
    "$(",
    "$([[1, 2], [3]])",
    "a, b",
    "fc",
    "relu x2",
    "*",
    "a.b",
    "\u00fc\n",
    [],
    [None],
    [1],
    ["a", 1],
    [[1, 2], [3]],
    [{"a": 1}],
    {},
    {"a": None},
    {"fc": 1},
    {"relu": True},
    {"a": [1], "b": {"c": 2}},
    {"": ""},
)
"""One of each kind of value, and of each way to write it wrongly."""
KEYS: Final = (
    "",
    " ",
    "1",
    "null",
    "$",
    "$x",
    "$(",
    "$(1)",
    "a b",
    "a.b.c",
    "\u00fc",
    "*",
    "(",
    "x y=",
    "in",
    "__class__",
)
"""Names that may stand where a key does."""

RICH: Final = (
    """
netspec: 1
name: Rich
inputs: {image: 3x16x16, meta: 4, tokens: int T}
params: {width: 8, half: $(width // 2), act: relu, rows: [[4, 1], [8, 2]], flag: true, rate: 0.1}
blocks:
  unit(x skip) c s=1 act=relu:
    conv: {Conv2d: {out_channels: $c, kernel_size: [3, 3], stride: $s, padding: same, bias: false}}
    bn: {chain: [bn, {relu: {inplace: true}}]}
    short: {when: s != 1, layers: [conv(skip) $c k1 s$s]}
    out: add(bn x)
  two c=4:
    outputs: {deep: b, flat: a}
    order: [b, a]
    layers: {a: conv $c k1, b: conv $c k1}
defaults: {bn: eps=0.001, conv: {bias: true}}
layers:
  stem: conv(image) $width k3 same
  more:
    repeat: [[8, 1], [8, 1]]
    as: [n, s]
    layers:
      u$i: unit(prev prev) $n s$s
  again: {repeat: 2, when: flag, layers: [conv 8 k3 same, relu]}
  pair: {two: {c: 5}}
  wrapped: {Conv2d: {out_channels: 6, kernel_size: 1, wrap: weight_norm, inputs: [pair.deep]}}
  drop: dropout $rate when training
  gap: gap, flatten
  tab: {fc: {inputs: meta, out_features: 6}}
  shift: parameter 6
  moved: add(tab shift)
  emb: embedding(tokens) 10 6
  seq: mean 1
  both: concat(gap moved seq), fc 6
  first: fc 6
  last: fc(first) 6
  end: alias last
outputs: {scores: last, aux: tab}
order: [stem, "*"]
tie: {last.weight: first.weight}
init:
  conv: kaiming_normal mode=fan_out
  linear: {weight: {normal: {std: 0.02}}, bias: zeros}
  "*.bn.*": default
weights: {freeze: [stem.*]}
lint: {ignore: [bias-before-norm]}
export: {onnx: {opset: 20, output: logits}}
""",
    """
netspec: 1
input: 1x8x8
layers: [conv 4 k3, bn, relu, {repeat: 2, layers: [conv 4 k3 same]}, [flatten, dropout 0.1], fc 10]
data:
  source: {npz: {path: digits.npz}}
  split: {val: 0.1, seed: 1}
  transform: [resize 32, {normalize: {mean: [0.5], std: [0.5]}}]
  augment: [crop 28 pad=2, flip, {mixup: {alpha: 0.2}}]
  workers: 2
train:
  loss: {cross_entropy: {label_smoothing: 0.1, weight: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]}}
  optimizer: {AdamW: {lr: 2e-3, betas: [0.9, 0.99], weight_decay: 0.1}}
  groups: {norm: weight_decay=0, "conv*": {lr: 1e-4}}
  scheduler: {cosine: {warmup: 5}}
  epochs: 3
  batch: 16
  metrics: [accuracy, {f1: {average: macro}}]
  clip_grad: 1.0
  precision: bf16
  evaluate: {every: 1, steps: 10}
  early_stop: {monitor: val.loss, patience: 3}
  checkpoint: {keep: 3, best: val.accuracy}
  seed: 0
  accumulate: 2
  ema: 0.99
  max_steps: 100
  max_time: 1h
  device: cpu
  threads: 1
  deterministic: true
  channels_last: false
  parallel: ddp
  compile: false
export: {onnx: opset=20}
""",
)
"""Specs that say most of what can be said, in short and long form."""


def places(data: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every value."""
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in entries:
        yield (*path, key)
        yield from places(value, (*path, key))


def replaced(data: Any, path: Path, value: Any) -> Any:
    """A copy with another value at a path."""
    copy = deepcopy(data)
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copy


def renamed(data: Any, path: Path, name: str) -> Any:
    """A copy with another key at a path; the order stays."""
    copy = deepcopy(data)
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    entries = [(name if key == path[-1] else key, value) for key, value in inner.items()]
    inner.clear()
    inner.update(entries)
    return copy


def written(data: Any) -> str:
    """Plain data as YAML."""
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=10**6))


def at(data: Any, path: Path) -> Any:
    """The value at a path."""
    for key in path:
        data = data[key]
    return data
