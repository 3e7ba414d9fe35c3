"""`netspec bench`: ways that take turns, and what is told of them."""

from __future__ import annotations

import json
from ctypes import c_void_p
from itertools import count
from pathlib import Path

import numpy as np
import pytest

import netspec
from netspec.errors import DataError, UsageError
from netspec.runs.bench import LEAST, Measured, bench, interleaved
from netspec.runs.onnx_model import OnnxModel
from netspec.runtime.export import c_library
from netspec.runtime.export.c_library import compiler
from tests.train.test_handed import ended

SPEC = "netspec: 1\nname: Net\ninput: int T\nlayers: [embedding 20 8, attention 2, linear 4]\n"


def test_ways_take_turns_and_begin_in_turns() -> None:
    order: list[str] = []
    clock = count()
    times = interleaved([lambda: order.append("a"), lambda: order.append("b")], 6, lambda: float(next(clock)))
    assert "".join(order) == "abbaabbaabba"
    assert times == [[1.0] * 6] * 2
    assert [len(each) for each in interleaved([lambda: None], 0, lambda: float(next(clock)))] == [LEAST]


def test_what_is_told_of_times() -> None:
    found = Measured("torch", 2, 8, (0.1, 0.1, 0.2, 0.1, 0.5))
    assert (found.p50, found.throughput) == (0.1, 40.0)
    assert found.p90 == pytest.approx(0.38)


def test_a_spec_and_a_file_are_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    words = ("--batch", "2,3", "--size", "T=5", "--seconds", 0)
    assert ended("bench", tmp_path / "spec.yaml", *words, "--no-compile", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["sizes"] == {"T": 5}
    assert {each["batch"] for each in said["results"]} == {2, 3}
    assert {each["way"] for each in said["results"]} == {"torch", "ONNX Runtime"}
    assert all(0 < each["p50"] <= each["p90"] and each["runs"] >= LEAST for each in said["results"])
    assert {*said["left_out"]} == {"C"}
    netspec.load(tmp_path / "spec.yaml").export(tmp_path / "net.onnx")
    capsys.readouterr()
    assert ended("bench", tmp_path / "net.onnx", *words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "sizes: T 5"
    assert lines[2].split() == ["batch", "way", "threads", "p50", "ms", "p90", "ms", "samples/s"]
    assert all("ONNX Runtime" in line for line in lines[3:])


def test_what_does_not_run_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(module: object) -> object:
        raise RuntimeError("no compiler is here\nand more of that")

    monkeypatch.setattr("netspec.runs.bench._compiled", broken)
    spec = netspec.Spec.loads(SPEC)
    found = bench(spec, spec.build().eval(), batches=[1], seconds=0)
    assert found.left_out["torch, compiled"] == "no compiler is here"
    assert {each.way for each in found.results} == {"torch", "ONNX Runtime"}


CONV = "netspec: 1\nname: Net\ninput: 1x6x6\nlayers: [conv 2 k3, relu, fc 3]\n"


@pytest.mark.skipif(not compiler(), reason="no C compiler is here")
def test_c_is_timed_beside_the_others(tmp_path: Path) -> None:
    spec = netspec.Spec.loads(CONV)
    found = bench(spec, spec.build().eval(), batches=[1, 3], seconds=0, compiled=False)
    assert {each.way for each in found.results} == {"torch", "ONNX Runtime", "C"}
    assert {(each.threads, each.batch) for each in found.results if each.way == "C"} == {(1, 1), (1, 3)}
    assert found.left_out == {}


@pytest.mark.skipif(not compiler(), reason="no C compiler is here")
def test_what_is_timed_in_c_is_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sample of a batch is computed, each time."""
    spec = netspec.Spec.loads(CONV)
    spec.export(tmp_path / "net.c")
    calls: list[int] = []
    plain = c_library._call

    def counted(function: object, addresses: list[c_void_p]) -> None:
        calls.append(len(addresses))
        plain(function, addresses)

    monkeypatch.setattr(c_library, "_call", counted)
    run = c_library.repeated(tmp_path / "net.c")([np.ones((5, 1, 6, 6), "float32")])
    run()
    run()
    assert calls == [2] * 10


def test_why_c_is_left_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    about = {"batches": [1], "seconds": 0, "compiled": False}
    spec = netspec.Spec.loads(SPEC)
    monkeypatch.setattr("netspec.runtime.export.c_library.compiler", lambda: ["cc"])
    said = bench(spec, spec.build().eval(), **about).left_out  # type: ignore[arg-type]
    assert "C is written for sizes that are known" in said["C"]
    monkeypatch.setattr("netspec.runtime.export.c_library.compiler", list)
    said = bench(spec, spec.build().eval(), **about).left_out  # type: ignore[arg-type]
    assert said["C"] == "there is no C compiler here: cc, gcc, clang, or what $CC names"


def test_mistakes_are_told(tmp_path: Path) -> None:
    spec = netspec.Spec.loads(SPEC)
    module = spec.build().eval()
    with pytest.raises(UsageError, match=r"no open dimension S\. There are: T\."):
        bench(spec, module, sizes={"S": 3})
    (tmp_path / "spec.yaml").write_text(SPEC)
    for words in (("--batch", "0"), ("--batch", "1,x"), ("--size", "T"), ("--size", "T=-1")):
        assert ended("bench", tmp_path / "spec.yaml", *words) == 2
    (tmp_path / "x.onnx").write_bytes(b"x")
    assert ended("bench", tmp_path / "x.onnx") == 4
    with pytest.raises(DataError):
        OnnxModel.read(tmp_path / "x.onnx")
