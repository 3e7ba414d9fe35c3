"""Plugins: words from Python, checked, printed, trained, exported, remembered, and never loaded by themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch

import netspec
from netspec import plugins
from netspec.errors import UsageError
from netspec.plugins import loading
from netspec.python.allowlist import Closed, Disallowed, check
from tests.cli.test_commands import run

ROOT = Path(__file__).parent.parent
GATES = ROOT / "examples" / "plugins" / "gates.py"
GATED = ROOT / "examples" / "plugins" / "gated.yaml"


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.py"
    path.write_text(f"import torch\nfrom torch import nn\nimport netspec\nfrom netspec.plugins import *\n{text}")
    return path


def test_a_spec_is_checked_printed_and_built_with_a_plugin() -> None:
    plugins.load(str(GATES))
    spec = netspec.load(GATED)
    assert "\nimport gates\n" in spec.source()
    assert "self.gate1 = gates.Gate(8, start=1.0)" in spec.source()
    net = spec.build()
    assert {n: tuple(p.shape) for n, p in net.named_parameters()} == spec.graph.parameters()
    assert spec.graph.outputs["fc1"].shape[1:] == (1,)
    assert net(torch.zeros(2, 1, 32)).shape == (2, 1)
    assert spec.graph.macs() is None  # what a plugin costs is not known


def test_the_printed_file_runs_beside_the_plugin(tmp_path: Path) -> None:
    plugins.load(str(GATES))
    (tmp_path / "net.py").write_text(netspec.load(GATED).source())
    (tmp_path / "gates.py").write_text(GATES.read_text())
    code = "import torch, net; print(tuple(net.Gated()(torch.zeros(2, 1, 32)).shape))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "(2, 1)\n", done.stderr


def test_without_the_plugin_every_word_is_named() -> None:
    with pytest.raises(netspec.SpecError) as caught:
        netspec.load(GATED)
    problems = caught.value.problems
    assert [p.code for p in problems] == [
        "unknown-op",
        "unknown-op",
        "unknown-dataset",
        "unknown-loss",
        "unknown-metric",
    ]
    assert all("--plugin FILE.py" in p.hint for p in problems)


def test_the_commands_take_a_plugin_and_a_run_remembers_it(tmp_path: Path) -> None:
    given = ["--plugin", str(GATES)]
    assert run("check", str(GATED), *given).returncode == 0
    trained = run("train", str(GATED), "--run", "run", *given, cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert list(json.loads((tmp_path / "run" / "plugins.json").read_text())) == ["gates.py"]
    assert "val.within" in run("eval", "run", *given, cwd=tmp_path).stdout
    exported = run("export", "run", "--onnx", "-o", "m.onnx", *given, cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    assert "gates.Gate(8)" in run("ops", "gate", *given).stdout


@pytest.mark.parametrize("command", [["eval", "run"], ["export", "run", "--onnx"]], ids=lambda c: c[0])
def test_a_run_loads_no_plugin_by_itself(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "spec.yaml").write_text(GATED.read_text())
    (tmp_path / "run" / "gates.py").write_text("raise SystemExit('it was run')")
    (tmp_path / "run" / "plugins.json").write_text('{"gates.py": "0"}')
    done = run(*command, cwd=tmp_path)
    assert done.returncode == 2
    assert "--plugin gates.py" in done.stderr


def test_a_run_is_resumed_with_the_plugin_that_it_began_with(tmp_path: Path) -> None:
    own = tmp_path / "gates.py"
    own.write_text(GATES.read_text())
    plugins.load(str(own))
    spec = netspec.load(GATED, ["train.epochs=1"])
    spec.train(tmp_path / "run")
    longer = netspec.load(GATED, ["train.epochs=2"])
    assert longer.train(tmp_path / "run", resume=True).history.records[-1]["epoch"] == 2
    loading._loaded["gates.py"] = "another"
    with pytest.raises(UsageError, match="not the one"):
        longer.train(tmp_path / "run", resume=True)


def test_a_plugin_that_has_changed_since_is_told(tmp_path: Path) -> None:
    """Its layers may compute something else than what was trained: the numbers are not the run's own."""
    own = tmp_path / "gates.py"
    own.write_text(GATES.read_text())
    given = ["--plugin", str(own)]
    assert run("train", str(GATED), "train.max_steps=1", "--run", "run", *given, cwd=tmp_path).returncode == 0
    assert run("eval", "run", *given, cwd=tmp_path).stderr == ""
    loading._loaded["gates.py"] = "another"
    for command in (["eval", "run"], ["export", "run", "-o", "m.onnx"]):
        done = run(*command, cwd=tmp_path)
        assert done.returncode == 0
        assert "warning: the plugin gates.py has changed since the run in run began" in done.stderr


def test_sizes_of_the_run_are_measured(tmp_path: Path) -> None:
    text = """
@netspec.register
class Longer(nn.Module):
    def forward(self, x):
        return torch.cat([x, x[:, :, 1:]], 2), x.argmax(1)
"""
    plugins.load(str(written(tmp_path, "longer", text)))
    spec = netspec.loads("netspec: 1\ninput: 3xT\nlayers: {y: longer}\noutputs: [y.0, y.1]\n")
    first, second = spec.graph.outputs.values()
    assert (str(first), str(second), second.dtype) == ("B x 3 x (2*T - 1)", "B x T", "int64")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return torch.zeros(x.shape[2] ** 2)", "no straight line"),
        ("return x.sum(0) if x.shape[0] == 4 else x", "different ranks"),
        ("return x @ x", "cannot run on B x 3 x T"),
        ("return 1", "something else than tensors"),
    ],
)
def test_what_cannot_be_measured_is_a_problem(body: str, words: str, tmp_path: Path) -> None:
    text = f"\n@netspec.register\nclass Odd(nn.Module):\n    def forward(self, x):\n        {body}\n"
    plugins.load(str(written(tmp_path, "odd", text)))
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads("netspec: 1\ninput: 3xT\nlayers: [odd]\n")
    assert words in caught.value.problems[0].message


