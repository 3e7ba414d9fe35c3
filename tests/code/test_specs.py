"""Every ready spec: it fits, prints, builds, and the module is what the graph said it would be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
import torch.fx.experimental._config

import netspec
from netspec.dims import Size, substitute
from netspec.python.allowlist import check
from netspec.runtime.network.printed import module_class
from netspec.tensors import Tensor
from netspec.views.code.closed import closed
from netspec.views.code.root_arguments import _found
from tests.reviewed import assert_reviewed

ROOT = Path(__file__).parent.parent.parent
SPECS = sorted((ROOT / "specs").glob("*.yaml"))
GOLDEN = Path(__file__).parent / "golden"
REVIEWED = (
    *("lenet5_tutorial", "resnet18", "mobilenet_v2", "nanogpt_tiny", "densenet121"),
    *("unet_buda_f8", "vae_mnist", "lstm_lm_small", "textcnn_kim", "vit_tiny_tv", "fcn_resnet50", "tcn_mnist"),
    *("convnext_tiny", "googlenet", "crnn_ocr", "mixer_tiny_timm", "squeezenet1_0", "bert_tiny", "pointnet_cls"),
    *("llama", "llama_cached", "t5", "clip_model", "whisper_encoder", "unet_ddpm", "swin_t"),
)
ZOO = ROOT.parent / "shared" / "zoo"
SIZES: dict[str, Size] = {"B": 2, "T": 9, "N": 16, "P": 4, "S": 5}


def example(tensor: Tensor) -> torch.Tensor:
    sizes = [substitute(size, SIZES) for size in tensor.shape]
    dtype: torch.dtype = getattr(torch, tensor.dtype)
    return torch.zeros([size for size in sizes if isinstance(size, int)], dtype=dtype)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_the_module_is_what_the_graph_says(path: Path) -> None:
    spec = netspec.load(path)
    source = spec.source()
    beside = _found(spec.document).beside if " when " in spec.text else ()  # what its parameters may also have there
    check(source, closed([spec.graph, *beside]))
    assert source == netspec.load(path).source()
    with torch.device("meta"), patch.object(torch.fx.experimental._config, "meta_nonzero_assume_all_nonzero", True):
        net = module_class(source, spec.name)().eval()
        state = {name: tuple(t.shape) for name, t in net.state_dict().items()}
        said = {**spec.graph.parameters(), **spec.graph.buffers()}
        assert state == said
        assert [n for n in state if n in spec.graph.parameters()] == list(spec.graph.parameters())
        assert sum(p.numel() for p in net.parameters()) == spec.graph.parameter_count
        outputs = net(*(example(t) for t in spec.graph.inputs.values()))
    given = list(outputs.values()) if isinstance(outputs, dict) else outputs
    given = [given] if isinstance(given, torch.Tensor) else list(given)
    wanted = [tuple(substitute(s, SIZES) for s in t.shape) for t in spec.graph.outputs.values()]
    if path.stem != "nanogpt_tiny":  # at inference it gives the last position only
        assert [tuple(t.shape) for t in given] == wanted


@pytest.mark.parametrize("name", REVIEWED)
def test_printed_source_is_the_reviewed_one(name: str) -> None:
    """Set NETSPEC_OVERWRITE_GOLDEN=1 to renew the files, and read the difference."""
    printed = netspec.load(ROOT / "specs" / f"{name}.yaml").source()
    assert_reviewed(printed, GOLDEN / f"{name}.py")


def test_tracebacks_show_the_printed_lines() -> None:
    net = netspec.load(ROOT / "specs" / "lenet5_tutorial.yaml").build()
    code = net.forward.__code__
    import linecache

    assert "def forward(self, x):" in linecache.getline(code.co_filename, code.co_firstlineno)


@pytest.mark.parametrize("name", ["block1-0", "self", "0", "class", "LayerNorm", "x"])
def test_any_name_without_a_dot_is_a_member(name: str) -> None:
    spec = netspec.loads(f"netspec: 1\ninput: 4\nlayers:\n  '{name}': linear 3\n  b: {{'{name}': linear 2}}\n")
    net = spec.build()
    assert list(net.state_dict()) == [f"{name}.weight", f"{name}.bias", f"b.{name}.weight", f"b.{name}.bias"]
    assert net(torch.zeros(5, 4)).shape == (5, 2)


@pytest.mark.skipif(not ZOO.exists(), reason="the reference models are not beside this checkout")
def test_references_match_in_names_order_shapes_and_values() -> None:
    done = subprocess.run(
        [sys.executable, str(ZOO / "check.py"), "--all", str(ROOT / "specs")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "34 of 34" in done.stdout


@pytest.mark.skipif(not ZOO.exists(), reason="the reference models are not beside this checkout")
@pytest.mark.parametrize(
    "path", [p for p in SPECS if (ZOO / "models" / p.name).with_suffix(".json").exists()], ids=lambda p: p.stem
)
def test_macs_are_half_of_the_counted_flops(path: Path) -> None:
    reference = json.loads((ZOO / "models" / f"{path.stem}.json").read_text())
    graph = netspec.load(path).graph
    entries = [part for entry in reference["inputs"]["B=1"] for part in entry.get("tuple", [entry])]
    sizes: dict[str, Size] = {}
    for tensor, entry in zip(graph.inputs.values(), entries, strict=True):
        sizes |= {str(d): n for d, n in zip(tensor.shape, entry["shape"], strict=True) if not isinstance(d, int)}
    macs = graph.macs()
    assert macs is not None
    assert 2 * substitute(macs, sizes) == reference["flops"]["flop_counter_mode_B1"]
