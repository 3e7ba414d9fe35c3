"""Specs drawn at random for the printer: blocks in several uses, conditions, repeats, and names of every kind."""

from __future__ import annotations

from random import Random
from typing import Any

import yaml

ORDINARY = ("a", "b", "c", "act", "conv1", "out", "skip", "norm", "proj", "mix")
ODD = (
    *("l", "l_", "I", "O", "if", "if_", "class", "a-b", "a_b", "my-act", "my_act", "none", "None", "true", "True"),
    *("max", "min", "len", "sum", "list", "int", "abs", "round", "range", "float", "zip", "super", "isinstance"),
    *("append", "extend", "insert", "pop", "keys", "items", "values", "clear", "update", "forward", "training"),
    *("self", "torch", "nn", "F", "x", "x2", "out", "_", "_x", "0", "1", "name", "module", "layers", "self_", "B"),
    *("in_channels", "in_features", "use_a", "with_a", "padding", "params", "Net", "Cell", "cell", "use_my_act"),
    *("c.0", "c.1", "c.x", "c.keys", "a-b.0", "l.0", "max.a", "0.1"),
)
PARAMETERS = ("k", "n", "w", "flag", "word", "pair")
ODD_PARAMETERS = (
    *("l", "l_", "I", "if_", "max", "min", "int", "len", "layers", "range", "self", "torch", "F", "x", "i", "nn"),
    *("in_features", "in_channels", "use_a", "super", "Cell", "B", "name", "list", "sum", "padding", "bias", "a_b"),
)
VALUES: dict[str, tuple[Any, ...]] = {
    "int": (1, 2, 3, 4, 5, -3, 6, 0),
    "bool": (True, False),
    "word": ("x", "2 ** 3", "a-b", "relu", "k * 2", "it's", '"', "{k}", "", "in.d", "None", "1"),
    "list": ([3, 3], [3, 4], [1], [2, 2, 5], [True, 1]),
    "float": (0.5, 1.0, 2.0, 0.0),
    "tag": ("p", "q", "p_", "max", "l", "r_1", "None", "self"),
}
"""What a parameter may be given, by its kind."""


