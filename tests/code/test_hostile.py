"""What a stranger writes into a spec is printed as data, and text that is more than that is refused."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from itertools import product
from typing import Any

import pytest
import yaml

from netspec import SpecError, loads
from netspec.python.allowlist import Disallowed, check
from netspec.python.expressions import f_string, quoted, text
from netspec.python.literals import literal
from netspec.python.nodes import same
from netspec.views.code.closed import closed

CALL = "torch.os.system('touch PWNED')"
TEXTS = [
    f"z' or {CALL} or 'q",
    f'z" or {CALL} or "q',
    f"z}} {{{CALL}}} {{",
    f"z\\' or {CALL} or \\'",
    f'z\\\\" or {CALL} #',
    f"z\n{CALL}\n",
    f"z\r\n\x0c{CALL}\x85\u2028{CALL}",
    f"'''{CALL}'''",
    f'"""\n{CALL}\n"""',
    f"')\n        {CALL}\n        ('",
    f"{{{CALL}!r:{{{CALL}}}}}",
    f"\\N{{LATIN SMALL LETTER A}}\\x27 or {CALL}",
    "z\uff07 or \uff54orch.\uff4fs.system(\uff07x\uff07) \U0001f600 \ufffd",
    "\\",
    "'",
    '"',
    "{",
    "}",
    "{0.__class__}",
    "%s",
    "\x7f\x80é",
    "",
]
"""Strings that mean something in one place or another of a Python text."""


def spec_with(**sections: Any) -> dict[str, Any]:
    return {"netspec": 1, "name": "Net", "input": 8, **sections}


def places(text: str) -> list[dict[str, Any]]:
    """Specs with a text in every place from which one could get into the printed source."""
    quoted = json.dumps(text)
    twice = ["b one", {"b": {"k": text}}]
    called = {"b": {"k": text, "n": 8}}
    return [
        spec_with(blocks={"b k": {f"lin$('a' if k == {quoted} else k)": "fc 8"}}, layers=["b one", "b two"]),
        spec_with(blocks={"b k": {f"lin$({quoted} if k == 'one' else k)": "fc 8"}}, layers=["b one", "b two"]),
        spec_with(blocks={"b k": {f"{text}$k": "fc 8"}}, layers=["b one", "b two"]),
        spec_with(blocks={"b k": {"lin$k": "fc 8"}}, layers=twice),
        spec_with(blocks={"b k": ["fc 8", f"relu when k == {quoted}"]}, layers=["b one", {"b": {"k": text}}]),
        spec_with(blocks={"b k": ["fc 8", f"relu when {quoted} in k"]}, layers=twice),
        spec_with(blocks={"b k n": [f"fc $(n if k == {quoted} else 4)", "fc 8"]}, layers=["b one 4", called]),
        spec_with(blocks={f"b k={quoted}": ["fc 8", "relu when k == 'one'"]}, layers=["b", "b one"]),
        spec_with(blocks={"b k": ["fc 8", {"when": f"k == {quoted}", "layers": ["fc 8"]}]}, layers=twice),
        spec_with(params={"p": text}, layers=["fc 8", f"relu when p == {quoted}"]),
        spec_with(params={"p": text}, layers={"lin$p": "fc 8"}),
        spec_with(layers={text: "fc 8"}),
        spec_with(layers={"a": {text: "fc 8", "b": "relu"}, "c": f"use a.{text}"}),
        spec_with(layers={"a": "fc 8", text: "alias a"}),
        spec_with(layers=["fc 8", "relu"], outputs={text: "relu1"}),
        spec_with(layers=["fc 8"], init={text: "zeros"}),
        spec_with(layers=["fc 8", "fc 8"], init={f"fc1{text}*": "zeros", "fc?": {text: "ones"}}),
        spec_with(layers=["fc 8", {"einsum": {"inputs": ["prev", "prev"], "equation": text}}]),
        spec_with(layers=[{"Conv1d": {"out_channels": 8, "kernel_size": 1, "padding_mode": text}}]),
        spec_with(layers=[{"GELU": {"approximate": text}}]),
        spec_with(layers=[{text: {}}]),
        spec_with(layers=["fc 8", text]),
        spec_with(layers=["fc 8"], tie={f"fc1.{text}": "fc1.weight"}),
        {**spec_with(layers=["fc 8"]), "name": text},
        {**spec_with(layers=["fc(x) 8"]), "input": {text: 8, "x": 8}},
        spec_with(blocks={f"b {text}": ["fc 8"]}, layers=["b one"]),
        spec_with(blocks={f"{text} k": ["fc 8"]}, layers=["b one"]),
        spec_with(layers=[{"repeat": [{"n": text}], "layers": {"x$n": "fc 8"}}]),
    ]


RUN = """
import json, os, sys
import torch
import torch.nn.utils.parametrizations, torch.nn.functional
from netspec import SpecError, loads
loads("input: 8\\nlayers: [fc 8, relu]").build()(torch.zeros(2, 8))
met = []
QUIET = {"compile", "exec", "object.__getattr__", "import", "os.listdir", "marshal.loads", "builtins.id"}
def hook(event, arguments):
    reading = event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if event not in QUIET and not reading:
        met.append([event, repr(arguments)])
