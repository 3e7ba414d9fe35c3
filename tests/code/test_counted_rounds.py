"""A parameter of a block that counts rounds: the class takes it where with more it is what the spec would be."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
import torch

import netspec
from netspec.runtime.network.printed import module_class
from tests.code.meaning import disagreement
from tests.code.style import assert_source_formatted
from tests.code.test_root_arguments import taken
from tests.drawn import MORE

SEP = "  sep c s=1: {conv1: 'conv $(in.c) k3 s$s p1 g$(in.c)', pw: conv $c k1}\n"
XCEPTION = """
  block c reps s=1 start=true grow=true:
    rep:
      repeat: $reps
      layers: [relu when start or i > 0, "sep $(c if grow or i == reps - 1 else in.c)", bn]
    pooled: pool 3 s$s p1 when s != 1
    skip: {when: s != 1 or c != in.c, layers: {conv: conv(in) $c k1 s$s, bn: bn}}
    out: add(pooled skip)
"""
ROWS = {
    "a row with conditions": (XCEPTION, "block 12 2 s2 start=false", "block 12 3", "block 12 N s2 start=false"),
    "a row": ("  block c n: [conv $c k1, {repeat: $n, layers: [relu, sep $c, bn]}]", "block 8 2", "block 12 3", ""),
    "one module a round": (
        "  block c n: {a: conv $c k1, b: {repeat: $n, layers: [sep $c]}, c: add(b in) when in.c == c}",
        "block 8 3",
        "block 12 2",
        "",
    ),
    "once": ("  block c n: [{repeat: $n, layers: [relu, sep $c]}]", "block 8 1", "block 12 2", ""),
    "a count that is computed": ("  block c n: [sep $c 2, 'sep $c x$(n - 1)', bn]", "block 8 2", "block 8 1", ""),
    "a default": ("  block c n=2: [bn, {repeat: $n, layers: [relu, sep $c]}]", "block 8 3", "block 8", "block 8 n=N"),
    "two counts": (
        "  block c n m=1: [bn, {repeat: $n, layers: [relu, sep $c]}, {repeat: $m, layers: [tanh, bn]}]",
        "block 8 1 2",
        "block 8 3",
        "block 8 N 2",
    ),
    "joined": (
        "  block c n: [{repeat: $n, layers: {convs.$i: conv 5 k3 p1}}, {b: concat(in convs.*)}, {c: conv $c k1}]",
        "block 8 2",
        "block 8 3",
        "",
    ),
}


def network(blocks: str, layers: str, params: str = "") -> str:
    given = f"params: {{{params}}}\n" if params else ""
    return f"input: 8x9x9\n{given}blocks:\n{SEP}{blocks.strip(chr(10))}\nlayers: {{{layers}}}\n"


def printed(text: str) -> tuple[netspec.Spec, Any]:
    spec = netspec.loads(text)
    assert_source_formatted(spec.source())
    return spec, module_class(spec.source(), spec.name)


@pytest.mark.parametrize("name", ROWS)
def test_a_block_is_one_class_whatever_its_rounds(name: str) -> None:
    block, first, second, changed = ROWS[name]
    text = network(block, f"a: {first}, b: {second}, c: 'gap, fc 3'")
    spec, cls = printed(text)
    assert not disagreement(spec)
    known = cls.__init__.__globals__
    assert "Block2" not in known, spec.source()
    use = changed or f"{first[: first.rindex(' ')]} N"
    for count in (1, 4):
        wanted: Any = netspec.loads(text.replace(first, use.replace("N", str(count)))).build()
        given = {"reps" if "reps" in block else "n": count}
        rest = {"c": 12 if "conditions" in name else 8, **({"m": 2} if "two" in name else {})}
        rest |= {"s": 2, "start": False} if "conditions" in name else {}
        names = taken(known["Block"])
        inner = {arg: 8 for arg in names if arg.startswith("in_")}
        found = known["Block"](**inner, **{k: v for k, v in {**given, **rest}.items() if k in names})
        assert str(found) == str(wanted.a), spec.source()
        found.load_state_dict(wanted.a.state_dict())
        x = torch.randn(2, 8, 9, 9)
        assert torch.equal(found.eval()(x), wanted.a.eval()(x))


def test_a_count_that_more_follows_from_than_rounds_is_no_argument() -> None:
    blocks = """
  block c n: {a: {repeat: $n, layers: {l.$i: conv 5 k1}}, b: 'conv $(c * n) k1', d: "mul $(4 if n == 2 else 1)"}
  odd n: {a: {repeat: $n, layers: {l.$i: "conv $(4 * prev.c) k1"}}}
