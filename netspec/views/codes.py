"""Examples of what may be wrong with a spec, by the code that its message has: each is a spec of that fault."""

from __future__ import annotations

from inspect import cleandoc
from typing import Final

from netspec.lint import rules

EXAMPLES: Final = {
    "bad-argument": "input: 3x32x32\nlayers: [conv 6 k5 stride=fast]\n",
    "bad-section": "input: 8\nlayers: [fc 4]\ntrain: adam\n",
    "bad-value": "input: 8\nlayers: [fc 4]\nweights: {load: 3}\n",
    "between": "input: 8\nlayers: ['fc 4->5 between=relu']\n",
    "block-name": "input: 8\nblocks: {relu c: [fc $c]}\nlayers: [relu 4]\n",
    "contradiction": "input: 3x8x8\nlayers: [conv 6 k3 same p1]\n",
    "defaults": "input: 8\ndefaults: {conv: nobias}\nlayers: [fc 4]\n",
    "dtype": "inputs: {x: int 8}\nlayers: [fc 4]\n",
    "duplicate-key": "input: 8\ninput: 9\nlayers: [fc 4]\n",
    "duplicate-name": "input: 8\nlayers: [a: fc 4, a: fc 4]\n",
    "empty-step": "input: 8\nlayers: [fc 4, null]\n",
    "expression": "input: 8\nparams: {n: 2}\nlayers: [fc $(n * )]\n",
    "extends": "extends: 3\nlayers: [fc 4]\n",
    "formula": "input: 8\nlayers: {a: parameter 8 formula=$(1 / i), b: mul(in a)}\n",
    "groups": "input: 8\nlayers: {a: fc 4}\ndata: csv x.csv target=y\n"
    "train: {loss: mse, optimizer: sgd lr=0.1, groups: {linear: lr=0.01, a.weight: lr=0.02}}\n",
    "header": "input: 8\nblocks: {double 3: [fc 4]}\nlayers: [double]\n",
    "init": "input: 8\nlayers: {a: fc 4}\ninit: {b.weight: zeros}\n",
    "input": "input: 3x-1x32\nlayers: [relu]\n",
    "inputs": "input: 8\nlayers: {a: fc 4, b: add(a)}\n",
    "missing-argument": "input: 3x32x32\nlayers: [conv 6]\n",
    "name": "input: 8\nlayers: {a b: fc 4}\n",
    "no-input": "layers: [fc 4]\n",
    "no-layers": "input: 8\n",
    "number": "input: 010\nlayers: [fc 4]\n",
    "order": "input: 8\norder: [zzz]\nlayers: {a: fc 2}\n",
    "outputs": "input: 8\nlayers: [{repeat: 2, layers: {a.$i: fc 8}}]\noutputs: {y: a.*}\n",
    "rank": "input: 8\nlayers: [conv 6 k5]\n",
    "recursion": "input: 8\nblocks: {a: [b], b: [a]}\nlayers: [a]\n",
    "repeat": "input: 8\nlayers: [{repeat: -1, layers: [fc 8]}]\n",
    "route": "inputs: {x: Tx8}\nlayers: {a: {route: {over: x}, repeat: 2, layers: [linear 8]}}\n",
    "row": "input: 3x32x32\nlayers: ['conv 6 k5 -']\n",
    "scan": "inputs: {x: Tx8}\nlayers: {s: zeros Bx8, a: {scan: {over: x, carry: {h: s}}, layers: {b: linear 8}}}\n",
    "shape-mismatch": "input: 8\nlayers: {a: fc 4, b: fc(in) 5, c: add(a b)}\n",
    "too-large": "input: 100000\nlayers: [fc 10000000]\n",
    "twice": "input: 8\nlayers: ['fc 4 out_features=5']\n",
    "two-owners": "input: 8\nlayers: {a: 'fc 4, fc 3'}\n",
    "unknown-argument": "input: 3x32x32\nlayers: [conv 6 k5 pading=2]\n",
    "unknown-key": "input: 1x8x8\nlayers: [fc 10]\ndata: digits\ntrain: {loss: ce, optimizer: adam, epoch: 3}\n",
    "unknown-loss": "input: 1x8x8\nlayers: [fc 10]\ndata: digits\ntrain: {loss: cros_entropy, optimizer: adam}\n",
    "unknown-name": "input: 8\nlayers: {a: fc 4, b: relu(c)}\n",
    "unknown-op": "input: 3x32x32\nlayers: [convv 6 k5]\n",
    "unknown-optimizer": "input: 1x8x8\nlayers: [fc 10]\ndata: digits\ntrain: {loss: ce, optimizer: adamm}\n",
    "unknown-section": "input: 8\nlayer: [fc 4]\n",
    "unknown-size": "input: 8\nlayers: {a: arange T, b: fc(in) 4}\n",
    "unused": "input: 8\nlayers: [fc 4]\nweights: {unfreeze: {epoch: 1}}\n",
    "unused-param": "input: 8\nparams: {n: 2}\nlayers: [fc 4]\n",
    "version": "netspec: 2\ninput: 8\nlayers: [fc 4]\n",
    "wrap": "input: 8\nlayers: {a: fc 4}\nwrap: {b: lora rank=2}\n",
    "yaml": "input: 8\nlayers: [fc 4\n",
}
"""Specs that are wrong in one way each."""


def examples() -> dict[str, str]:
    """A wrong spec for each code that can be explained, those of the checks among them."""
    return {**EXAMPLES, **{rule.code: rule.example for rule in rules()}}


def reasons() -> dict[str, str]:
    """What the checks hold, and why, by their codes."""
    return {rule.code: cleandoc(rule.__doc__ or "") for rule in rules()}
