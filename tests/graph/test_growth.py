"""The work of a check grows no faster than its spec: calls are counted at two sizes, and large specs end soon."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np
import pytest

from netspec import SpecError, loads, words
from netspec.text.reader import read_text
from netspec.text.report import SHOWN
from netspec.views import difference, table
from netspec.views.format import formatted
from netspec.views.onnx import emit
from netspec.views.picture import layout, picture
from netspec.views.problems import LISTED, rows
from tests.effort import computing

HEAD = "input: 3x8x8\n"
FLAT = "input: 8\n"


def each(pattern: str, count: int, between: str = ", ") -> str:
    """A pattern for each number, with {i} for it and {n} for the next."""
    return between.join(pattern.format(i=i, n=i + 1) for i in range(count))


def linears(count: int) -> str:
    """A network of that many linear layers: a0, a1, ..."""
    return f"{FLAT}layers: {{{each('a{i}: fc 8', count)}}}\n"


KINDS: dict[str, Callable[[int], str]] = {
    "ties in a chain": lambda n: f"{linears(n + 1)}tie: {{{each('a{i}.weight: a{n}.weight', n)}}}",
    "ties backwards": lambda n: f"{linears(n + 1)}tie: {{{each('a{n}.weight: a{i}.weight', n)}}}",
    "ties of nothing": lambda n: f"{linears(n)}tie: {{{each('b{i}.weight: c{i}.weight', n)}}}",
    "unknown operations": lambda n: f"{HEAD}layers: [{each('rela{i}', n)}]",
    "unknown arguments": lambda n: f"{HEAD}layers: ['conv 4 {each('kk{i}=1', n, ' ')}']",
    "unknown arguments, long": lambda n: f"{HEAD}layers: [{{conv: {{{each('kk{i}: 1', n)}}}}}]",
    "unknown values": lambda n: f"{HEAD}layers:\n{each('- a{i}: relu(b{i})', n, chr(10))}",
    "unknown names": lambda n: f"{HEAD}params: {{{each('p{i}: $(q{i})', n)}}}\nlayers: [relu]",
    "unknown words in blocks": lambda n: f"{HEAD}blocks: {{{each('bl{i}: foo{i}', n)}}}\nlayers: [relu]",
    "unknown sections": lambda n: f"{HEAD}layers: [relu]\n{each('foo{i}: 1', n, chr(10))}",
    "rules of init for nothing": lambda n: f"{HEAD}init: {{{each('foo{i}: zeros', n)}}}\nlayers: [conv 3 k1 x20]",
    "patterns of freeze": lambda n: f"{HEAD}weights: {{freeze: [{each('foo{i}', n)}]}}\nlayers: [conv 3 k1 x20]",
    "brackets": lambda n: f"{HEAD}layers: ['conv {'(' * n}{')' * n}']",
    "brackets behind a $": lambda n: f"{HEAD}layers: ['conv ${'(' * n}{')' * n} k1']",
    "brackets in an arrow": lambda n: f"{HEAD}layers: ['fc {'(' * n}->{')' * n}']",
    "brackets that stay open": lambda n: f"{HEAD}layers: ['relu {'(' * n}']",
    "sizes of an arrow": lambda n: f"{HEAD}layers: ['fc {'->'.join(['8'] * n)}']",
    "a repeat": lambda n: f"{HEAD}layers: [{{repeat: {n}, layers: [conv 3 k1, bn, relu]}}]",
    "uses": lambda n: f"{HEAD}layers: [a: [conv 3 k1, relu], {each('use a', n)}]",
    "members in order": lambda n: f"{HEAD}layers: {{{each('a{i}: conv 3 k1', n)}}}\noutputs: [{each('a{i}', n)}]",
    "params": lambda n: f"{HEAD}params: {{p0: 1, {each('p{n}: $p{i}', n)}}}\nlayers: [relu]",
    "conditions": lambda n: f"{HEAD}layers: [{each('relu when {i} > 1', n)}]",
    "members of one list": lambda n: f"{HEAD}layers: {{{each('a.{i}: conv 3 k1', n)}}}",
    "members of many lists": lambda n: f"{HEAD}layers: {{{each('a{i}.0: conv 3 k1, a{i}.1: relu', n)}}}",
    "conditions that leave out": lambda n: (
        f"{HEAD}blocks: {{a k: {{{each('b{i}: conv 3 k1 when k > {n}', n)}}}}}\nlayers: [a 10, a 20, a 30]"
    ),
    "aliases of aliases": lambda n: f"{HEAD}layers: {{a0: conv 3 k1, {each('a{n}: alias a{i}', n)}}}",
    "metrics": lambda n: f"{HEAD}layers: [fc 8]\ntrain: {{loss: mse, metrics: [{each('mae', n)}]}}",
    "keys given twice": lambda n: f"{HEAD}layers: [relu]\n" + "a: 1\n" * n,
}  # fmt: skip
ENDLESS = {
    "a block inside itself": lambda n: f"{HEAD}blocks: {{a: [{each('a', n)}]}}\nlayers: [a]",
    "blocks inside each other": lambda n: (
        f"{HEAD}blocks:\n{each('  a{i}: [a{n}, a{n}]', n, chr(10))}\n  a{n}: [a0]\nlayers: [a0]"
    ),
    "a block that counts without end": lambda n: (
        f"{HEAD}blocks: {{a n: [{each('a $(n+1) when n > -1', n)}]}}\nlayers: [a 0]"
    ),
    "blocks nested too deeply": lambda n: (
        f"{HEAD}blocks:\n{each('  a{i}: [a{n}, a{n}]', n, chr(10))}\n  a{n}: [relu]\nlayers: [a0]"
    ),
}  # fmt: skip


def work(text: str, read: Callable[[str], Any] = loads) -> int:
    """How many functions are called to check a spec, or to read it otherwise, C's own among them."""
    calls = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        read(text)
    except SpecError:
        pass
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("kind", KINDS)
def test_twice_as_much_is_twice_the_work(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "EFFORT", 100_000)  # what hints cost at the most is spent by the smaller one
    work(KINDS[kind](3))  # imports
    fixed = work(KINDS[kind](20))
    small, large = (work(KINDS[kind](n)) - fixed for n in (100, 200))
    assert large < 2.6 * small + 20_000


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("unknown")])
def test_a_mistake_costs_little(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "EFFORT", 100_000)
    work(KINDS[kind](3))  # imports
    assert work(KINDS[kind](200)) - work(KINDS[kind](100)) < 100 * 1_000


