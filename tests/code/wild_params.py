"""Specs drawn at random whose params are arguments of the printed class: numbers, lists, computed ones."""

from __future__ import annotations

import inspect
from random import Random
from typing import Any

import torch
import yaml

from netspec import SpecError, loads
from netspec.graph.symbols import plain
from netspec.runtime.network.printed import module_class

NUMBERS = ("d", "heads", "depth", "n")
LISTS = ("widths", "depths")
COMPUTED = ("ff", "half", "scale", "sizes", "wide", "last")


class Params:
    """One spec with `params`."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.numbers: list[str] = []
        self.lists: list[str] = []
        self.floats: list[str] = []

    def document(self) -> dict[str, Any]:
        """The whole spec as plain data."""
        pick = self.random
        params: dict[str, Any] = {}
        for name in pick.sample(NUMBERS, pick.randint(1, 3)):
            params[name] = pick.choice((2, 3, 4, 6))
            self.numbers.append(name)
        for name in pick.sample(LISTS, pick.randint(0, 2)):
            params[name] = [pick.choice((1, 2, 3, 4)) for _ in range(pick.randint(2, 3))]
            self.lists.append(name)
        if pick.random() < 0.3:
            params["p"] = pick.choice((0.5, 0.25))
            self.floats.append("p")
        for name in pick.sample(COMPUTED, pick.randint(0, 2)):
            params[name] = self.computed(name)
        block = {
            "cell c k=2": pick.choice([self.body(["c", "k"]), {"a": "linear $c", "b": "relu", "out": "linear $k"}])
        }
        layers = [self.item() for _ in range(pick.randint(1, 4))]
        return {"input": "6", "params": params, "blocks": block, "layers": layers}

    def computed(self, name: str) -> Any:
        """What a param is computed by, from those before it."""
        if name == "scale":
            self.floats.append(name)
            return f"$(({self.number()[2:-1]}) ** -0.5)"
        if name == "sizes":
            sizes = [self.number(), self.number()]
            self.lists.append(name)
            return sizes
        found = self.number()
        self.numbers.append(name)
        return found

    def number(self, names: list[str] | None = None) -> str:
        """An expression of at least 1, mostly."""
        pick = self.random
        a, b = (pick.choice([*self.numbers, *(names or [])]) for _ in range(2))
        found = [
            a,
            a,
            f"4 * {a}",
            f"{a} // 2 + 1",
            f"{a} + {b}",
            f"max({a}, {b})",
            f"{a} * {b}",
            f"{a} % 3 + 1",
            "in.d",
        ]
        found = found if names is not None else found[:-1]
        for many in self.lists:
            found += [f"{many}[0]", f"{many}[1]", f"{many}[-1]", f"sum({many})", f"max({many})", f"len({many}) + 1"]
        return f"$({pick.choice(found)})"

    def row(self, names: list[str]) -> str:
        pick = self.random
        size = self.number(names)
        found = [
            f"linear {size}",
            f"linear {size}, relu",
            f"linear {size} nobias",
            "relu",
            f"cell {size}",
            f"mul {size}",
        ]
        found += [
            f"cell {size} {self.number(names)}",
            f"linear {size} x${pick.choice(self.numbers)}",
            f"linear {size}, layernorm",
        ]
        found.append(f"concat(in prev), linear {size}")
        found += [f"dropout ${name}" if name == "p" else f"mul ${name}" for name in self.floats]
        return pick.choice(found)

    def body(self, names: list[str]) -> Any:
        return [self.row(["c"] if "cell" not in names else names).replace("cell", "linear") for _ in range(2)]

    def item(self) -> Any:
        """What stands in the layers."""
        pick = self.random
        chance = pick.random()
        if chance < 0.15 and self.lists:
            many = pick.choice(self.lists)
            given = pick.choice([f"${many}", f"$({many}[1:])", f"$({many}[:-1])"])
            return {"repeat": given, "as": "w", "layers": [pick.choice(["linear $w", "cell $w", "linear $w, relu"])]}
        if chance < 0.3:
            return {"repeat": f"${pick.choice(self.numbers)}", "layers": [self.row([]), "linear 5"]}
        if chance < 0.4:
            return [self.row([]), self.row([])]
        row = self.row([])
        return f"{row} when {self.number([])[2:-1]} > {pick.randint(1, 4)}" if chance < 0.45 else row


def drawn(seed: int) -> str:
    """The text of a spec with params."""
    return yaml.safe_dump(Params(seed).document(), sort_keys=False, width=200)


def others(value: Any) -> list[Any]:
    """Other values that an argument may be given."""
    if isinstance(value, list):
        return [[each + 1 + at for at, each in enumerate(value)], [*value, 5], value[::-1]]
    if isinstance(value, float):
        return [value / 3 + 0.2]
    return [value + 1, 2 * value, value + 3, 1]


def lie(text: str) -> str:
    """What an argument of the printed class does that overriding the param in the spec does not; empty for nothing."""
    spec = loads(text)
    source = spec.source()
    cls = module_class(source, spec.name)
    for name in inspect.signature(cls).parameters.keys() & spec.graph.root.params.keys():
        value = plain(spec.graph.root.params[name])
        for other in others(value):
            if (found := _differs(text, cls, name, other)) and not _refuses(source, name, other):
                return f"{name}={other}: {found}\n{source}"
    return ""


def _refuses(source: str, name: str, other: Any) -> bool:
    """Whether the class says itself that it takes no list of this length."""
    return isinstance(other, list) and f"len({name})" in source


def _differs(text: str, cls: Any, name: str, other: Any) -> str:
    """How the network that is given an argument differs from that of the spec with it; empty where there is none."""
    try:
        spec = loads(text, [f"params.{name}={other}"])
    except SpecError:
        return ""
    torch.manual_seed(0)
    wanted = spec.build().eval()
    torch.manual_seed(0)
    try:
        found = cls(**{name: other}).eval()
        state, known = found.state_dict(), wanted.state_dict()
        if [*state] != [*known] or any(not torch.equal(state[key], known[key]) for key in known):
            return "other parameters"
        x = torch.randn(2, 6)
        return "" if torch.equal(found(x), wanted(x)) else "another output"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
