"""What keeping what was read saves: 200 tokens of the char model at a context of 256, with its memory and without.

Both give the same tokens, on one thread. Besides torch, an exported file in ONNX Runtime is measured against itself.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

import netspec
from benchmarks.ratios import Row, pairs, report, timed
from netspec.runs.export import export
from netspec.runs.generate import Whole, remembering
from netspec.runs.generate_file import FileReader
from netspec.runs.language_model import language_model
from netspec.runs.onnx_model import OnnxModel
from netspec.runs.sampling import Reader, Sampling, tokens_after

CHAR_LM = Path(__file__).parent.parent / "specs" / "char_lm.yaml"
CONTEXT = 256


def measure(times: int, tokens: int = 200) -> list[Row]:
    """One row for torch, one for ONNX Runtime."""
    torch.set_num_threads(1)
    spec = netspec.load(CHAR_LM, [f"params.context={CONTEXT}"])
    module, model = spec.build().eval(), language_model(spec)
    with TemporaryDirectory() as folder:
        files = [Path(folder, "whole.onnx"), Path(folder, "kept.onnx")]
        for file, cache in zip(files, ("false", "true"), strict=True):
            own = spec.over([f"export.onnx.cache={cache}"])
            export(own, module, file, learnt=None, proven=False)
        whole, kept = (FileReader(OnnxModel.read(file, 1), model, "kept" in file.name) for file in files)
        return [
            _row("torch", Whole(module, model), remembering(spec, module, model), times, tokens),
            _row("ONNX Runtime", whole, kept, times, tokens),
        ]


def _row(name: str, whole: Reader, kept: Reader, times: int, tokens: int) -> Row:
    """How many times as fast the one that keeps what it has read is."""

    def text(reader: Reader) -> list[int]:
        return list(islice(tokens_after(reader, [i % 50 for i in range(CONTEXT - tokens)], Sampling(), None), tokens))

    assert text(whole) == text(kept)
    found = pairs(timed(lambda: text(whole)), timed(lambda: text(kept)), times)
    bound = 5 if name == "torch" else None
    return Row(f"{name}, {tokens} tokens", found.ratio, at_least=bound, note=str(found), unit="x")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    report(measure(parser.parse_args().pairs))