"""
    text = network(blocks, "a: block 3 2, b: block 3 2, c: odd 3")
    spec, cls = printed(text)
    assert not disagreement(spec)
    assert "n" not in taken(cls.__init__.__globals__["Odd"]), spec.source()


def test_counts_of_blocks_follow_from_lists_of_the_network() -> None:
    layers = 'a: "stage $width $(depths[0])", b: "stage $width $(depths[1])", c: "stage 9 $(depths[2])"'
    blocks = "  stage c n: [{repeat: $n, layers: [relu, sep $c]}, bn]"
    text = network(blocks, layers, "depths: [2, 2, 2], width: 8")
    _, cls = printed(text)
    assert list(taken(cls)) == ["depths", "width"]
    assert str(cls(depths=(1, 3, 4))) == str(netspec.loads(text, ["params.depths=[1,3,4]"]).build())


def test_a_width_that_blocks_hand_on_through_conditions_is_known_behind_many_of_them() -> None:
    layers = 'a: block $width 2 s2, body: {repeat: $middle, layers: {"block$i": block $width 3}}, z: block 16 2'
    text = network(XCEPTION, layers, "middle: 6, width: 12")
    _, cls = printed(text)
    assert taken(cls) == {"middle": 6, "width": 12}
    wanted = netspec.loads(text, ["params.middle=2", "params.width=10"]).build()
    assert str(cls(middle=2, width=10)) == str(wanted)


def drawn(seed: int) -> tuple[str, str]:
    """A network of a block with counted rows, used several times, and the same with another count in the first use."""
    pick = random.Random(seed)
    pieces = [
        "relu",
        "bn",
        "sep $c",
        "sep $(c if i == n - 1 else in.c)",
        "conv $c k1",
        "conv $(in.c) k3 p1",
        "dropout 0.1",
    ]
    guards = ["", "", " when i > 0", " when flag or i > 0", " when i < n - 1", " when flag"]
    body = [f"{pick.choice(pieces)}{pick.choice(guards)}" for _ in range(pick.choice([1, 1, 2, 3]))]
    count = pick.choice(["$n", "$n", "$(n + 1)", "$(2 * n)"])
    rows = [f"{{repeat: {count}, layers: [{', '.join(body)}]}}"]
    rows = [*pick.choice([[], ["conv $c k1"], ["bn"]]), *rows, *pick.choice([[], ["sep $c"], [f"sep $c x{count}"]])]
    skip = pick.choice(["", ", skip: {when: in.c != c, layers: [conv(in) $c k1]}, out: add(rep skip)"])
    last = "" if not skip else ", same: conv $c k1"
    block = f"  block c n flag=true: {{rep: [{', '.join(rows)}]{last}{skip.replace('rep skip', 'same skip')}}}"
    uses = [
        f"block {pick.choice([8, 8, 12])} {pick.choice([1, 2, 3])}{pick.choice(['', ' flag=false'])}" for _ in "abc"
    ]
    again = re.sub(r"(block \d+) \d", r"\1 4", uses[0])
    layers = ", ".join(f"{name}: {use}" for name, use in zip("abc", uses, strict=True))
    return network(block, layers), network(block, layers.replace(uses[0], again, 1))


@pytest.mark.parametrize("seed", range(2 * MORE))
def test_drawn_rows_are_what_the_spec_says_for_any_count(seed: int) -> None:
    text, changed = drawn(seed)
    try:
        (spec, cls), other = printed(text), netspec.loads(changed).build()
    except netspec.SpecError:
        return
    assert not disagreement(spec), spec.source()
    head = cls.__init__.__globals__["Block"]
    arguments = re.search(r"self\.a = Block\((.*)\)", spec.source())
    if arguments is None or "n" not in taken(head):
        return
    given = eval(f"dict(zip({list(taken(head))}, ({arguments[1].split(', flag')[0]},)))")
    flags = {"flag": False} if "flag=False" in arguments[1] else {}
    assert str(head(**{**given, **flags, "n": 4})) == str(other.a), spec.source()
