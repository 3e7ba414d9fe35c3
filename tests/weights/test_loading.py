"""Weights that fit a changed network: loaded, resized, and held against what torch says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

import netspec
from netspec.errors import At, DataError, Interrupted
from netspec.runtime.network.resizing import resized
from netspec.views.weights import text as weights_text
from netspec.weights.renaming import renamed, renaming
from netspec.weights.resizing import RESIZES, misfit

SPECS = Path(__file__).parents[2] / "specs"
NET = """\
netspec: 1
name: Net
input: 3x8x8
layers:
  body: {conv1: conv 4 k3 nobias, bn1: "bn, relu"}
  head: gap, fc 2
"""


def random_weights(spec: netspec.Spec, seed: int = 3) -> dict[str, torch.Tensor]:
    """Other numbers for everything that a network holds, as a training might have left them."""
    torch.manual_seed(seed)
    state = spec.build().state_dict()
    return {n: torch.rand(t.shape).to(t.dtype) + (t.dtype == torch.int64) for n, t in state.items()}


def built(folder: Path, text: str, *overrides: str) -> dict[str, torch.Tensor]:
    (folder / "net.yaml").write_text(text)
    torch.manual_seed(0)
    return netspec.load(folder / "net.yaml", overrides).build().state_dict()


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[n], b[n]) for n in a)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "vit_tiny_tv", "squeezenet1_0"])
def test_what_torchvision_saves_comes_back_out(name: str, tmp_path: Path) -> None:
    path = SPECS / f"{name}.yaml"
    weights = random_weights(netspec.load(path))
    save_file(weights, tmp_path / "w.safetensors")
    assert equal(built(tmp_path, path.read_text() + "\nweights: w.safetensors\n"), weights)


def test_a_thousand_classes_into_ten(tmp_path: Path) -> None:
    weights = {**random_weights(netspec.loads(NET)), "head.weight": torch.rand(1000, 4), "head.bias": torch.rand(1000)}
    save_file(weights, tmp_path / "w.safetensors")
    text = NET.replace("fc 2", "fc 10")
    found = built(tmp_path, text + 'weights: {load: w.safetensors, skip: ["head.*"]}\n')
    assert all(torch.equal(found[n], weights[n]) for n in found if "head" not in n)
    fresh = built(tmp_path, text)
    assert torch.equal(found["head.weight"], fresh["head.weight"])
    sliced = built(tmp_path, text + 'weights: {load: w.safetensors, resize: {"head.*": slice}}\n')
    assert torch.equal(sliced["head.weight"], weights["head.weight"][:10])
    assert torch.equal(sliced["head.bias"], weights["head.bias"][:10])


@pytest.mark.parametrize("word", ["mean", "repeat", "extend"])
def test_three_channels_into_four(word: str, tmp_path: Path) -> None:
    weights = random_weights(netspec.loads(NET))
    save_file(weights, tmp_path / "w.safetensors")
    text = NET.replace("3x8x8", "4x8x8") + f'weights: {{load: w.safetensors, resize: {{"*.conv1.weight": {word}}}}}\n'
    first, mean = weights["body.conv1.weight"], weights["body.conv1.weight"].mean(1, keepdim=True)
    wanted = {"mean": [mean] * 4, "repeat": [first, first[:, :1]], "extend": [first, mean]}
    assert torch.equal(built(tmp_path, text)["body.conv1.weight"], torch.cat(wanted[word], 1))


def test_a_vision_transformer_for_larger_images(tmp_path: Path) -> None:
    """The grid of positions is drawn larger as F.interpolate does it, and the class token's stays as it is."""
    text = (SPECS / "vit_tiny_tv.yaml").read_text()
    spec = netspec.loads(text)
    weights = random_weights(spec)
    save_file(weights, tmp_path / "w.safetensors")
    name, large = "encoder.pos_embedding", text.replace("3x32x32", "3x56x56")
    assert weights[name].shape == (1, 1 + 4 * 4, 48)
    rules = '{load: w.safetensors, skip: ["heads.*"], resize: {encoder.pos_embedding: interpolate}}'
    found = built(tmp_path, f"{large}\nweights: {rules}\n")[name]
    assert found.shape == (1, 1 + 7 * 7, 48)
    assert torch.equal(found[:, :1], weights[name][:, :1])
    maps = weights[name][:, 1:].transpose(1, 2).reshape(1, 48, 4, 4)
    drawn = functional.interpolate(maps, (7, 7), mode="bicubic").flatten(2).transpose(1, 2)
    assert torch.allclose(found[:, 1:], drawn)
    fitted = netspec.load(tmp_path / "net.yaml").fitted()
    assert fitted is not None
    told = weights_text(fitted)
    assert "1 x 17 x 48 -> 1 x 50 x 48  interpolate 4 x 4 to 7 x 7, the first 1 kept" in told


