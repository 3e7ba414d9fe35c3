"""C files: what torch computes, under strict warnings and sanitizers, whatever a spec calls things."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import netspec
from netspec.cli.export import command
from netspec.errors import ExportFailed, ExportMismatch, UsageError
from netspec.runs.data import data_of
from netspec.runtime.export.c_library import compiled
from netspec.runtime.export.report import Report
from netspec.views.c import Unwritable, emit
from netspec.views.c.network import Network
from netspec.views.c.program import MOST_WEIGHTS, interface
from tests.export.campaign import RANDOM, drawn
from tests.export.compiled import differences, written
from tests.layers.examples import CLASSES as LAYERS
from tests.ops.examples import CLASSES as OPERATIONS

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
SPECS = Path(__file__).parent.parent.parent / "specs"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
SANITIZED = (*STRICT, "-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
MAIN = """
#include "{stem}.h"
#include <stdio.h>
int main(void)
{{
    static float x[{x}], y[{y}];
    if (fread(x, sizeof x[0], {x}, stdin) != {x} || {function}(x, y)) return 1;
    return fwrite(y, sizeof y[0], {y}, stdout) != {y};
}}
"""
NETWORKS = {
    "image": """
input: 3x12x12
layers: [conv 6 k3 s2 p1 nobias, bn, relu, conv 8 k3 same groups=2, gelu, conv 8 k3 p1 groups=8, hardswish,
  maxpool 3 2 1, conv 5 k2 padding_mode=circular p1, groupnorm 1, avgpool 2 1 1 count_include_pad=false,
  conv_transpose 4 k3 s2 p1, instancenorm, upsample scale_factor=2, adaptive_avg_pool 3, fc 7, softmax 1]""",
    "tokens": """
input: 5x8
layers: {a: layernorm, q: linear(a) 8, k: linear(a) 8, v: linear(a) 8, s: sdpa(q k v) heads=2, r: "add(s in), rmsnorm",
  m: [linear 70, silu, linear 8], o: "add(m r), mean 1", z: "concat(o o), linear 3, tanh"}""",
    "volume": """
input: 4x7x6x8
layers: [conv 6 k3x2x3 s2x1x1 p1 groups=2, bn, relu, conv 8 k3 d2x1x1 p2x1x1 padding_mode=circular, maxpool 2 s1 p1,
  avgpool 3x2x2 s1x2x1 p1 count_include_pad=false, conv 66 k1,
  conv 4 k1, conv_transpose 6 k2x3x2 s2x1x2 p1x1x0 groups=2,
  avgpool 2 divisor_override=3, adaptive_avg_pool 2x3x4, fc 3]""",
    "resized volume": """
input: 2x3x4x5
layers: [interpolate size=5x3x9 mode=trilinear, interpolate scale_factor=1.3 mode=trilinear,
  interpolate size=4x7x2 mode=trilinear align_corners, upsample scale_factor=2 mode=trilinear,
  interpolate size=3x9x1 mode=area, interpolate size=2x2x2 mode=nearest-exact]""",
    "steps": """
input: 6x5
layers: [gru 4 batch_first bidirectional, lstm 3 batch_first, select 1 -1, linear 2, sigmoid]""",
    "sequence": """
