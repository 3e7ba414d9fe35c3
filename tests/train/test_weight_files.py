"""Files of weights: what is written, and what is refused by its kind or its header before a tensor is read."""

from __future__ import annotations

import json
import os
import stat
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from netspec.errors import DataError
from netspec.runtime.network.weights import give_weights, load_weights, read_weights, save_weights
from netspec.runtime.store.checkpoint import FILES, Checkpoints
from netspec.runtime.store.safetensors import DTYPES, save_tensors


def written(path: Path, header: Any, size: int = 0, length: int | None = None) -> Path:
    """A file with this header, as many bytes behind it, and a length of the header that may be another."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text) if length is None else length) + text)
        stream.truncate(stream.tell() + size)
    return path


def entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize("dtype", DTYPES.values())
def test_safetensors_reads_what_is_written(dtype: torch.dtype, tmp_path: Path) -> None:
    value = torch.arange(6).to(torch.float32).reshape(2, 3)
    tensors = {"b": value.to(dtype), "a": torch.ones(3), "scalar": torch.tensor(2.5).to(dtype), "none": value[:0]}
    tensors["turned"] = value.t().to(dtype)
    save_tensors(tensors, tmp_path / "x.safetensors", {"z": "1", "a": "ü"})
    found = load_file(tmp_path / "x.safetensors")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].shape == tensor.shape
        assert found[name].to(torch.complex64).tolist() == tensor.to(torch.complex64).tolist()
    with safe_open(tmp_path / "x.safetensors", "pt") as file:
        assert file.metadata() == {"z": "1", "a": "ü"}


def test_the_bytes_depend_on_no_order_and_no_hash(tmp_path: Path) -> None:
    tensors, metadata = {"b": torch.ones(2), "a": torch.zeros(3)}, {str(i): "x" for i in range(40)}
    save_weights(tensors, tmp_path / "one", metadata)
    save_weights(dict(reversed(tensors.items())), tmp_path / "two", dict(reversed(metadata.items())))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_files_have_the_mode_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        save_weights({"a": torch.ones(2)}, tmp_path / "best.safetensors")
        place = Checkpoints(tmp_path / "checkpoints").save(1, 1, {"a": torch.ones(2)})
    finally:
        os.umask(before)
    files = (tmp_path / "best.safetensors", *(place / name for name in FILES))
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o644] * 3


GOOD = {"weight": entry("F32", [2, 2], 0, 16), "bias": entry("F32", [2], 16, 24)}
HEADERS: dict[str, tuple[Any, int, int | None, str]] = {
    "no JSON": (b"{'weight'", 24, None, "its header is no JSON"),
    "no UTF-8": (b"\xff\xfe\xfd", 24, None, "its header is no JSON"),
    "deep": (b"[" * 100_000, 0, None, "its header is no JSON"),
    "a list": ([], 0, None, "no mapping"),
    "too long a header": (GOOD, 24, 2**62, "begin with the length"),
    "a length of none": (GOOD, 24, 0, "begin with the length"),
    "NaN": (b'{"weight": NaN}', 0, None, "NaN"),
    "a name twice": (b'{"weight": {}, "weight": {}}', 0, None, "'weight' twice"),
    "metadata of numbers": ({**GOOD, "__metadata__": {"a": 1}}, 24, None, "metadata"),
    "another key": ({"weight": {**GOOD["weight"], "x": 1}}, 16, None, "not just dtype, shape and data_offsets"),
    "no such dtype": ({"weight": entry("F128", [2], 0, 32)}, 32, None, "'F128'. There are: F64"),
    "a dtype of a list": ({"weight": {**GOOD["weight"], "dtype": []}}, 16, None, "is of dtype"),
    "a shape of texts": ({"weight": {**GOOD["weight"], "shape": ["2"]}}, 16, None, "not lists of counts"),
    "a negative size": ({"weight": entry("F32", [-2, -2], 0, 16)}, 16, None, "not lists of counts"),
    "true for a size": (b'{"weight":{"dtype":"F32","shape":[true],"data_offsets":[0,4]}}', 4, None, "lists of counts"),
    "three offsets": ({"weight": {**GOOD["weight"], "data_offsets": [0, 8, 16]}}, 16, None, "not lists of counts"),
    "too few bytes": ({"weight": entry("F32", [2, 2], 0, 12)}, 12, None, "takes 16 bytes, and has 12"),
    "a shape beyond all": ({"weight": entry("F32", [2**60, 2**60], 0, 16)}, 16, None, "and has 16"),
    "an overlap": ({**GOOD, "bias": entry("F32", [2], 8, 16)}, 16, None, "begin at 8, and those before them end at 16"),
    "a hole": ({**GOOD, "bias": entry("F32", [2], 20, 28)}, 28, None, "begin at 20, and those before them end at 16"),
    "cut short": (GOOD, 20, None, "speaks of 24 bytes of tensors, and 20 are there"),
    "bytes behind": (GOOD, 400, None, "speaks of 24 bytes of tensors, and 400 are there"),
    "no header at all": (b"", 0, None, "begin with the length"),
}


@pytest.mark.parametrize("what", HEADERS)
def test_headers_that_are_none(what: str, tmp_path: Path) -> None:
    header, size, length, words = HEADERS[what]
    path = written(tmp_path / "x.safetensors", header, size, length)
    with pytest.raises(DataError) as caught:
        load_weights(nn.Linear(2, 2), path)
    assert str(caught.value).startswith(f"{path} holds no weights that can be read: ")
    assert words in str(caught.value)


def test_a_header_of_many_megabytes_is_not_parsed(tmp_path: Path) -> None:
    path = written(tmp_path / "x.safetensors", b"{" + b" " * 20_000_000 + b"}")
    with pytest.raises(DataError, match=r"its header takes 20,000,002 bytes, at most 16,777,216 are read"):
        read_weights(path)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_what_is_no_file_is_refused_and_not_waited_for(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    os.mkfifo(path)
    with pytest.raises(DataError, match="is a pipe, expected a file of weights"):
        read_weights(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match="is a folder, expected a file of weights"):
        read_weights(path)
    path.rmdir()
    path.symlink_to("/dev/zero")
    with pytest.raises(DataError, match="is a device, expected a file of weights"):
        read_weights(path)


def test_a_network_started_from_a_pipe_ends_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "w.safetensors")
    (tmp_path / "a.yaml").write_text("netspec: 1\ninput: 8\nlayers: [fc 3]\nweights: {load: w.safetensors}\n")
    command = [sys.executable, "-m", "netspec", "export", "a.yaml", "--onnx"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "w.safetensors is a pipe" in done.stderr


LARGE = f"""
import resource, sys
from pathlib import Path
from torch import nn
from netspec.errors import DataError
from netspec.runtime.network.weights import load_weights
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load_weights(nn.Linear(2, 2), Path(sys.argv[1]))
except DataError as error:
    print(error)
assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < {50 * 2**10}
"""


def test_large_weights_of_another_network_are_not_read(tmp_path: Path) -> None:
    header = {"weight": entry("F32", [30_000, 25_000], 0, 3_000_000_000)}
    path = written(tmp_path / "x.safetensors", header, 3_000_000_000)
    done = subprocess.run([sys.executable, "-c", LARGE, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "weight is (2, 2) in the network and (30000, 25000) there" in done.stdout
    assert "bias is missing" in done.stdout


@pytest.mark.parametrize(
    "dtype",
    [torch.int64, torch.int32, torch.uint8, torch.bool, torch.float8_e4m3fn, torch.float8_e5m2, torch.complex64],
)
def test_numbers_of_another_kind_are_no_weights(dtype: torch.dtype, tmp_path: Path) -> None:
    module = nn.Linear(2, 2)
    weights = {"weight": torch.ones(2, 2).to(dtype), "bias": torch.ones(2)}
    save_file(weights, tmp_path / "x.safetensors")
    words = f"weight is float32 in the network and {str(dtype).removeprefix('torch.')} there, another kind of numbers"
    with pytest.raises(DataError, match=words):
        load_weights(module, tmp_path / "x.safetensors")
    with pytest.raises(DataError, match=words):
        give_weights(module, weights)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_of_another_length_are(dtype: torch.dtype, tmp_path: Path) -> None:
    module = nn.BatchNorm1d(2)
    weights = {n: t.to(dtype) if t.is_floating_point() else t.to(torch.int32) for n, t in module.state_dict().items()}
    save_file({n: t.contiguous() for n, t in weights.items()}, tmp_path / "x.safetensors")
    load_weights(module, tmp_path / "x.safetensors")
    assert module.weight.dtype == torch.float32
    assert module.state_dict()["num_batches_tracked"].dtype == torch.int64


def test_floats_that_are_too_large_for_the_network(tmp_path: Path) -> None:
    weights = {"weight": torch.full((2, 2), 1e300, dtype=torch.float64), "bias": torch.ones(2)}
    save_file(weights, tmp_path / "x.safetensors")
    with pytest.raises(DataError, match=r"not finite: weight \(4 of 4\)"):
        load_weights(nn.Linear(2, 2), tmp_path / "x.safetensors")


@pytest.mark.parametrize("norm", [nn.BatchNorm1d(2), nn.InstanceNorm2d(2, track_running_stats=True)])
def test_a_variance_below_zero(norm: nn.Module) -> None:
    weights = {**norm.state_dict(), "running_var": torch.tensor([1.0, -0.5])}
    with pytest.raises(DataError, match=r"variances below 0: running_var \(1 of 2\)"):
        give_weights(norm, weights)
    give_weights(norm, {**weights, "running_var": torch.zeros(2), "running_mean": torch.full((2,), -3.0)})


def test_arrays_are_no_tensors() -> None:
    arrays: Any = {"weight": torch.ones(2, 2).numpy(), "bias": torch.ones(2).numpy()}
    with pytest.raises(DataError, match=r"weight is a ndarray\. torch\.as_tensor makes one"):
        give_weights(nn.Linear(2, 2), arrays)
