"""What `netspec export` costs from start to end, as a share of a script that calls torch's own exporter.

Both run as fresh processes and read the same weights from a file; neither compares what it has written. Memory is the
peak of the process, as a multiple of the weights, over what a process needs that has imported the same. The cost of a
layer in a network with four times as many is told in seconds of computing. `--large 3` exports a network of 3 GB, whose
tensors lie beside the file, and runs that once.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from safetensors.numpy import save_file

import netspec
from benchmarks.ratios import Row, Work, pairs, report, timed
from netspec.runtime.network.weights import save_weights
from netspec.views.onnx import emit, save

SPECS = Path(__file__).parent.parent / "specs"
PEER = """
import torch
from safetensors.torch import load_file
from network import {name}

network = {name}().eval()
network.load_state_dict(load_file("weights.safetensors"))
batch = torch.export.Dim("batch")
torch.onnx.export(network, (torch.randn(2, {shape}),), "peer.onnx", dynamo=True, dynamic_shapes=({{0: batch}},))
"""
PEAK = """
import runpy, sys
sys.argv[:] = {arguments!r}
try:
    runpy.run_module("netspec", run_name="__main__")
finally:
    print(*[line for line in open("/proc/self/status") if line.startswith("VmHWM")], file=sys.stderr)
"""


def process(folder: Path, *arguments: str) -> Work:
    """One fresh Python process from start to end, in a folder."""
    return timed(lambda: started(folder, *arguments))


def started(folder: Path, *arguments: str) -> str:
    """What a Python process says on its standard error."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    root = str(Path(netspec.__file__).parent.parent)
    environment = {**kept, "PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "PYTHONPATH": root}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, check=True, cwd=folder, env=environment, capture_output=True, text=True)
    return done.stderr


def measure(count: int, names: tuple[str, ...] = ("lenet5_tutorial", "resnet50"), layers: int = 1000) -> list[Row]:
    rows = []
    for name in names:
        with tempfile.TemporaryDirectory() as text:
            folder = Path(text)
            spec = netspec.load(SPECS / f"{name}.yaml")
            weights = spec.build().state_dict()
            save_weights(weights, folder / "weights.safetensors")
            (x,) = spec.graph.inputs.values()
            (folder / "network.py").write_text(spec.source())
            (folder / "peer.py").write_text(PEER.format(name=spec.name, shape=", ".join(map(str, x.shape[1:]))))
            (folder / "net.yaml").write_text(spec.text)
            words = ("export", "net.yaml", "weights.load=weights.safetensors", "-o", "net.onnx", "--unproven")
            found = pairs(process(folder, "-m", "netspec", *words), process(folder, "peer.py"), count)
            note = f"{found}, median of pairs {found.ratio:.3f}"
            rows.append(Row(f"{name}: export / torch.onnx.export", found.fastest, at_most=0.06, note=note))
            size = sum(tensor.nbytes for tensor in weights.values())
            if size > 2**25 and Path("/proc/self/status").exists():
                peak = peak_of(folder, "netspec", *words) - peak_of(folder, "netspec", "export", "--help")
                rows.append(Row(f"{name}: memory / weights", peak / size, at_most=2.5, note=f"{peak:,} bytes"))
    return [*rows, growth(count, layers)]


def large(gigabytes: float, width: int = 4096) -> list[Row]:
    """The memory of an export whose tensors lie beside the file, proven or not, and whether the file computes right."""
    layers = max(1, round(gigabytes * 1e9 / (4 * width * width)))
    rows = []
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "net.yaml").write_text(
            f"input: {width}\nlayers: [{{repeat: {layers}, layers: [linear {width} nobias]}}]"
        )
        chance = np.random.default_rng(0)
        drawn = chance.standard_normal((width, width), np.float32) / np.float32(width**0.5)
        names = netspec.load(folder / "net.yaml").graph.parameters()
        save_file({name: np.roll(drawn, i, 0) for i, name in enumerate(names)}, folder / "weights.safetensors")
        size = layers * drawn.nbytes
        least = peak_of(folder, "netspec", "export", "--help")
        for more in (["--unproven"], []):
            start = time.perf_counter()
            words = ("export", "net.yaml", "weights.load=weights.safetensors", "-o", "net.onnx", *more)
            peak = peak_of(folder, "netspec", *words) - least
            note = f"{peak:,} bytes for {size:,}, {time.perf_counter() - start:.0f} s"
            rows.append(
                Row(f"{size / 1e9:.1f} GB{', proven' * (not more)}: memory / weights", peak / size, 2.5, note=note)
            )
        session = onnxruntime.InferenceSession(str(folder / "net.onnx"), providers=["CPUExecutionProvider"])
        x = wanted = chance.standard_normal((2, width), np.float32)
        for i in range(layers):
            wanted = wanted @ np.roll(drawn, i, 0).T
        far = np.abs(session.run(None, {"input": x})[0] - wanted).max() / np.abs(wanted).max()
        beside = (folder / "net.onnx.data").stat().st_size if (folder / "net.onnx.data").exists() else 0
        rows.append(Row("difference from numpy", float(far), 1e-4, note=f"{beside:,} bytes beside the file"))
    return rows


def growth(count: int, layers: int = 1000) -> Row:
    """What a layer of a network with four times as many costs to write, in seconds of computing."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = (writing(n, Path(folder, "net.onnx")) for n in (layers, 4 * layers))
        found = pairs(large, small, count)
    return Row(f"{4 * layers:,} layers / {layers:,} layers, each", found.fastest / 4, at_most=1.25, note=str(found))


def writing(layers: int, file: Path) -> Work:
    """Writes the file of a network of so many layers, and gives the seconds that were computed."""
    graph = netspec.loads(f"input: 8\nlayers: [{{repeat: {layers}, layers: [fc 8, relu]}}]").graph
    weights = {name: np.zeros(shape, np.float32) for name, shape in graph.parameters().items()}

    def work() -> float:
        gc.collect()
        start, arrays = time.process_time(), dict[str, Any]()
        model = emit(graph, weights, opset=20, outputs=list(graph.outputs), metadata={}, apart=arrays)
        save(model, arrays, file)
        return time.process_time() - start

    return work


def peak_of(folder: Path, *arguments: str) -> int:
    """The most memory that a process of netspec had, in bytes, as Linux tells it."""
    said = started(folder, "-c", PEAK.format(arguments=list(arguments)))
    return int(said.split()[-2]) * 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument(
        "--large", type=float, default=0, metavar="GB", help="a network of so many GB instead, such as 3"
    )
    options = parser.parse_args()
    report(large(options.large) if options.large else measure(options.pairs))