class Drawn:
    """One spec. `odd` lets in names that mean something to Python, to torch or to the printed source."""

    def __init__(self, seed: int, odd: bool) -> None:
        self.random = Random(seed)
        self.odd = odd
        self.names = ODD if odd else ORDINARY
        self.blocks: dict[str, dict[str, str]] = {}
        """The kinds of the parameters of each block."""
        self.reaching = Random(seed + 1)
        self.outside: list[str] = []
        """The names in the bodies around the one that is drawn."""
        self.calls: dict[str, str] = {}
        """The operation or input list that a block's word stands for."""

    def document(self) -> dict[str, Any]:
        """The whole spec as plain data."""
        pick = self.random
        blocks: dict[str, Any] = {}
        for number in range(pick.randint(1, 3)):
            name = self._block_name(number)
            kinds = self._parameters()
            header = " ".join([name, *(self._declared(p, kind) for p, kind in kinds.items())])
            blocks[header] = self.body(kinds, 0)
            self.blocks[name] = kinds
        layers: list[Any] = [{"common": "prelu"}] if self.reaching.random() < 0.3 else []
        for name in pick.sample(list(self.blocks), len(self.blocks)):
            layers += [self.use(name) for _ in range(pick.randint(1, 3))]
        return {"input": pick.choice(["6", "6", "4x6"]), "blocks": blocks, "layers": layers}

    def _block_name(self, number: int) -> str:
        odd = ("none", "None_", "true", "Cell", "cell", "b", "B", "f", "F_", "self", "x", "I", "list", "nn", "my_b")
        name = self.random.choice([n for n in odd if n not in self.blocks]) if self.odd else f"b{number}"
        return str(name)

    def _parameters(self) -> dict[str, str]:
        pick = self.random
        pool = (*PARAMETERS, *ODD_PARAMETERS) if self.odd else PARAMETERS
        return {name: pick.choice(list(VALUES)) for name in pick.sample(pool, pick.randint(1, 4))}

    def _declared(self, name: str, kind: str) -> str:
        if kind not in ("int", "bool") or self.random.random() < 0.7:
            return name
        return f"{name}={str(self.random.choice(VALUES[kind])).lower()}"

    def use(self, name: str) -> Any:
        """A call of a block with plain values."""
        return {name: {p: self.random.choice(VALUES[kind]) for p, kind in self.blocks[name].items()}}

    def body(self, kinds: dict[str, str], depth: int) -> Any:
        """The body of a block or level."""
        pick = self.random
        count = pick.randint(1, 4)
        if pick.random() < 0.4:
            return [self.item(kinds, depth) for _ in range(count)]
        names: dict[str, Any] = {}
        for _ in range(count):
            name = pick.choice(self.names)
            tags = [p for p, kind in kinds.items() if kind == "tag"]
            if tags and pick.random() < 0.4:
                tag = pick.choice(tags)
                name = pick.choice([f"${tag}", f"$({tag})_{name}", f"{name}-${tag}", f"${tag}{pick.choice('12')}"])
            elif pick.random() < 0.15:
                name += pick.choice([f"${p}" for p, kind in kinds.items() if kind in ("int", "bool")] or [""])
            elif pick.random() < 0.1:
                name = f"{name}$({self.condition(kinds)})"
            around = len(self.outside)
            self.outside += names
            names[name] = self.step(kinds, depth, list(names))
            del self.outside[around:]
        if depth and pick.random() < 0.15:
            return {"layers": names, "order": pick.sample(list(names), pick.randint(1, len(names)))}
        return names

    def item(self, kinds: dict[str, str], depth: int) -> Any:
        """What stands in a list."""
        pick = self.random
        if pick.random() < 0.25 and depth < 3:
            group: dict[str, Any] = {"layers": self.body({**kinds, "i": "int"}, depth + 1)}
            if pick.random() < 0.6:
                group["repeat"] = pick.choice([0, 1, 2, 3, [3, 5], [1, 2, 2]])
            if pick.random() < 0.5:
                group["when"] = self.condition(kinds)
            if isinstance(group.get("repeat"), list):
                group["as"] = pick.choice(["n", "k", "width", *kinds])
            return group
        return self.step(kinds, depth, [], named=False)

    def step(self, kinds: dict[str, str], depth: int, before: list[str], named: bool = True) -> Any:
        """What stands at a name."""
        pick = self.random
        chance = pick.random()
        if chance < 0.15 and depth < 3:
            return self.body(kinds, depth + 1)
        if chance < 0.25 and self.blocks:
            name = pick.choice(list(self.blocks))
            given = {p: self.argument(kind, kinds) for p, kind in self.blocks[name].items()}
            return {name: given}
        row = self.row(kinds, before) if named or pick.random() < 0.8 else f"linear {self.whole(kinds)} x2"
        return f"{row} when {self.condition(kinds)}" if pick.random() < 0.35 else row

    def row(self, kinds: dict[str, str], before: list[str]) -> str:
        pick = self.random
        size = self.whole(kinds)
        rows = [
            f"linear {size}", f"linear {size} nobias", f"linear {size}", f"linear {size}, relu", "relu", "gelu",
            "layernorm", "dropout 0.5", "dropout 0.5 when training", "add(prev in)", "mul(prev) 2", "softmax -1",
            f"softplus beta={size}", f"leaky_relu {pick.choice([0.1, 0.2])}", f"elu {size}",
            f"linear {size} wrap=weight_norm", f"linear {size} when training", "layernorm when not training",
            f"parameter {size} init={size}", f"buffer {size}", "concat(in prev)", f"linear {size}, dropout 0.1, tanh",
            f"pad $({self.whole(kinds)[2:-1]} % 3) 1", "linear $(in.d)",
        ]  # fmt: skip
        plain = [name for name in before if "$" not in name]
        if plain:
            seen = pick.choice(plain)
            rows += [f"add({seen} prev)", f"concat({seen} prev)", f"alias {seen}", f"use {seen}", f"add({seen} in)"]
            rows += [f"linear({seen}) {size}", f"use(in) {seen}"]
        if self.reaching.random() < 0.03:
            seen = self.reaching.choice([name for name in self.outside if "$" not in name] + ["common"])
            return self.reaching.choice([f"use {seen}", f"alias {seen}", f"use(in) {seen}"])
        return pick.choice(rows)

    def argument(self, kind: str, kinds: dict[str, str]) -> Any:
        """An argument for a block used inside another: a value, or an expression."""
        if self.random.random() < 0.5:
            same = [p for p, other in kinds.items() if other == kind]
            if kind == "int":
                return self.whole(kinds)
            if kind == "bool":
                return f"$({self.condition(kinds)})"
            if same:
                return f"${self.random.choice(same)}"
        return self.random.choice(VALUES[kind])

    def whole(self, kinds: dict[str, str]) -> str:
        """An expression of at least 1, mostly."""
        pick = self.random
        ints = [p for p, kind in kinds.items() if kind == "int"] or ["4"]
        lists = [p for p, kind in kinds.items() if kind == "list"] or ["[2, 3]"]
        bools = [p for p, kind in kinds.items() if kind == "bool"] or ["True"]
        words = [p for p, kind in kinds.items() if kind in ("word", "tag")] or ["'word'"]
        floats = [p for p, kind in kinds.items() if kind == "float"] or ["2.5"]
        a, b, c, many = pick.choice(ints), pick.choice(ints), pick.choice(bools), pick.choice(lists)
        w, f = pick.choice(words), pick.choice(floats)
        found = pick.choice([
            f"abs({a}) + 1", f"{a} + 4", f"2 * {a} + 7", f"{a} ** 2 + 1", f"max({a}, {b}, 1)", f"{a} ** abs({b}) + 800",
            f"{a} // 2 + 3", f"{a} % 3 + 1", f"-{a} // 2 + 5", f"-{a} % 3 + 1", f"5 if {c} else 7", f"{a} and {b} or 3",
            f"len({many})", f"{many}[0] + 1", f"sum({many}) + 1", f"min({many}) + 2", f"round({f}) + 1", "in.d",
            f"in.d + {a} + 4", "in.d // 2 + 1", f"int({f}) + 2", f"{c} + 3", f"len({w}) + 1", f"({a} > 2) + 2",
            f"min(({a}, 3)) + 4", f"{a} - {b} + 9", f"{a} - (-{b}) + 9", f"10 - ({a} - {b})", f"({a} or 4) + 5",
            f"{many}[-1] + 1", f"len({many}[1:]) + 1", f"2 ** -(-{a}) * 8 // 1" if a.isdigit() else f"{a} * {a} + 1",
        ])  # fmt: skip
        return f"$({found})" if pick.random() < 0.3 else f"$(abs({found}) % 7 + 1)"

    def condition(self, kinds: dict[str, str]) -> str:
        pick = self.random
        name = pick.choice(list(kinds))
        values = [repr(v) for v in VALUES[kinds[name]]]
        value = pick.choice(values)
        tests = [f"{name} == {value}", f"{name} != {value}", f"{name}", f"not {name}", f"{name} in [{value}, 7]"]
        if kinds[name] in ("int", "float", "bool"):
            tests += [f"{name} > 2", f"1 < {name} < 5", f"{name} == True", f"{name} == 1.0", f"{name} and {name} > 1"]
            tests += [f"{name} * 2 + 1 > 4 or {name} == 0", f"3 > {name}", f"-3 ** 2 < {name}", f"{name} ** 2 >= 9"]
        if kinds[name] == "list":
            tests += [f"{name} == (3, 3)", f"{name} == [3, 3]", f"3 in {name}", f"len({name}) == 2", f"{name}[0] > 2"]
        if kinds[name] in ("word", "tag"):
            tests += [f"{name} + 'a' == 'xa'", f"'2' in {name}", f"{name} == '2 ** 3'"]
        tests += ["in.d == 6", "in.d > 4", "true", "False"]
        return pick.choice(tests)


def drawn(seed: int, odd: bool) -> str:
    """The text of a spec."""
    return yaml.dump(Drawn(seed, odd).document(), Dumper=_Dumper, sort_keys=False, width=200)


class _Dumper(yaml.SafeDumper):
    """Writes equal parts out each time."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
