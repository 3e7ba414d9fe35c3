"""Blocks of other files under a name: they mean there what they mean at home."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import netspec

HOME = """\
netspec: 1
name: Home
input: 3x16x16
params: {width: 8, ratio: 2, hidden: "$(width * ratio)", classes: 10}
defaults: {bn: eps=0.01, conv: same}
blocks:
  unit c k=3: [conv $c $k nobias, bn, relu]
  bottle c:
    branch: [unit $hidden k=1, unit $c]
    out: add(branch in) when in.c == c
layers: {stem: unit $width, one: bottle $width, head: [gap, flatten, fc $classes]}
"""
TOP = """\
netspec: 1
input: 3x16x16
use: {home: parts/home.yaml}
params: {width: 6}
blocks: {unit c: [conv $c k1, gelu]}
layers: {stem: unit $width, one: home.bottle $width, two: home.unit 4 k=1, head: [gap, flatten, fc 2]}
"""


def used(folder: Path, top: str = TOP, home: str = HOME, *overrides: str) -> netspec.Spec:
    (folder / "parts").mkdir(exist_ok=True)
    (folder / "parts" / "home.yaml").write_text(home)
    (folder / "top.yaml").write_text(top)
    return netspec.load(folder / "top.yaml", overrides)


def refused(folder: Path, top: str = TOP, home: str = HOME) -> str:
    with pytest.raises(netspec.SpecError) as caught:
        used(folder, top, home)
    return str(caught.value).replace(f"{folder}/", "")


def test_they_see_the_blocks_params_and_defaults_of_their_own_file(tmp_path: Path) -> None:
    spec = used(tmp_path)
    shapes = spec.graph.parameters()
    assert shapes["one.branch.0.0.weight"] == (16, 6, 1, 1)
    assert shapes["one.branch.1.0.weight"] == (6, 16, 3, 3)
    assert shapes["stem.0.weight"] == (6, 3, 1, 1)
    net = spec.build().eval()
    assert getattr(net.get_submodule("one.branch.0.1"), "eps", None) == 0.01
    assert net(torch.zeros(1, 3, 16, 16)).shape == (1, 2)


def test_they_compute_what_they_compute_at_home(tmp_path: Path) -> None:
    top = TOP.replace("one: home.bottle $width", "one: home.bottle 6")
    there = used(
        tmp_path,
        top.replace("unit c: [conv $c k1, gelu]", "gate c: [conv $c k1, gelu]").replace("stem: unit", "stem: gate"),
    )
    home = HOME.replace(
        "layers: {stem: unit $width, one: bottle $width, head: [gap, flatten, fc $classes]}", "layers: {one: bottle 6}"
    )
    here = netspec.loads(home.replace("input: 3x16x16", "input: 6x16x16").replace(", classes: 10", "")).build().eval()
    net = there.build().eval()
    here.get_submodule("one").load_state_dict(net.get_submodule("one").state_dict())
    x = torch.rand(2, 6, 16, 16)
    assert torch.equal(here(x), net.get_submodule("one")(x))


def test_their_params_can_be_set_under_the_name_of_the_file(tmp_path: Path) -> None:
    spec = used(tmp_path, TOP, HOME, "params.home_ratio=3")
    assert spec.graph.parameters()["one.branch.0.0.weight"] == (24, 6, 1, 1)
    assert "home_classes" not in spec.data["params"]
    spec = used(tmp_path, TOP.replace("{width: 6}", "{width: 6, home_ratio: 4}"))
    assert spec.graph.parameters()["one.branch.0.0.weight"] == (32, 6, 1, 1)


def test_they_are_printed_as_classes_of_their_words(tmp_path: Path) -> None:
    source = used(tmp_path).source()
    assert "class Bottle(nn.Module)" in source
    assert "home." not in source
    names: dict[str, object] = {}
    exec(source, names)
    made = names["Net"](home_width=8, home_ratio=3)  # type: ignore[operator]
    assert made.one.branch[0][0].weight.shape == (24, 6, 1, 1)


def test_the_whole_is_one_text_that_reads_the_same(tmp_path: Path) -> None:
    spec = used(tmp_path)
    again = netspec.loads(spec.text)
    assert again.graph.parameters() == spec.graph.parameters()
    assert again.source() == spec.source()


def test_files_use_others_in_turn_and_extend_them(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "inner.yaml").write_text("params: {d: 5}\nblocks: {mlp: [fc $d, relu], pair: [mlp, mlp]}\n")
    home = "use: {deep: inner.yaml}\nblocks: {twice c: [deep.pair, fc $c]}\n"
    top = "input: 4\nuse: {home: parts/home.yaml}\nlayers: {a: home.twice 3, b: home.deep.mlp}\n"
    shapes = used(tmp_path, top, home).graph.parameters()
    assert [shape for name, shape in shapes.items() if "weight" in name] == [(5, 4), (5, 5), (3, 5), (5, 3)]


@pytest.mark.parametrize(
    ("top", "home", "told"),
    [
        (TOP.replace("home.yaml", "hom.yaml"), HOME, "top.yaml:3:13  error[use]  'parts/hom.yaml' is not a file"),
        (TOP.replace("home.yaml", "hom.yaml"), HOME, "Did you mean 'parts/home.yaml'?"),
        (TOP.replace("{home:", "{conv:"), HOME, "top.yaml:3:7  error[use]  'conv' is an operation already"),
        (TOP.replace("{home:", "{my-home:"), HOME, "'my-home' is not a name that a block can have"),
        (TOP, "input: 3\nlayers: [fc 3]\n", "'parts/home.yaml' has no blocks"),
        (TOP.replace("parts/home.yaml", "3"), HOME, "the name of a spec is expected here"),
        (TOP.replace("home.bottle", "home.botle"), HOME, "Did you mean 'home.bottle'?"),
        (TOP.replace("home.bottle", "bottle"), HOME, "Did you mean 'home.bottle'?"),
        (TOP, HOME.replace("unit $hidden k=1", "unti $hidden"), "parts/home.yaml:9:14  error[unknown-op]"),
        (TOP, HOME.replace("unit $hidden k=1", "gate 3"), "there is no operation or block 'gate'"),
        (TOP, HOME.replace("bottle c:", "bottle c: [bottle $c]\n  other:"), "is used inside itself"),
        (TOP + "\nuse: {}", HOME, "given twice"),
        (TOP.replace("{home: parts/home.yaml}", "parts/home.yaml"), HOME, "use"),
    ],
)
def test_what_is_wrong_is_told_where_it_is(tmp_path: Path, top: str, home: str, told: str) -> None:
    assert told in refused(tmp_path, top, home)


def test_a_file_that_uses_itself_ends(tmp_path: Path) -> None:
    assert "home.yaml -> home.yaml" in refused(tmp_path, TOP, HOME + "use: {again: home.yaml}\n")


def test_the_command_line_says_which(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(HOME.replace("ratio: 2", "ratio: 4"))
    spec = used(tmp_path, TOP, HOME, "use.home=other.yaml")
    assert spec.graph.parameters()["one.branch.0.0.weight"] == (32, 6, 1, 1)


@pytest.mark.parametrize("override", ["use.home=other.yaml", "extends=other.yaml"])
def test_it_is_not_said_again_of_a_spec_that_was_read(tmp_path: Path, override: str) -> None:
    with pytest.raises(netspec.SpecError, match="is part of it already"):
        used(tmp_path).over([override])