texts = json.loads(sys.stdin.read())
accepted = 0
sys.addaudithook(hook)
for text in texts:
    try:
        spec = loads(text)
    except SpecError:
        continue
    accepted += 1
    net = spec.build()
    net(torch.zeros(2, *next(iter(spec.graph.inputs.values())).shape[1:])) if len(spec.graph.inputs) == 1 else None
print(json.dumps([accepted, met]))
"""


def test_nothing_of_a_strangers_text_runs(tmp_path: Any) -> None:
    """Hostile texts in every place are refused, or are data: no event but reading and compiling is raised."""
    documents = [yaml.safe_dump(d, sort_keys=False, allow_unicode=False) for text in TEXTS for d in places(text)]
    command = [sys.executable, "-c", RUN]
    done = subprocess.run(command, input=json.dumps(documents), capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    accepted, met = json.loads(done.stdout)
    assert accepted > len(TEXTS), "some of them are strings that a spec may have"
    assert not met
    assert not list(tmp_path.iterdir())


def test_a_text_that_is_meant_is_what_the_network_has() -> None:
    """A condition on a string with quotes in it decides in the printed class as it does in the graph."""
    text = "z' or \"q"
    document = places(text)[4]
    spec = loads(yaml.safe_dump(document))
    assert f"if k == {quoted(text)}:" in spec.source()
    kinds = [[type(m).__name__ for m in block.children()] for block in spec.build().children()]
    assert kinds == [["Linear"], ["Linear", "ReLU"]]


SPEC = """
input: 8x8x8
blocks:
  b c: {conv: conv $c k3 same wrap=weight_norm, bn: "bn, relu", y-0: conv 8 k1}
layers: {one: b 8, two: b 16, table: buffer 3x4 init=sincos, twice: concat(two two), halves: chunk 2, m: {k: mean 2 3}}
outputs: {a: m}
init: {"*conv*": {weight: kaiming_normal}}
"""
HOSTILE = [
    "torch.os.system('x')",
    "torch.load('x', weights_only=False)",
    "torch.hub.load('x', 'y')",
    "torch.builtins.exec('x')",
    "getattr(torch, 'os').system('x')",
    "getattr(getattr(self, 'conv'), 'os')",
    "getattr(x, 'tofile')('x')",
    "x.tofile('x')",
    "x.cpu().numpy().tofile('x')",
    "x.storage()",
    "nn.os",
    "F.os.system('x')",
    "nn.modules.module.warnings.sys",
    "torch.cat.__globals__",
    "torch.serialization.load('x')",
    "torch.jit.load('x')",
    "torch.sys.modules",
    "torch.compile(x)",
    "F.relu.__globals__",
    "exec('x')",
    "eval('x')",
    "open('x')",
    "__import__('os')",
    "print('x')",
    "globals()",
    "type(x)",
    "(lambda: x)()",
    "[e := exec]",
    "self.__class__",
    "self.forward.__globals__",
    "self.load_state_dict(x)",
    "self.apply(exec)",
    "self.register_forward_hook(exec)",
    "self.get_submodule('conv.__class__')",
    "self.get_submodule(x)",
    "getattr(self, x)",
    "getattr(self, 'a' + 'b')",
    "getattr",
    "list(map(exec, x))",
    "zip",
    "f'{x!r}'",
    "f'{x:{x}}'",
    "b'bytes'",
    "1j",
    "x.append.__self__",
    "super().__class__",
    "super().__init__.__globals__",
    "f(**{'x': 1})",
    "await_",
    "(yield)",
    "nn.Conv2d.__init__.__globals__['os']",
    "OrderedDict.__init__",
    "fnmatch.os",
    "next",
    "self.parameters.__globals__",
    "next(self.parameters()).grad_fn",
    "next(self.parameters()).data_ptr()",
    "x.dtype.__class__",
    "x.to.__self__",
]


def body(statement: str) -> str:
    return (
        "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n\nclass Net(nn.Module):\n"
        f"    def __init__(self):\n        super().__init__()\n        self.conv = nn.Conv2d(8, 8, 3)\n\n"
        f"    def forward(self, x):\n        {statement}\n        return x\n"
    )


@pytest.mark.parametrize("expression", HOSTILE)
@pytest.mark.parametrize("where", ["{}", "x = {}", "self.kept = {}", "if {}:\n            x = 1", "x[{}] = 1"])
def test_text_beyond_the_catalogue_is_refused(expression: str, where: str) -> None:
    with pytest.raises((Disallowed, SyntaxError)):
        check(body(where.format(expression)), closed([loads(SPEC).graph]))


@pytest.mark.parametrize(
    "statement",
    [
        "import os",
        "import torch.hub as F",
        "from os import system",
        "from torch import load",
        "from torch import hub as nn",
        "from . import nn",
        "from torch import *",
        "torch = x",
        "for torch in x:\n            pass",
        "del x",
        "with x:\n            pass",
        "try:\n            x = 1\n        except Exception:\n            x = 2",
        "global x",
        "x: torch.os = 1",
        "assert x",
        "raise x",
        "while x:\n            x = 1",
        "async def g(): x = 1",
        "@exec\n        def g(): x = 1",
        "def g(y: exec): x = 1",
        "def g() -> exec: x = 1",
        "class A(metaclass=exec): x = 1",
        "torch.cat = x",
        "nn.Module.forward = x",
        "setattr(torch, 'cat', x)",
        "setattr(self, '__class__', x)",
        "setattr(self, x, x)",
    ],
)
def test_statements_that_are_not_printed_are_refused(statement: str) -> None:
    with pytest.raises((Disallowed, SyntaxError)):
        check(body(statement), closed([loads(SPEC).graph]))


def test_the_dtype_that_a_network_computes_in_may_be_read() -> None:
    check(body("x = x.to(next(self.parameters()).dtype)"), closed([loads(SPEC).graph]))


def test_what_is_printed_passes_only_with_its_own_graph() -> None:
    spec = loads(SPEC)
    check(spec.source(), closed([spec.graph]))
    with pytest.raises(Disallowed):
        check(spec.source(), closed([loads("input: 8\nlayers: [fc 8]").graph]))


def test_a_text_with_another_tree_than_was_meant_is_refused() -> None:
    meant = ast.parse(body("x = self.conv('a')"))
    check(body("x = self.conv('a')"), closed([loads(SPEC).graph]), meant)
    for other in ("x = self.conv('b')", "x = self.conv('a' + x)", "x = self.conv(x)"):
        with pytest.raises(Disallowed, match="another tree"):
            check(body(other), closed([loads(SPEC).graph]), meant)


def test_a_printer_that_lets_a_string_out_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a fault in how strings are quoted, the text is not let through."""
    monkeypatch.setattr("netspec.python.expressions.quoted", lambda text: f'"{text}"')
    document = places('a" or k != "b')[4]
    with pytest.raises(Disallowed, match="another tree"):
        loads(yaml.safe_dump(document)).source()


