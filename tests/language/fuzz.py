"""Specs that no one would write: ready ones damaged by bytes and tokens, spliced, and with odd values and names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

from netspec.text.reader import read_text
from tests.language import odd

READY: Final = [path.read_text() for path in sorted((Path(__file__).parents[2] / "specs").glob("*.yaml"))]
TEXTS: Final = [*READY, *odd.RICH]
DATA: Final[list[dict[str, Any]]] = [read_text(text).data for text in TEXTS]
_TOKEN = re.compile(r"[\w.$]+|[^\w\s]|\s+")
TOKENS: Final = (
    *"[]{}(),:-x$*.=\"'#|>&!%@`\\\n\t~",
    *("0", "-1", "1e9", "999999", "9" * 18, "1.5", ".inf", "010", "null", "true", "training", "in", "prev", "x3", "x0"),
    *("$(", "$(i)", "$x", "->", "8->8", "when", "when i > 0", "repeat", "layers", "as", "order", "outputs", "alias"),
    *("use", "concat(prev in)", "conv", "fc 8", "relu", "bn", "[1, [2]]", "{a: {b: 1}}", "None", "__class__", "k3x3"),
    *("self", "lambda: 0", "a.*", "c.0", "wrap=weight_norm", "inplace", "nobias", "default", "T", "B"),
)
NAMES: Final = (
    *("self", "x", "x1", "input", "forward", "class", "None", "True", "nn", "torch", "F", "super", "k", "i", "0", "7a"),
    *("a-b", "a_b", "A", "append", "keys", "layers", "max", "range", "zip", "conv1", "Net", "use_a", "e.0", "e.$i"),
    *("a$(i)", "_", "in", "prev", "out", "training", "module", "items", "list", "print", "int", "float", "sum", "len"),
)


def by_bytes(random: Random) -> str:
    """A ready spec with some of its characters changed."""
    text = list(random.choice(TEXTS))
    for _ in range(random.randint(1, 6)):
        at = random.randrange(len(text))
        text[at] = random.choice(("", chr(random.randrange(1, 128)), chr(random.randrange(0x110000)), text[at] * 2))
    return "".join(text).encode("utf-8", "replace").decode()


def by_tokens(random: Random) -> str:
    """A ready spec with some of its words changed, moved, or taken from another."""
    words = _TOKEN.findall(random.choice(TEXTS))
    for _ in range(random.randint(1, 5)):
        at = random.randrange(len(words))
        words[at] = random.choice(("", words[at] * 2, random.choice(TOKENS), random.choice(words)))
    return "".join(words)


def by_parts(random: Random) -> str:
    """A ready spec with parts of itself and of others put elsewhere, odd values at places, and odd names."""
    data = random.choice(DATA)
    for _ in range(random.randint(1, 4)):
        paths = list(odd.places(data))
        path = random.choice(paths)
        donor = random.choice((data, random.choice(DATA)))
        match random.randrange(4):
            case 0:
                data = odd.replaced(data, path, random.choice(odd.VALUES))
            case 1:
                data = odd.replaced(data, path, odd.at(donor, random.choice(list(odd.places(donor)))))
            case _ if isinstance(path[-1], str):
                data = odd.renamed(data, path, random.choice((*NAMES, *odd.KEYS)))
    return odd.written(data)


PLAIN: Final = ("a", "b", "c", "d", "stem", "body", "head", "conv$i", "e.$i")
ROWS: Final = (
    *("relu", "conv 4 k3 same", "bn, relu", "add(prev in)", "gelu", "unit 4", "unit $k", "two", "conv $k k1"),
    *("conv $(prev.c) k1", "dropout 0.1 when training", "relu when k > 1", "gelu when n == 2", "conv 4 k1 x2"),
    *("conv 4 k1 when in.c != 4", "unit 4 x2", "$act", "conv 4 k1 wrap=weight_norm", "mul(prev) $s", "relu(in)"),
)
RARE: Final = (
    *("alias a", "use(prev) a", "use a", "parameter 4", "flatten", "add(a prev)", "concat(c.*)", "slice 1 -1", "fc 8"),
    *("concat(prev in)", "relu when $k", "two 1 2", "unit"),
)


def by_grammar(random: Random) -> str:
    """A spec put together of levels, blocks, repeats, conditions and names."""

    def body(depth: int) -> Any:
        kind = random.randrange(4) if depth else 0
        if kind == 0:
            return random.choice(RARE if random.random() < 0.08 else ROWS)
        if kind == 1:
            return [body(depth - 1) for _ in range(random.randint(1, 3))]
        if kind == 2:
            return {name(): body(depth - 1) for _ in range(random.randint(1, 3))}
        group: dict[str, Any] = {"layers": body(depth - 1)}
        if random.random() < 0.5:
            group["repeat"] = random.choice((0, 1, 2, "$k", [[1, 2], [3, 4]], [4, 8]))
            if isinstance(group["repeat"], list):
                group["as"] = random.choice(("n", "k", ["n", "k"], "self"))
        if random.random() < 0.4:
            group["when"] = random.choice((True, False, "k > 1", "training", "in.c == 4", "n"))
        return group

    def name() -> str:
        return random.choice(NAMES if random.random() < 0.3 else PLAIN)

    return odd.written(
        {
            "input": random.choice(("4x8x8", "4x8x8", "4x8x8", "4xT", "8")),
            "params": {"k": random.choice((1, 4, 4, 8, 2.5, True)), "act": "relu", "n": 2, "s": 0.5},
            "blocks": {
                f"unit {name()} {name()}=2": body(1),
                f"two {name()}=1 k=4": body(1),
            },
            "layers": body(3) if random.random() < 0.5 else {name(): body(2) for _ in range(4)},
        }
    )


KINDS: Final[dict[str, Callable[[Random], str]]] = {
    "bytes": by_bytes,
    "tokens": by_tokens,
    "parts": by_parts,
    "grammar": by_grammar,
}
