"""What one sample costs in the C that `netspec export` writes, as a share of ONNX Runtime on one thread."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime as ort

import netspec
from benchmarks.ratios import Row, pairs, report, timed
from netspec.runtime.export.c_library import compiled

SPECS = Path(__file__).parent.parent / "specs"
FLAGS = ("-O3", "-march=native")
CALLS = 200


def measure(count: int, name: str = "lenet5_tutorial") -> list[Row]:
    spec = netspec.load(SPECS / f"{name}.yaml")
    module = spec.build()
    with tempfile.TemporaryDirectory() as folder:
        source, model = Path(folder, "net.c"), Path(folder, "net.onnx")
        spec.export(source, module)
        spec.export(model, module)
        run = compiled(source, FLAGS)
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = settings.inter_op_num_threads = 1
        session = ort.InferenceSession(str(model), settings, providers=["CPUExecutionProvider"])
    (x,) = spec.graph.inputs.values()
    image = np.random.RandomState(0).standard_normal((1, *(int(str(n)) for n in x.shape[1:]))).astype(np.float32)
    apart = float(np.abs(run([image])[0] - session.run(None, {"input": image})[0]).max())
    batch = np.repeat(image, CALLS, 0)
    c = timed(lambda: run([batch]))
    onnx = timed(lambda: [session.run(None, {"input": image}) for _ in range(CALLS)])
    found = pairs(c, onnx, count)
    note = f"{found}, median of pairs {found.ratio:.3f}, {CALLS} samples each, {apart:.1g} apart"
    return [Row(f"{name}: C / ONNX Runtime", found.fastest, at_most=1.5, note=note)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15)
    report(measure(parser.parse_args().pairs))