def test_measuring_leaves_the_random_numbers_alone() -> None:
    plugins.load(str(GATES))
    torch.manual_seed(1)
    wanted = torch.rand(1)
    torch.manual_seed(1)
    netspec.load(GATED)
    assert torch.equal(torch.rand(1), wanted)


def test_a_record_is_checked_without_torch(tmp_path: Path) -> None:
    path = tmp_path / "shifts.py"
    path.write_text(
        "from netspec.plugins import Int, Layer, Misfit, Tensor, register\n\n\n"
        "@register\n"
        "class Shift(Layer):\n"
        '    """Adds a learned number to each channel."""\n\n'
        '    torch_name, example, example_input = "ShiftModule", "shift", "8x4x4"\n'
        '    channels = Int("channels of the input", None, ge=1, axis=1)\n\n'
        "    def shape(self, *inputs: Tensor) -> Tensor:\n        return inputs[0]\n\n"
        '    def parameters(self):\n        return {"bias": (self.channels,)}\n'
    )
    spec = tmp_path / "s.yaml"
    spec.write_text("netspec: 1\ninput: 3x8x8\nlayers: [conv 4 k3, shift channels=5]\n")
    code = (
        "import sys\nfrom netspec.cli import main\ntry:\n    main(sys.argv[1:])\n"
        "except SystemExit as end:\n    sys.exit(9 if 'torch' in sys.modules else end.code)\n"
    )
    arguments = [sys.executable, "-c", code, "check", str(spec), "--plugin", str(path)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "declares 5 channels, its input has 4" in done.stdout


def test_a_transform_and_a_loss_of_ones_own(tmp_path: Path) -> None:
    text = """
@register
class Invert(Transform):
    \"\"\"Turns light into dark.\"\"\"
    example = "invert"
    def apply(self, x):
        return 1 - x

@register
class Quartic(Loss):
    \"\"\"The fourth power of the difference.\"\"\"
    example = "quartic one_hot"
    one_hot = Bool("spread class numbers", False)
    target_kind = "class"
    def fit(self, predictions, target):
        if target is not None and target.dtype != "int64":
            raise Misfit("takes class numbers")
    def build(self):
        class Module(nn.Module):
            def forward(self, scores, target):
                return (scores - nn.functional.one_hot(target, scores.shape[1])).pow(4).mean()
        return Module()
"""
    plugins.load(str(written(tmp_path, "inverted", text)))
    spec = netspec.loads(
        "netspec: 1\ninput: 1x8x8\nlayers: [fc 10]\ndata: {source: digits, transform: invert}\n"
        "train: {loss: quartic, optimizer: adam lr=0.01, epochs: 3, metrics: accuracy}\n"
    )
    assert spec.train().history.records[-1]["val.accuracy"] > 0.5


def test_an_entry_point_is_loaded_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(
        tmp_path,
        "packaged",
        "\n@netspec.register\nclass Packaged(nn.Module):\n    def forward(self, x):\n        return x\n",
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(loading, "entry_points", lambda group: [EntryPoint("pack", "packaged", group)])
    plugins.load("pack")
    assert "packaged.Packaged()" in netspec.loads("netspec: 1\ninput: 3\nlayers: [packaged]\n").source()
    with pytest.raises(UsageError, match="Did you mean 'pack'"):
        plugins.load("pakc")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("broken", "1 / 0", "line 5: ZeroDivisionError"),
        ("json", "", "cannot be called json.py"),
        ("torch", "", "cannot be called torch.py"),
        ("a-b", "", "cannot be called a-b.py"),
        ("taken", "@netspec.register\nclass Conv2d(nn.Module): ...", "is there already"),
        ("kind", "@netspec.register\nclass Plain: ...", "is not a class of nn.Module"),
        ("typed", "@netspec.register\nclass T(nn.Module):\n    def __init__(self, x): ...", "needs one of these types"),
        ("axis", "@netspec.register(inferred={'c': 1})\nclass A(nn.Module): ...", "no argument c to infer"),
    ],
)
def test_a_plugin_that_is_wrong_is_told(name: str, text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        plugins.load(str(written(tmp_path, name, text)))
    assert words in str(caught.value)
    assert run("check", str(GATED), "--plugin", str(tmp_path / f"{name}.py")).returncode == 2


def test_a_plugin_that_is_not_there_is_told() -> None:
    done = run("check", str(GATED), "--plugin", "nowhere.py")
    assert done.returncode == 2
    assert "no plugin nowhere.py" in done.stderr


def test_only_the_plugins_own_import_is_allowed() -> None:
    source = "import gates\n\n\nx = gates.Gate(8)\n"
    torch = frozenset({"gates.Gate"})
    check(source, Closed(torch, plugins=frozenset({"gates"})))
    for other in (Closed(torch), Closed(torch, plugins=frozenset({"gate"})), Closed(plugins=frozenset({"gates"}))):
        with pytest.raises(Disallowed):
            check(source, other)


def test_a_network_cannot_take_the_plugins_name() -> None:
    plugins.load(str(GATES))
    with pytest.raises(netspec.SpecError) as caught:
        netspec.load(GATED, ["name=gates"])
    assert caught.value.problems[0].code == "name"


def test_the_face_of_plugins() -> None:
    """What a plugin imports is there, and is what the rest of netspec uses."""
    assert all(hasattr(plugins, name) for name in plugins.__all__)
    assert netspec.register is plugins.register
