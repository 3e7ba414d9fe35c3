"""What `check` and `summary --weights` say of weights, by the headers of their files and without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from netspec.cli import main
from netspec.text.report import MisfitError, SpecError
from netspec.weights.fit import Fit
from tests.weights.files import sharded, stored

NET = """\
netspec: 1
name: Net
input: 3x8x8
layers:
  body:
    conv1: conv 4 k3 nobias
    bn1: bn, relu
  head: gap, fc 2
weights: """
CONV, HEAD = {"conv1.weight": (4, 3, 3, 3)}, {"head.weight": (2, 4), "head.bias": (2,)}
NORM = {f"bn1.{name}": (4,) for name in ("weight", "bias", "running_mean", "running_var")}
BODY = {**CONV, **NORM}
WHOLE = {**{f"body.{name}": shape for name, shape in BODY.items()}, **HEAD}


def fitted(folder: Path, weights: str, net: str = NET) -> Fit:
    from netspec import load

    (folder / "net.yaml").write_text(net + weights + "\n")
    found = load(folder / "net.yaml").fitted()
    assert found is not None
    return found


def refused(folder: Path, weights: str, net: str = NET) -> list[str]:
    """What is wrong, each with its line and column."""
    with pytest.raises(MisfitError) as caught:
        fitted(folder, weights, net)
    assert caught.value.exit_code == 4
    places = [caught.value.source.place(problem.at) for problem in caught.value.problems]
    return [f"{p.line}:{p.column} {q.message}. {q.hint}" for p, q in zip(places, caught.value.problems, strict=True)]


def test_the_same_network_loads_whole(tmp_path: Path) -> None:
    stored(tmp_path / "w.safetensors", WHOLE)
    for weights in ("{load: w.safetensors}", "w.safetensors", "[w.safetensors]", "{load: [{load: w.safetensors}]}"):
        found = fitted(tmp_path, weights)
        assert {t.name for t in found.taken} == set(WHOLE)
        assert (found.fresh, found.left, found.notes) == ({}, [], [])


@pytest.mark.parametrize(
    ("rules", "shapes"),
    [
        ("into: body, skip: [head]", BODY),
        ('into: body, skip: "head.*"', {**BODY, "head.weight": (9, 9)}),
        ('rename: {"bn(.*)": "body.bn$1", "conv(.*)": "body.conv$1", "module.": ""}, skip: [head]',
         {f"module.{n}": s for n, s in BODY.items()}),
        ('rename: {"*": "body.$1"}, skip: [head]', BODY),
        (r'rename: {"(conv|bn)(\\d)\\.(.*)": "body.${1}$2.\\3"}, skip: ["head.*"]', BODY),
        ('rename: {backbone: body, "fc": head}', {**{f"backbone.{n}": s for n, s in BODY.items()},
                                                  "fc.weight": (2, 4), "fc.bias": (2,)}),
        ('rename: {net: "", head: null}', {f"net.{n}": s for n, s in WHOLE.items()}),
        ('skip: [head.bias, body.bn1], resize: {"head.*": slice}', {**WHOLE, "head.weight": (1000, 4)}),
    ],
)  # fmt: skip
def test_rules_bring_tensors_to_their_places(rules: str, shapes: dict[str, tuple[int, ...]], tmp_path: Path) -> None:
    stored(tmp_path / "w.safetensors", shapes)
    found = fitted(tmp_path, f"{{load: w.safetensors, {rules}}}")
    there = {t.name for t in found.taken}
    assert "body.conv1.weight" in there
    assert there | set(found.fresh) == set(WHOLE)
    assert {t.source for t in found.taken} | {name for _, name, _ in found.left} == set(shapes)


def test_names_that_are_exchanged_are(tmp_path: Path) -> None:
    net = "input: 4\nlayers: {a: fc 4 nobias, b: fc 4 nobias}\nweights: "
    stored(tmp_path / "w.safetensors", {"a.weight": (4, 4), "b.weight": (4, 4)})
    found = fitted(tmp_path, "{load: w.safetensors, rename: {a: b, b: a}}", net)
    assert {t.name: t.source for t in found.taken} == {"a.weight": "b.weight", "b.weight": "a.weight"}


@pytest.mark.parametrize(
    ("weights", "shapes", "wanted"),
    [
        ("{load: no.safetensors}", WHOLE, ["9:17 no.safetensors does not exist, expected a file of weights"]),
        ("w.safetensors", BODY, ["9:10 the network has no place for conv1.weight; bn1.weight; bn1.bias"]),
        ("w.safetensors", BODY, ["The names are those of a level of the network: into: body"]),
        ("w.safetensors", {f"module.{n}": s for n, s in WHOLE.items()}, ['rename: {"module.": ""}']),
        ("{load: w.safetensors, into: body}", {**BODY, "fc.weight": (1, 1)},
         ['9:17 the network has no place for fc.weight of w.safetensors. Leave such a tensor out', '["fc"]']),
        ("{load: w.safetensors, into: body}", {**BODY, "gone": ()}, ['skip: ["gone"]']),
        ("w.safetensors", {n: s for n, s in WHOLE.items() if n != "head.bias"},
         ['9:10 no file of weights has head.bias (2). What is to begin fresh is said: skip: ["head.bias"]']),
        ("w.safetensors", {**WHOLE, "head.weight": (1000, 4), "head.bias": (1000,)},
         ["9:10 weights in w.safetensors do not fit: head.weight is 1000 x 4 there and 2 x 4 here; head.bias is 1000"]),
        ("{load: w.safetensors, into: bdoy}", WHOLE, ["9:38 into names 'bdoy'", "Did you mean 'body'?"]),
        ("{load: w.safetensors, skip: [head.wieght]}", WHOLE,
         ["9:39 skip: 'head.wieght' means no tensor, there or here. Did you mean 'head.weight'?"]),
        ("{load: w.safetensors, resize: {haed.*: slice}}", WHOLE, ["9:41 resize: 'haed.*' means no tensor"]),
        ("{load: [w.safetensors, w.safetensors]}", WHOLE,
         ["9:33 w.safetensors gives what is loaded already: body.conv1.weight"]),
        ('{load: w.safetensors, rename: {"head.*": body.conv1.weight}}', WHOLE, ["both become body.conv1.weight"]),
        ("{load: w.safetensors, resize: {head.weight: mean}}", {**WHOLE, "head.weight": (3, 5)},
         ["head.weight is 3 x 5 there and 2 x 4 here: mean changes one axis, and 2 differ"]),
        ("{load: w.safetensors, resize: {head: slice}}", {**WHOLE, "head.weight": (1, 4)}, ["there are more here"]),
        ("{load: w.safetensors, resize: {head: extend}}", {**WHOLE, "head.weight": (3, 4)}, ["there are fewer here"]),
        ("{load: w.safetensors, resize: {head: mean}}", {**WHOLE, "head.weight": (2, 2, 2)}, ["the number of axes"]),
        ("{load: w.safetensors, resize: {head: interpolate}}", {**WHOLE, "head.weight": (7, 4)},
         ["7 and 2 places are no square grids with as many others before each; of a row of places it is stretch"]),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_where_the_file_is_named(
    weights: str, shapes: dict[str, tuple[int, ...]], wanted: list[str], tmp_path: Path
) -> None:
    stored(tmp_path / "w.safetensors", shapes)
    found = refused(tmp_path, weights)
    for words in wanted:
        assert any(words in line for line in found), found


def test_advice_to_skip_means_no_tensor_besides(tmp_path: Path) -> None:
    stored(tmp_path / "w.safetensors", {**WHOLE, "head.scale": (2,)})
    assert any('skip: ["head.scale"]' in line for line in refused(tmp_path, "w.safetensors"))
    stored(tmp_path / "w.safetensors", WHOLE)
    stored(tmp_path / "own.safetensors", {name: shape for name, shape in WHOLE.items() if name.startswith("head.")})
    (line,) = refused(tmp_path, "{load: [w.safetensors, own.safetensors]}")
    advice = 'load: [{load: w.safetensors, skip: ["head"]}, own.safetensors]'
    assert "own.safetensors gives what is loaded already: head.weight; head.bias" in line
    assert advice in line
    assert not fitted(tmp_path, f"{{{advice}}}").problems


def test_what_follows_from_other_names_is_not_told(tmp_path: Path) -> None:
    stored(tmp_path / "w.safetensors", {f"module.{n}": s for n, s in WHOLE.items()})
    assert len(refused(tmp_path, "{load: w.safetensors, skip: [zzz]}")) == 1


def test_whole_numbers_are_no_weights(tmp_path: Path) -> None:
    stored(tmp_path / "w.safetensors", WHOLE, "I64")
    (said,) = refused(tmp_path, "w.safetensors")
    assert "body.conv1.weight holds int64, body.conv1.weight is float32" in said
    assert "Save it as tensor.to(torch.float32)" in said
    stored(tmp_path / "w.safetensors", WHOLE, "F16")
    assert not fitted(tmp_path, "w.safetensors").problems


@pytest.mark.parametrize(
    ("weights", "place", "words"),
    [
        ("{load: [w, {lod: w}]}", "9:21", "load names a file of weights"),
        ("{load: [{load: w, inot: x}]}", "9:28", "weights has no 'inot'"),
        ("{load: w, into: 3}", "9:26", "into names a level"),
        ("{load: w, skip: {a: b}}", "9:26", "skip is a list of names"),
        ("{load: w, skip: [1]}", "9:27", "skip is a list of names"),
        ("{load: w, rename: [a]}", "9:28", "rename maps patterns"),
        ("{load: w, rename: {a: 3}}", "9:29", "what is put there is a text"),
        ("{load: w, rename: {a*: b$2}}", "9:29", "$2 is put there, and the pattern has 1 parts"),
        ("{load: w, rename: {'(a': b}}", "9:29", "a ( is not closed"),
        ("{load: w, rename: {'(a)(?=b)': b}}", "9:29", "there is only (?:...)"),
        (f"{{load: w, rename: {{'({'a' * 300})': b}}}}", "9:29", "at most 200 are read"),
        ("{load: w, rename: {'((a{900}){900})': b}}", "9:29", "counts up to more than 1000"),
        ("{load: w, resize: {a: bilinear}}", "9:32", "there is no resize 'bilinear'"),
        ("{load: w, resize: {a: [mean]}}", "9:32", "there is no resize"),
        ("{load: w, resize: mean}", "9:28", "resize maps names"),
        ("{skip: [a]}", "9:11", "skip is about weights that are loaded, and none are"),
    ],
)
def test_rules_that_are_none(weights: str, place: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        fitted(tmp_path, weights)
    assert f"net.yaml:{place}  error" in str(caught.value)
    assert words in str(caught.value)


def test_rules_over_more_names_than_can_be_compared(tmp_path: Path) -> None:
    stored(tmp_path / "w.safetensors", {f"{'layer' * 40}{i}": () for i in range(20_000)})
    assert "that takes too long" in refused(tmp_path, f"{{load: w.safetensors, rename: {{'{'(a*)*' * 30}b': x}}}}")[0]


def test_whole_numbers_have_no_mean(tmp_path: Path) -> None:
    net = "input: 4\nlayers: {places: buffer 4 init=arange, a: fc(input) 4, b: add(a places)}\nweights: "
    stored(tmp_path / "w.safetensors", {"places": (5,)}, "I64")
    found = refused(tmp_path, "{load: w.safetensors, skip: [a], resize: {places: stretch}}", net)
    assert "places holds int64, which slice and repeat alone resize" in found[0]
    assert not fitted(tmp_path, "{load: w.safetensors, skip: [a], resize: {places: slice}}", net).problems


def test_a_set_of_files_with_its_index(tmp_path: Path) -> None:
    body = {n: s for n, s in WHOLE.items() if n.startswith("body")}
    sharded(tmp_path, {"model-1.safetensors": body, "model-2.safetensors": HEAD})
    for name in ("model.safetensors.index.json", "."):
        found = fitted(tmp_path, f"{{load: {name}}}")
        assert {t.name: t.file.name for t in found.taken} == {
            **dict.fromkeys(body, "model-1.safetensors"),
            **dict.fromkeys(HEAD, "model-2.safetensors"),
        }


def test_a_runs_folder_gives_its_best_weights(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "a"
    run.mkdir(parents=True)
    assert "runs/a is no run's folder and has no model.safetensors" in refused(tmp_path, "runs/a")[0]
    (run / "spec.yaml").write_text("netspec: 1\n")
    assert "the run in runs/a has no weights yet" in refused(tmp_path, "runs/a")[0]
    stored(run / "last.safetensors", WHOLE)
    assert fitted(tmp_path, "runs/a").notes == [f"{run} has no best weights, its last are taken"]
    stored(run / "best.safetensors", WHOLE)
    assert {t.file.name for t in fitted(tmp_path, "{load: runs/a}").taken} == {"best.safetensors"}


def test_several_files_each_with_its_rules(tmp_path: Path) -> None:
    stored(tmp_path / "body.safetensors", BODY)
    stored(tmp_path / "head.safetensors", {"fc.weight": (9, 4), "fc.bias": (9,)})
    rules = "{load: head.safetensors, rename: {fc: head}, resize: {'head.*': slice}}"
    found = fitted(tmp_path, f"[{{load: body.safetensors, into: body}}, {rules}]")
    assert not found.fresh
    assert {t.name for t in found.resized} == {"head.weight", "head.bias"}
    found = fitted(tmp_path, f"{{into: body, load: [body.safetensors, {rules[:-1]}, into: ''}}]}}")
    assert not found.fresh


def test_a_tensor_of_two_names_may_have_either(tmp_path: Path) -> None:
    net = "input: int 5\nlayers: {wte: embedding 7 4, out: linear 7 nobias}\ntie: {out.weight: wte.weight}\nweights: "
    for name in ("wte.weight", "out.weight"):
        stored(tmp_path / "w.safetensors", {name: (7, 4)})
        assert fitted(tmp_path, "w.safetensors", net).fresh == {}


SUMMARY = """\
weights     4 tensors loaded, 1 resized, 2 fresh, 1 left over, from w.safetensors
  loaded    body.bn1.weight (there bn1.weight)  4  float32
  loaded    body.bn1.bias (there bn1.bias)  4  float32
  loaded    body.bn1.running_mean (there bn1.running_mean)  4  float32
  loaded    body.bn1.running_var (there bn1.running_var)  4  float32
  resized   body.conv1.weight (there conv1.weight)  4 x 1 x 3 x 3 -> 4 x 3 x 3 x 3  repeat
  fresh     head.weight  2 x 4
  fresh     head.bias  2
  left over fc.weight  9 x 4  of w.safetensors