@pytest.mark.parametrize("word", RESIZES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_every_way_to_resize_gives_the_shape_that_it_says(word: str, dtype: torch.dtype) -> None:
    tried = 0
    for found in [(5, 4), (10, 3), (1, 10, 6), (4, 3, 3, 3), (4,), (17, 2), (4, 4, 2)]:
        for wanted in [
            (9, 4),
            (5, 3),
            (5, 9),
            (17, 3),
            (1, 26, 6),
            (4, 1, 3, 3),
            (4, 5, 3, 3),
            (4, 3, 7, 5),
            (2,),
            (4, 2, 2),
        ]:
            if found != wanted and len(found) == len(wanted) and not misfit(word, found, wanted):
                tensor = torch.rand(found).to(dtype)
                made = resized(tensor, word, wanted)
                assert (made.shape, made.dtype) == (wanted, dtype)
                assert made.isfinite().all()
                tried += 1
    assert tried > 1


def test_a_row_of_places_is_stretched_in_a_line() -> None:
    row = torch.arange(4.0)[:, None] * torch.ones(2)
    assert torch.allclose(resized(row, "stretch", (8, 2)), functional.interpolate(row.T[None], 8, mode="linear")[0].T)


def test_a_set_of_files_and_several_places(tmp_path: Path) -> None:
    weights = random_weights(netspec.loads(NET))
    body = {n.removeprefix("body."): t for n, t in weights.items() if n.startswith("body")}
    save_file({n: t for n, t in body.items() if "conv" in n}, tmp_path / "1.safetensors")
    save_file({n: t for n, t in body.items() if "conv" not in n}, tmp_path / "2.safetensors")
    files = {n: "1.safetensors" if "conv" in n else "2.safetensors" for n in body}
    (tmp_path / "m.index.json").write_text(json.dumps({"weight_map": files}))
    save_file({f"module.{n}": t for n, t in weights.items() if n.startswith("head")}, tmp_path / "h.safetensors")
    rules = '[{load: m.index.json, into: body}, {load: h.safetensors, rename: {"module.": ""}}]'
    assert equal(built(tmp_path, f"{NET}weights: {rules}\n"), weights)


def test_what_the_file_lacks_of_a_tensor_at_build_is_refused(tmp_path: Path) -> None:
    save_file({"body.conv1.weight": torch.ones(4, 3, 3, 3)}, tmp_path / "w.safetensors")
    (tmp_path / "net.yaml").write_text(NET + "weights: w.safetensors\n")
    with pytest.raises(DataError, match=r"net\.yaml:7:10  error\[weights\]  no file of weights has body\.bn1\.weight"):
        netspec.load(tmp_path / "net.yaml").build()


def test_numbers_that_are_none_are_refused_by_name(tmp_path: Path) -> None:
    weights = random_weights(netspec.loads(NET))
    weights["head.bias"][1] = torch.nan
    save_file(weights, tmp_path / "w.safetensors")
    with pytest.raises(DataError, match=r"not finite: head\.bias \(1 of 2\)"):
        built(tmp_path, NET + "weights: w.safetensors\n")


TRAINED = """\
netspec: 1
name: Digits
input: 1x8x8
layers: {backbone: [conv 4 k3, bn, relu, gap, flatten], head: linear 10}
data: {source: digits, split: {val: 0.1}}
train: {loss: cross_entropy, optimizer: adamw lr=0.01, epochs: 2, max_steps: 8, batch: 256}
"""


def test_a_run_from_resized_weights_goes_on_to_the_bit_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.train.test_resume import StopAfter

    old = random_weights(netspec.loads(TRAINED.partition("data:")[0].replace("1x8x8", "3x8x8")))
    save_file({n.removeprefix("backbone."): t for n, t in old.items() if "head" not in n}, tmp_path / "w.safetensors")
    rules = 'weights: {load: w.safetensors, into: backbone, resize: {"0.weight": mean}, freeze: ["backbone.0"]}\n'
    (tmp_path / "net.yaml").write_text(TRAINED + rules)
    whole = netspec.load(tmp_path / "net.yaml").train(tmp_path / "whole").module.state_dict()
    with monkeypatch.context() as patch:
        patch.setattr("netspec.runtime.train.run.StopSignals", StopAfter)
        StopAfter.left = 3
        with pytest.raises(Interrupted):
            netspec.load(tmp_path / "net.yaml").train(tmp_path / "parts")
    assert equal(netspec.load(tmp_path / "net.yaml").train(tmp_path / "parts", resume=True).module.state_dict(), whole)
    with pytest.raises(netspec.UsageError, match=r"weights\.load"):
        netspec.load(tmp_path / "net.yaml", ["weights.resize={'0.weight': repeat}"]).train(
            tmp_path / "parts", resume=True
        )
    assert torch.equal(whole["backbone.0.weight"], old["backbone.0.weight"].mean(1, keepdim=True))


@pytest.mark.parametrize(
    ("pattern", "put", "name", "wanted"),
    [
        ("layer(.*)", "body.layer$1", "layer1.0.w", "body.layer1.0.w"),
        ("layer(.*)", "body.layer$1", "relayer1.w", "relayer1.w"),
        ("module.", "", "module.a.w", "a.w"),
        ("module.", "", "modules.a.w", "modules.a.w"),
        ("fc", "head", "fc2.weight", "fc2.weight"),
        ("*.gamma", "$1.weight", "a.b.gamma", "a.b.weight"),
        ("h.[0-9].attn", "layers.$1.a", "h.3.attn.w", "layers.3.a.w"),
        ("h.?.attn", "layers.$1.a", "h.3.attn.w", "layers.3.a.w"),
        (r"(?:net|model)\.(\w+?)(\d{1,2})", "$1s.$2", "model.conv12.weight", "convs.12.weight"),
        (r"([^.]*)\.([a-c]|x)+$", "$2", "q.abx", "x"),
        (r"(.*)\.(q|k)_proj", "${1}.$2", "a.b.q_proj.bias", "a.b.q.bias"),
        (r"\(a\)", "b", "(a).w", "b.w"),
        (r"(a*?)(a*)", "$1-$2", "aaa", "-aaa"),
        (r"(\d+)\.", "block$1.", "12.w", "block12.w"),
        (r"(a|)+b", "x", "aab", "x"),
    ],
)
def test_patterns_of_names(pattern: str, put: str, name: str, wanted: str) -> None:
    assert renamed(name, [renaming(pattern, put, At())])[0] == wanted


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "((a*)*)*b", "(.*)(.*)(.*)(.*)(.*)(.*)b", "(a{1,9}){1,9}b"])
def test_no_pattern_takes_for_ever(pattern: str) -> None:
    rule = renaming(pattern, "x", At())
    assert rule("a" * 3_000) is None
    assert rule("a" * 3_000 + "b") in ("x", None)


