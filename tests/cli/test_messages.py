"""What is said of the commonest mistakes, word by word: a golden file that is reviewed like prose.

NETSPEC_OVERWRITE_GOLDEN=1 renews it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import netspec
from tests.reviewed import assert_reviewed

GOLDEN = Path(__file__).parent / "golden" / "mistakes.txt"
HEAD = "netspec: 1\ninput: 1x32x32\n"
DIGITS = "data: {source: digits, transform: resize 32}\n"
TRAIN = "train: {loss: cross_entropy, optimizer: sgd lr=0.1}\n"
MISTAKES = {
    "a flatten size worked out wrongly": "layers:\n  - conv 6 k5, relu, pool 2\n  - fc 256->120->10\n",
    "a misspelled operation": "layers:\n  - cnov 6 k5\n  - fc 10\n",
    "a misspelled argument": "layers:\n  - conv 6 kernel_sise=5\n  - a: {Conv2d: {out_chanels: 6, kernel_size: 5}}\n",
    "wrong input channels": "layers:\n  - conv 3->6 k5\n  - fc 10\n",
    "a kernel larger than its input": "layers:\n  - conv 6 k5, pool 2 x4, conv 8 k3\n",
    "linear on a map": "layers:\n  - conv 6 k5, relu, linear 10\n",
    "a comma in flow text": "layers: {a: conv 6 k3, relu, b: fc 10}\n",
    "skips of different sizes": "layers:\n  a: conv 6 k3\n  b: conv(in) 7 k3\n  c: add(a b)\n",
    "a name that comes later": "layers:\n  a: conv 6 k3\n  b: add(a c)\n  c: conv 6 k3\n",
    "a key given twice": "layers: [fc 10]\nlayers: [fc 3]\n",
    "items in different columns": "layers:\n  - conv 6 k3\n - fc 10\n",
    "data of another shape": f"layers: [fc 10]\ndata: {{source: digits, transform: resize 28}}\n{TRAIN}",
    "fewer outputs than classes": f"layers: [fc 9]\n{DIGITS}{TRAIN}",
    "a loss for other targets": f"layers: [fc 10]\n{DIGITS}train: {{loss: mse, optimizer: sgd lr=0.1}}\n",
    "a misspelled key and a value that is no number": (
        f"layers: [fc 10]\n{DIGITS}train:\n  loss: cross_entropy\n  optimzer: adam\n  epochs: ten\n"
    ),
}


def told(text: str) -> str:
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(HEAD + text, name="net.yaml")
    return str(caught.value)


def test_mistakes_are_told_in_these_words() -> None:
    found = "\n\n".join(f"# {title}\n\n{told(text)}" for title, text in MISTAKES.items()) + "\n"
    assert_reviewed(found, GOLDEN)