"""


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command in a process that cannot import torch."""
    code = "import sys; sys.modules['torch'] = None; from netspec.cli import main; main()"
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_commands_tell_it_without_torch(tmp_path: Path) -> None:
    stored(tmp_path / "w.safetensors", {**BODY, "conv1.weight": (4, 1, 3, 3), "fc.weight": (9, 4)})
    weights = "{load: w.safetensors, into: body, skip: [fc], resize: {conv1.weight: repeat}}\n"
    (tmp_path / "net.yaml").write_text(NET + weights)
    told = run(tmp_path, "summary", "--weights", "net.yaml")
    assert (told.returncode, told.stdout) == (0, SUMMARY)
    checked = run(tmp_path, "check", "net.yaml")
    assert checked.returncode == 0
    assert [line for line in SUMMARY.splitlines() if "  loaded " not in line] == checked.stdout.splitlines()[1:]
    found = json.loads(run(tmp_path, "summary", "--weights", "--json", "net.yaml").stdout)
    assert (len(found["loaded"]), found["fresh"]) == (5, {"head.weight": [2, 4], "head.bias": [2]})
    assert found["left_over"][0]["name"] == "fc.weight"
    (tmp_path / "w.safetensors").unlink()
    missing = run(tmp_path, "check", "net.yaml")
    assert missing.returncode == 4
    assert "net.yaml:9:17  error[weights]  w.safetensors does not exist" in missing.stdout