def differing(text: str) -> None:
    """The difference to the same network without one bias."""
    other = text.replace("conv 3 k1", "conv 3 k1 nobias", 1)
    difference.text(difference.difference(loads(text).graph, loads(other).graph))


def exporting(text: str) -> None:
    """The ONNX file of a network, whose weights are zero."""
    graph = loads(text).graph
    weights = {name: np.zeros(shape, np.float32) for name, shape in {**graph.parameters(), **graph.buffers()}.items()}
    emit(graph, weights, opset=20, outputs=list(graph.outputs), metadata={}).SerializeToString()


READERS: dict[str, Callable[[str], Any]] = {
    "export": exporting,
    "graph": lambda text: picture(loads(text).graph),
    "summary": lambda text: table.text(table.summary(loads(text).graph)),
    "diff": differing,
    "build": lambda text: loads(text).source(),
    "fmt": lambda text: formatted(read_text(text), long=False),
    "fmt --long": lambda text: formatted(read_text(text), long=True),
}
READ: dict[str, Callable[[int], str]] = {
    "steps": lambda n: f"{HEAD}layers: [conv 3 k1, {each('relu', n)}]",
    "names": lambda n: f"{HEAD}layers: {{{each('a{i}: conv 3 k1', n)}}}",
    "levels": lambda n: f"{HEAD}layers: {{{each('a{i}: [conv 3 k1, relu]', n)}}}",
    "members of one list": KINDS["members of one list"],
    "uses of one block": lambda n: (
        f"{HEAD}blocks: {{b k: [conv 3 k1, relu when k > 1]}}\nlayers: {{{each('a{i}: b 2', n)}}}"
    ),
    "blocks": lambda n: f"{HEAD}blocks: {{{each('b{i}: [conv 3 k1]', n)}}}\nlayers: [{each('b{i}', n)}]",
    "rounds": lambda n: f"{HEAD}layers: [{{repeat: {n}, layers: [conv 3 k1, bn, relu]}}]",
    "one value taken by all": lambda n: f"{HEAD}layers: {{c: conv 3 k1, {each('a{i}: add(c in)', n)}}}",
    "aliases of aliases": KINDS["aliases of aliases"],
    "ties in a chain": KINDS["ties in a chain"],
    "outputs": KINDS["members in order"],
}  # fmt: skip