input: 4x20
layers: [conv 6 k5 d2 p4, bn, elu, pad 2 1, maxpool 2, transpose 1 2, linear 3, log_softmax -1, flip 1, sum 2, sub 1,
  abs, sqrt]""",
}


def exported(text: str, folder: Path, *overrides: str) -> Report:
    torch.manual_seed(0)
    return netspec.loads(text, list(overrides)).export(folder / "net.c")


@pytest.mark.parametrize("name", NETWORKS)
def test_a_program_gives_what_torch_gives(name: str, tmp_path: Path) -> None:
    spec = netspec.loads(NETWORKS[name])
    module = spec.build().eval()
    report = spec.export(tmp_path / "net.c", module)
    assert report.relative < 1e-5
    said = interface((tmp_path / "net.c").read_text())
    x = torch.randn(said["inputs"][0][2])
    sizes = {"x": x.numel(), "y": int(np.prod(said["outputs"][0][2])), "function": said["function"], "stem": "net"}
    (tmp_path / "main.c").write_text(MAIN.format(**sizes))
    subprocess.run(["cc", *SANITIZED, "net.c", "main.c", "-o", "main", "-lm"], cwd=tmp_path, check=True)
    ran = subprocess.run([tmp_path / "main"], input=x.numpy().tobytes(), capture_output=True, check=True)
    with torch.no_grad():
        expected = module(x).numpy().ravel()
    assert np.abs(np.frombuffer(ran.stdout, np.float32) - expected).max() < 1e-5


def test_examples_of_operations(tmp_path: Path) -> None:
    some = [cls for i, cls in enumerate((*LAYERS, *OPERATIONS)) if cls.__name__ not in RANDOM and i % 12 == 0]
    cases = written((case for cls in some for case in islice(drawn(cls, 8, 1), 1)), tmp_path)
    assert sum(case.file is not None for case in cases) > 10
    assert not list(differences(cases))


def test_every_operation_in_many_cases(tmp_path: Path) -> None:
    classes = [cls for cls in (*LAYERS, *OPERATIONS) if cls.__name__ not in RANDOM]
    for cls in classes:
        folder = tmp_path / cls.__name__
        folder.mkdir()
        cases = written(islice(drawn(cls, 40, 3), 10), folder)
        if any(case.file for case in cases):
            assert not list(differences(cases)), cls


def test_names_shape_no_code(tmp_path: Path) -> None:
    text = (
        "name: Int\ninputs: {auto: 4, extern: 4}\nlayers: "
        "{static: linear(auto) 3, sizeof: linear(extern) 3, x: add(static sizeof)}\noutputs: {typedef: x, NULL: sizeof}"
    )
    exported(text, tmp_path)
    subprocess.run(["cc", *STRICT, "-c", "net.c"], cwd=tmp_path, check=True)
    header = (tmp_path / "net.h").read_text()
    assert "int Int_run(const float *auto_, const float *extern_, float *typedef_, float *NULL_);" in header


@pytest.mark.parametrize("text", ["*/ x /*", "??/\n", "a\\\nb", "ä\u202e", "/*/", "**//", '"#define', "\x00"])
def test_no_text_ends_a_comment(text: str, tmp_path: Path) -> None:
    from netspec.emit.c.code import comment, identifier
    from netspec.views.c.program import MARK, spelled

    lines = [f"/* {comment(text)} */", *spelled(MARK, {"function": "f", "metadata": {"netspec.spec": text}}), "int n;"]
    (tmp_path / "net.c").write_text("\n".join(lines))
    subprocess.run(["cc", *STRICT, "-trigraphs", "-c", "net.c"], cwd=tmp_path, check=True)
    assert interface("\n".join(lines))["metadata"]["netspec.spec"] == text
    assert re.fullmatch(r"[A-Za-z0-9_]*", identifier(text))


def test_memory_is_shared_and_norms_are_folded(tmp_path: Path) -> None:
    report = exported(
        "input: 2x16x16\nlayers: [conv 4 k3 p1 nobias, bn, relu, conv 4 k3 p1, bn, relu, gap, fc 3]", tmp_path
    )
    source = (tmp_path / "net.c").read_text()
    assert "batchnorm" not in source
    assert report.facts["memory"] <= 4 * (4 * 16 * 16 + 4 * 18 * 18)
    assert f"{report.facts['memory']:,} bytes of static memory" in (tmp_path / "net.h").read_text()
    assert "/* conv1: pad, line 2: 2 x 16 x 16 -> 2 x 18 x 18 */" in source


def test_a_norm_of_what_others_read_too_stays(tmp_path: Path) -> None:
    exported("input: 4x8\nlayers: {a: conv 4 k1, b: bn(a), c: add(a b)}", tmp_path)
    assert "batchnorm" in (tmp_path / "net.c").read_text()


def test_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    spec = netspec.loads(NETWORKS["sequence"])
    module = spec.build()
    texts = []
    for _ in range(2):
        spec.export(tmp_path / "net.c", module)
        texts.append((tmp_path / "net.c").read_bytes() + (tmp_path / "net.h").read_bytes())
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("input: Tx5\nlayers: [linear 3]", "has the shape B x T x 5, and C is written for sizes that are known"),
        ("input: 4\nlayers: {noise: randn_like, y: add(in noise)}", "draw"),
        ("input: 4\nlayers: {c: cumsum 1}", "c (cumsum) has no form in C"),
        ("input: 2x5x5\nlayers: [interpolate size=9x9 mode=bicubic]", "interpolate1 (interpolate) resizes by bicubic"),
        ("input: 3000\nlayers: [linear 3000]", "more than 8,000,000 numbers of weights"),
    ],
)
def test_what_has_no_form_is_refused_by_name(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match=re.escape(reason)):
        exported(text, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_number_outside_of_its_table_is_refused(tmp_path: Path) -> None:
    exported("input: int 3\nlayers: [embedding 5 2]", tmp_path)
    run = compiled(tmp_path / "net.c")
    assert run([np.array([[0, 4, 1]])])[0].shape == (1, 3, 2)
    for outside in (5, -1):
        with pytest.raises(ExportMismatch, match="stands for no row of a table"):
            run([np.array([[0, outside, 1]])])


def test_a_wrong_program_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netspec.emit.c.layers.LAYERS, "found", {})  # type: ignore[attr-defined]
    monkeypatch.setitem(netspec.emit.c.layers.LAYERS, "Tanh", netspec.emit.c.layers.each("v"))  # type: ignore[attr-defined]
    with pytest.raises(ExportMismatch, match="computes something else"):
        exported("input: 4\nlayers: [linear 3, tanh]", tmp_path)
    assert not list(tmp_path.iterdir())


def test_without_a_compiler_it_is_refused_or_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    spec = netspec.loads("input: 4\nlayers: [linear 3]")
    with pytest.raises(ExportFailed, match=r"no C compiler here .* --unproven"):
        spec.export(tmp_path / "net.c")
    assert not spec.export(tmp_path / "net.c", proven=False).compared
    assert (tmp_path / "net.h").exists()


def test_a_name_that_no_file_can_include(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no name for a file that C includes"):
        netspec.loads("input: 4\nlayers: [linear 3]").export(tmp_path / 'a"b.c')


def test_int8_is_what_torch_rounds(tmp_path: Path) -> None:
    text = (
        "input: 1x8x8\nlayers: [conv 4 k3 p1 nobias, bn, relu, conv 6 k3 s2, relu, fc 10]\ndata: digits\n"
        "train: {loss: cross_entropy, optimizer: sgd lr=0.1, epochs: 1, metrics: [accuracy]}\n"
        "export: {c: {dtype: int8, max_drop: 1}}"
    )
    report = exported(text, tmp_path)
    assert report.facts["int8"] == 3
    assert report.relative < 0.01
    assert re.fullmatch(r"int8 on the validation data: accuracy 0\.\d+ before and 0\.\d+ after", report.note)
    assert "static const int8_t" in (tmp_path / "net.c").read_text()
    subprocess.run(["cc", *STRICT, "-c", "net.c"], cwd=tmp_path, check=True)


def test_int8_that_costs_too_much_is_refused(tmp_path: Path) -> None:
    text = (
        "input: 1x8x8\nlayers: [fc 10]\ndata: digits\ntrain: {loss: cross_entropy, optimizer: sgd, epochs: 1}\n"
        "export: {c: {dtype: int8, max_drop: 0.01}}"
    )
    spec = netspec.loads(text)
    module = spec.build()
    data = data_of(spec, False, None, hold=False)
    ((x,), target), *_ = data.train.batches(2000)
    means = torch.stack([x[target == c].flatten(1).mean(0) for c in range(10)])
    weight, bias = module.parameters()
    with torch.no_grad():
        weight.copy_(means)
        bias.copy_(-means.square().sum(1) / 2)
        weight[:, 0] = 1e4  # of a corner that no digit reaches: steps are too coarse for all else
    with pytest.raises(ExportMismatch, match=r"int8 costs more than 0\.01 of accuracy"):
        spec.export(tmp_path / "net.c", module)
    assert not list(tmp_path.iterdir())


def test_int8_needs_data(tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match="calibrated on training data"):
        exported("input: 4\nlayers: [linear 3]\nexport: {c: {dtype: int8}}", tmp_path)


def test_the_command_names_both_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text("name: Net\ninput: 4\nlayers: [linear 3]\nexport: c output=probabilities")
    ended = CliRunner().invoke(command, ["net.yaml", "--c"])
    assert ended.exit_code == 0, ended.output
    assert sorted(p.name for p in tmp_path.iterdir()) == ["Net.c", "Net.h", "net.yaml"]
    assert "softmax" in Path("Net.c").read_text()
    ended = CliRunner().invoke(command, ["net.yaml", "--py", "--c"])
    assert isinstance(ended.exception, UsageError)
    assert "--c and --py are several formats" in str(ended.exception)
    assert not Path("Net.py").exists()


def form(name: str) -> str:
    """What a ready spec is in C: `yes`, or why it is none."""
    graph = netspec.load(SPECS / f"{name}.yaml").graph
    if graph.parameter_count > MOST_WEIGHTS:
        return f"more than {MOST_WEIGHTS:,} numbers of weights"
    zero = np.float32(0)
    weights = {
        f"{where}.{part}": np.broadcast_to(zero, shape)
        for where, step in graph.root.owners()
        if step.op is not None
        for part, shape in {**step.op.parameters(), **step.op.buffers()}.items()
    }
    for step in graph.root.walk():
        if step.op is not None and step.op.owned and step.value.tensor is not None:
            weights[step.path] = np.broadcast_to(zero, step.value.tensor.shape)  # type: ignore[arg-type]
    try:
        Network(graph, weights).level(graph.root, "")
    except Unwritable as error:
        return "sizes that only the run knows" if "sizes that are known" in str(error) else f"{error}"
    return "yes"


def test_the_table_of_ready_specs_is_fresh() -> None:
    text = (SPECS.parent / "docs" / "export.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|$", text, re.MULTILINE))
    assert rows == {path.stem: form(path.stem) for path in sorted(SPECS.glob("*.yaml"))}


def test_the_header_names_the_classes(tmp_path: Path) -> None:
    names = ['a "b"', "é??/", "c\\n", "1"]
    graph = netspec.loads("name: Net\ninput: 4\nlayers: [relu]").graph
    program = emit(
        graph, {}, stem="net", outputs=["output"], metadata={"netspec.classes": json.dumps(names)}, behind={}
    )
    (tmp_path / "net.h").write_text(program.header)
    (tmp_path / "net.c").write_text(program.source)
    (tmp_path / "main.c").write_text(
        '#include "net.h"\n#include <stdio.h>\nint main(void)\n{\n'
        "    static const char *const names[] = Net_CLASS_NAMES;\n"
        "    for (int i = 0; i < Net_CLASSES; i++) puts(names[i]);\n    return 0;\n}\n"
    )
    subprocess.run(["cc", *STRICT, "main.c", "net.c", "-lm", "-o", "main"], cwd=tmp_path, check=True)
    said = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == names