@pytest.mark.parametrize("string", TEXTS)
def test_a_string_is_its_own_literal(string: str) -> None:
    assert quoted(string).isascii()
    assert ast.literal_eval(literal(string)) == string


@pytest.mark.parametrize(("constant", "compared"), list(product(TEXTS, TEXTS[:8])))
def test_a_composed_string_is_what_its_parts_say(constant: str, compared: str) -> None:
    value = ast.parse(f"k if k != {compared!r} else {constant!r}", mode="eval").body
    tree = f_string([constant, value, constant])
    for k in (compared, "other", 7):
        assert eval(text(tree), {"k": k}) == f"{constant}{k if k != compared else constant}{constant}"
    assert same(ast.parse(text(tree), mode="eval").body, tree)


EXPRESSIONS = [
    "-k ** 2", "(-k) ** 2", "(-2) ** k", "2 ** -k", "2 ** 3 ** 2", "(2 ** 3) ** 2", "a - (b - c)", "a - b - c",
    "a / (b / c)", "a // b * c", "a // (b * c)", "-(a + b)", "-(-a)", "not (a or b)", "not a or b", "not (not a)",
    "(a or b) and c", "a or b and c", "a if b else c if a else b", "(a if b else c) + 1", "(a if b else c) if a else b",
    "a < b < c", "(a < b) < c", "a < (b < c)", "a == (not b)", "(a, b)", "(a,)", "[a, b][0]", "[a, b, c][1:]",
    "[a, b, c][:-1:2]", "min(a, b) ** 2", "a % 3", "(a, b)[k]", "'x' if a else 'y'", "a in (b, c)", "a not in [b]",
    "(a and b) == c", "(a + b) ** c", "a ** (b + c)", "-a ** -b", "+a - -b", "abs(-a)",
]  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_is_written_with_the_brackets_that_it_needs(expression: str) -> None:
    tree = ast.parse(expression, mode="eval").body
    assert ast.dump(ast.parse(text(tree), mode="eval").body) == ast.dump(tree)


def test_hostile_specs_are_data_or_refused_with_a_place() -> None:
    for string in TEXTS:
        for document in places(string):
            try:
                loads(yaml.safe_dump(document, sort_keys=False)).source()
            except SpecError as refused:
                assert all(problem.message for problem in refused.problems)