def test_weights_lists_the_tensors_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored(tmp_path / "w.safetensors", HEAD)
    listed = run(tmp_path, "weights", "w.safetensors")
    assert listed.stdout.splitlines() == [
        "name         dtype    shape",
        "---------------------------",
        "head.weight  float32  2 x 4",
        "head.bias    float32  2",
        "---------------------------",
        "2 tensors, 10 numbers, 40 bytes",
    ]
    for words in (["--json", "w.safetensors"], ["w.safetensors", "--json"]):
        with pytest.raises(SystemExit):
            main(["weights", *words[:-1], words[-1].replace("w.", f"{tmp_path}/w.")] if words[0] == "--json" else
                 ["weights", str(tmp_path / words[0]), "--json"])  # fmt: skip
        found = json.loads(capsys.readouterr().out)
        assert (found["count"], found["numbers"], found["bytes"]) == (2, 10, 40)
        assert found["tensors"][0] == {"name": "head.weight", "dtype": "float32", "shape": [2, 4], "bytes": 32}
    assert run(tmp_path, "weights", "none.safetensors").returncode == 4


def test_a_missing_file_is_a_row_for_a_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "net.yaml").write_text(f"{NET}{{load: w.safetensors}}\n")
    with pytest.raises(SystemExit) as caught:
        main(["check", "--json", str(tmp_path / "net.yaml")])
    assert caught.value.code == 4
    rows = json.loads(capsys.readouterr().out)
    assert [(row["line"], row["column"], row["code"]) for row in rows] == [(9, 17, "weights")]