@pytest.mark.parametrize("kind", READ)
@pytest.mark.parametrize("reader", READERS)
def test_twice_as_much_is_twice_the_work_of_each_reader(
    reader: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "MAX_COMPARED", 20_000)
    read, text = READERS[reader], READ[kind]
    work(text(3), read)  # imports
    fixed = work(text(20), read)
    small, large = (work(text(n), read) - fixed for n in (60, 120))
    assert large < 2.6 * small + 20_000


@pytest.mark.parametrize("kind", ENDLESS)
def test_what_has_no_end_is_seen_before_it_is_walked(kind: str) -> None:
    text = ENDLESS[kind](60)
    work(text)
    assert work(text) < 200_000
    with pytest.raises(SpecError) as caught:
        loads(text)
    assert {p.code for p in caught.value.problems} == {"recursion"}


LARGE = {
    "ties": KINDS["ties in a chain"](3_000),
    "mistakes": f"{HEAD}layers:\n" + each("- rela{i}", 10_000, "\n"),
    "brackets": KINDS["brackets"](60_000),
    "arguments": f"{HEAD}layers: ['conv {'a=1 ' * 60_000}']",
    "references": f"{HEAD}layers: {{{each('c.{i}: relu(in)', 3000)}, {each('z{i}: add(c.*)', 3000)}}}",
    "rules": f"{HEAD}init: {{{each('a{i}*: zeros', 5000)}}}\nlayers: [conv 3 k1 x3000]",
    "nested": f"{HEAD}layers: [{{repeat: 10000, layers: [{{repeat: 10000, layers: [relu]}}]}}]",
}  # fmt: skip


@pytest.mark.parametrize("kind", LARGE)
def test_large_specs_end_soon_and_say_little(kind: str) -> None:
    said = ""
    with computing(60):
        try:
            loads(LARGE[kind])
        except SpecError as error:
            said = str(error)
    assert len(said) < 50_000


def test_a_report_stops_and_counts_the_rest() -> None:
    with pytest.raises(SpecError) as caught:
        loads(LARGE["mistakes"], name="net.yaml")
    report, error = str(caught.value), caught.value
    assert report.count("error[unknown-op]") == SHOWN
    assert report.endswith("\n\nand 9,950 more")
    assert len(error.problems) == 10_000
    assert error.source is not None
    listed = rows(error.problems, error.source)
    assert len(listed) == LISTED + 1
    assert listed[-1]["message"] == "and 9,000 more"
    assert listed[-1]["code"] == "more"


def test_errors_are_shown_before_what_is_no_error() -> None:
    params = "".join(f"  unused{i}: 1\n" for i in range(200))
    blocks = "lint: {ignore: [nothing-such]}\n"
    with pytest.raises(SpecError) as caught:
        loads(f"{HEAD}params:\n{params}layers: [relu]\n{blocks}")
    assert "nothing-such" in str(caught.value)