def test_patterns_agree_with_those_of_python() -> None:
    import random
    import re

    draw = random.Random(5)

    def made(depth: int) -> str:
        kind = draw.choice(["text", "any", "set", "group", "either", "count"] if depth else ["text", "any", "set"])
        match kind:
            case "text":
                found = draw.choice("abc.")
            case "any":
                found = "."
            case "set":
                found = draw.choice(["[ab]", "[^a]", r"\d", r"\w", "[a-c.]"])
            case "group":
                found = f"({made(depth - 1)}{made(depth - 1)})"
            case "either":
                found = f"({made(depth - 1)}|{made(depth - 1)})"
            case _:
                return f"(?:{made(depth - 1)}){draw.choice(['?', '{2}', '{1,2}'])}"
        return found + (draw.choice(["", "", "*", "+", "?", "*?"]) if not depth else "")

    matched = 0
    for _ in range(600):
        text = "(" + "".join(made(2) for _ in range(draw.randint(1, 4))) + ")"
        name = "".join(draw.choice("aabbc.1") for _ in range(draw.randint(0, 9)))
        theirs = re.match(text, name)
        ours = renaming(text, "x", At()).expression.match(name)
        assert (ours is None) == (theirs is None), (text, name)
        if ours and theirs:
            matched += 1
            assert ours == (theirs.end(), [theirs[0], *(g or "" for g in theirs.groups())]), (text, name)
    assert matched > 100
