"""A spec laid over another: keys merge, places stay, and nothing outside the folder is read."""

from __future__ import annotations

from pathlib import Path

import pytest

import netspec
from tests.effort import computing

BASE = "netspec: 1\ninput: 4\nparams: {width: 8}\nlayers: [fc $width, fc 2]\n"


def test_the_upper_spec_wins_key_by_key(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "top.yaml").write_text("extends: base.yaml\nparams: {width: 16}\n")
    shapes = list(netspec.load(tmp_path / "top.yaml").graph.parameters().values())
    assert shapes == [(16, 4), (16,), (2, 16), (2,)]


def test_a_problem_stands_in_the_file_it_was_written_in(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE.replace("fc 2", "fc 9->2"))
    (tmp_path / "top.yaml").write_text("extends: base.yaml\n")
    with pytest.raises(netspec.SpecError, match=r"base\.yaml:4:24 "):
        netspec.load(tmp_path / "top.yaml")


@pytest.mark.parametrize("name", ["../base.yaml", "/etc/passwd", "nowhere.yaml", "top.yaml"])
def test_what_cannot_be_extended(tmp_path: Path, name: str) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "top.yaml").write_text(f"extends: {name}\n")
    with pytest.raises(netspec.SpecError) as caught:
        netspec.load(tmp_path / "in" / "top.yaml")
    assert caught.value.problems[0].code == "extends"


def test_paths_start_from_the_folder_of_the_file_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "with a zero\u200bwidth space"
    folder.mkdir()
    (folder / "base.yaml").write_text(BASE)
    spec = netspec.load(folder / "base.yaml")
    assert spec.root == folder.resolve()
    assert spec.over(["params.width=16"]).root == folder.resolve()
    # A text has no folder, also where its name is that of a file.
    monkeypatch.chdir(tmp_path)
    assert netspec.loads(BASE, name=str(folder / "base.yaml")).root == tmp_path.resolve()


PLAIN = """\
netspec: 1
input: 1x8x8
blocks:
  unit c k=3: [conv $c $k same, relu]
params: {width: 4}
layers:
  conv1: conv $width k3
  act1: relu
  body: {one: unit 8, two: unit 8 k=5}
  flat: [gap, flatten]
  head: linear 10
lint: {ignore: [no-effect]}
"""
LISTED = "netspec: 1\ninput: 1x8x8\nlayers:\n- conv 4 k3\n- relu\n- mid: conv 8 k3\n- [gap, flatten]\n- fc 10\n"


def laid(folder: Path, top: str, **bases: str) -> netspec.Spec:
    """A spec over bases, each in a file of its name."""
    for name, text in bases.items():
        (folder / f"{name}.yaml").write_text(text)
    extends = "" if "extends" in top else f"extends: [{', '.join(f'{name}.yaml' for name in bases)}]\n"
    (folder / "top.yaml").write_text(extends + top)
    return netspec.load(folder / "top.yaml")


def refused(folder: Path, top: str, **bases: str) -> str:
    with pytest.raises(netspec.SpecError) as caught:
        laid(folder, top, **bases)
    return str(caught.value)


def steps(spec: netspec.Spec) -> list[str]:
    return [step.name for step in spec.graph.root.steps]


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        ("layers: {act1: null}", ["conv1", "body", "flat", "head"]),
        ("layers: {drop: {after: act1, layers: dropout 0.5}}", ["conv1", "act1", "drop", "body", "flat", "head"]),
        ("layers: {drop: {before: body, dropout: {p: 0.5}}}", ["conv1", "act1", "drop", "body", "flat", "head"]),
        ("layers: {n1: {before: conv1, layers: [bn, relu]}}", ["n1", "conv1", "act1", "body", "flat", "head"]),
        ("layers: {act1: {after: body}}", ["conv1", "body", "act1", "flat", "head"]),
        ("layers: {act1: {before: conv1, layers: gelu}}", ["act1", "conv1", "body", "flat", "head"]),
        (
            "layers: {a: {after: flat, layers: fc 9}, b: {after: a, layers: tanh}}",
            ["conv1", "act1", "body", "flat", "a", "b", "head"],
        ),
        ("layers: {head: null, out: linear 3}", ["conv1", "act1", "body", "flat", "out"]),
        ("layers: {act1: {after: act1}}", ["conv1", "act1", "body", "flat", "head"]),
    ],
)
def test_steps_are_put_in_moved_and_taken_away(tmp_path: Path, top: str, expected: list[str]) -> None:
    assert steps(laid(tmp_path, top, base=PLAIN)) == expected


def test_they_are_inside_levels_and_blocks_too(tmp_path: Path) -> None:
    spec = laid(tmp_path, "layers: {body: {one: null, mid: {before: two, layers: bn}}}", base=PLAIN)
    assert [name for name in spec.graph.parameters() if name.startswith("body.")][:2] == [
        "body.mid.weight",
        "body.mid.bias",
    ]


@pytest.mark.parametrize(
    ("top", "parameters"),
    [
        ("layers: {4: fc 3}", {"mid.weight": (8, 4, 3, 3), "fc1.weight": (3, 8)}),
        ("layers: {mid: conv 6 k3}", {"mid.weight": (6, 4, 3, 3), "fc1.weight": (10, 6)}),
        (
            "layers: {1: null, drop: {after: 2, layers: dropout 0.1}}",
            {"mid.weight": (8, 4, 3, 3), "fc1.weight": (10, 8)},
        ),
        ("layers: {wide: {before: 4, layers: fc 20}}", {"wide.weight": (20, 8), "fc1.weight": (10, 20)}),
        ("layers: {last: linear 7, mid: null}", {"fc1.weight": (10, 4), "last.weight": (7, 10)}),
    ],
)
def test_entries_of_a_list_have_numbers_or_their_names(
    tmp_path: Path, top: str, parameters: dict[str, tuple[int, ...]]
) -> None:
    assert parameters.items() <= laid(tmp_path, top, base=LISTED).graph.parameters().items()


def test_what_names_no_entry_takes_the_place_of_a_list(tmp_path: Path) -> None:
    assert steps(laid(tmp_path, "layers: {flat: flatten, only: fc 2}", base=LISTED)) == ["flat", "only"]


@pytest.mark.parametrize(
    ("top", "told"),
    [
        ("layers: {hed: null}", "top.yaml:2:10  error[extends]  hed cannot be taken away: base.yaml has no hed"),
        ("layers: {hed: null}", "Did you mean 'head'?"),
        ("layers: {d: {after: conv2, layers: relu}}", "d cannot go there: base.yaml has no conv2"),
        ("layers: {act2: {before: head}}", "act2 cannot be moved: base.yaml has no act2"),
        ("layers: {body: {three: null}}", "three cannot be taken away"),
    ],
)
def test_what_is_not_there_is_told(tmp_path: Path, top: str, told: str) -> None:
    assert told in refused(tmp_path, top, base=PLAIN).replace(f"{tmp_path}/", "")


def test_a_section_is_taken_away_and_a_param_can_be_null(tmp_path: Path) -> None:
    base = PLAIN + "data: digits\ntrain: {loss: cross_entropy, optimizer: adamw lr=1e-3, epochs: 1}\n"
    spec = laid(
        tmp_path,
        "train: null\ndata: null\nparams: {width: null}\nlayers: {conv1: conv 4 k3 when width == null}\n",
        base=base,
    )
    assert spec.experiment.train is None
    assert steps(spec)[0] == "conv1"


@pytest.mark.parametrize(
    ("blocks", "kernels"),
    [
        ("unit c k=1: {}", [1, 5]),
        ("unit c k=7: [conv $c $k same]", [7, 5]),
        ("unit: [conv $c k1]", [1, 1]),
    ],
)
def test_the_header_of_a_block_is_replaced(tmp_path: Path, blocks: str, kernels: list[int]) -> None:
    shapes = laid(tmp_path, f"blocks: {{{blocks}}}", base=PLAIN).graph.parameters()
    assert [shape[-1] for name, shape in shapes.items() if name.startswith("body") and "weight" in name] == kernels


def test_one_block_is_laid_over_that_of_its_name_and_the_others_stay(tmp_path: Path) -> None:
    base = "input: 6\nblocks: {one: {a: linear 6, b: linear 5}, two c: [linear $c]}\nlayers: [one, two 4]\n"
    (tmp_path / "base.yaml").write_text(base)
    (tmp_path / "top.yaml").write_text("extends: base.yaml\nblocks: {one: {a: {layers: linear 3, before: b}}}\n")
    shapes = netspec.load(tmp_path / "top.yaml").graph.parameters()
    assert [shapes[f"{name}.weight"] for name in ("one1.a", "one1.b", "two1.0")] == [(3, 6), (5, 3), (4, 5)]


def test_of_several_the_later_lie_over_the_earlier(tmp_path: Path) -> None:
    low = "params: {width: 16}\nlayers: {extra: relu}\n"
    spec = laid(tmp_path, "name: Both", one=PLAIN, two=low, three="params: {width: 2}\nlayers: {head: linear 3}\n")
    assert spec.graph.parameters()["conv1.weight"] == (2, 1, 3, 3)
    assert spec.graph.parameters()["head.weight"] == (3, 8)
    assert steps(spec)[-1] == "extra"
    assert "extends" not in spec.data


def test_long_forms_of_other_entries_take_the_place(tmp_path: Path) -> None:
    base = "data: digits\ntrain: {loss: cross_entropy, epochs: 1, optimizer: {adamw: {lr: 0.1, weight_decay: 0.5}}}\n"
    base += PLAIN.replace("head: linear 10", "head: {linear: {out_features: 10, bias: false}}")
    other = (
        "train: {optimizer: {sgd: {lr: 0.2}}}\nlayers: {head: {bilinear: {out_features: 10, inputs: [flat, flat]}}}\n"
    )
    spec = laid(tmp_path, other, base=base)
    assert type(spec.experiment.train.optimizer).__name__ == "SGD"  # type: ignore[union-attr]
    assert spec.graph.parameters()["head.weight"] == (10, 8, 8)
    same = "train: {optimizer: {adamw: {lr: 0.2}}}\nlayers: {head: {linear: {out_features: 12}}}\n"
    spec = laid(tmp_path, same, base=base)
    assert spec.experiment.train.optimizer.weight_decay == 0.5  # type: ignore[union-attr]
    assert spec.graph.parameters()["head.weight"] == (12, 8)
    assert "head.bias" not in spec.graph.parameters()


def test_own_warnings_that_are_ignored_are_added(tmp_path: Path) -> None:
    spec = laid(tmp_path, "lint: {ignore: [dropout-last]}\n", base=PLAIN)
    assert spec.data["lint"]["ignore"] == ["dropout-last", "no-effect"]


def test_the_files_of_what_does_not_go_together_are_told(tmp_path: Path) -> None:
    top = "layers: {body: {two: null}, sum: add(conv1 body)}\n"
    told = refused(tmp_path, top, base=PLAIN.replace("unit 8", "unit 9")).replace(f"{tmp_path}/", "")
    assert "top.yaml:2:34  error[shape-mismatch]" in told
    assert "  takes base.yaml:7:10: conv1: conv $width k3" in told
    told = refused(tmp_path, "params: {width: 0}\n", base=PLAIN).replace(f"{tmp_path}/", "")
    assert "base.yaml:7:15" in told
    assert "  extended by top.yaml:1:10: extends: [base.yaml]" in told


def test_other_folders_of_the_root_are_read_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "nets" / "small").mkdir(parents=True)
    (tmp_path / "base.yaml").write_text(PLAIN)
    top = tmp_path / "nets" / "small" / "top.yaml"
    top.write_text("extends: ../../base.yaml\n")
    with pytest.raises(netspec.SpecError, match="lies outside of"):
        netspec.load(top)
    assert netspec.load(top, root=tmp_path).name == "Net"
    with pytest.raises(netspec.SpecError, match="lies outside of"):
        netspec.load(top, root=tmp_path / "nets")
    (tmp_path / ".git").mkdir()
    assert netspec.load(top).name == "Net"
    with pytest.raises(netspec.SpecError, match="lies outside of"):
        netspec.load(top, ["extends=../../../base.yaml"])
    (tmp_path / "nets" / "link.yaml").symlink_to(tmp_path.parent / "elsewhere.yaml")
    (tmp_path.parent / "elsewhere.yaml").write_text(PLAIN)
    with pytest.raises(netspec.SpecError, match="lies outside of"):
        netspec.load(top, ["extends=../link.yaml"])


def test_specs_that_extend_each_other_end(tmp_path: Path) -> None:
    assert "leads back to where it began: top.yaml -> top.yaml" in refused(tmp_path, "extends: top.yaml\n")
    (tmp_path / "base.yaml").write_text("use: {b: top.yaml}\n")
    assert "top.yaml -> base.yaml -> top.yaml" in refused(tmp_path, "extends: base.yaml\n")
    for number in range(9):
        (tmp_path / f"s{number}.yaml").write_text(f"extends: s{number + 1}.yaml\n")
    assert "more than 8 specs extend each other" in refused(tmp_path, "extends: s0.yaml\n")


def test_many_steps_are_moved_in_a_time_that_grows_with_them(tmp_path: Path) -> None:
    count = 4_000
    base = "input: 4\nlayers:\n" + "".join(f"  s{i}: relu\n" for i in range(count))
    top = "layers:\n" + "".join(f"  s{i}: {{before: s{count - i}}}\n" for i in range(1, count // 2))
    with computing(20):
        laid(tmp_path, top, base=base)


def test_what_stands_beside_the_steps_of_a_level_is_laid_on_too(tmp_path: Path) -> None:
    """One of two bodies has its long form, `{outputs: ..., layers: ...}`; steps are laid over steps all the same."""
    base = "input: 4\nblocks: {unit: {a: linear 4, b: relu}}\nlayers: {u: unit, list: [linear 3, relu]}\n"
    top = "blocks: {unit: {outputs: {out: b, a: a}, layers: {b: gelu}}}\n"
    top += "layers: {list: {order: ['0'], layers: {1: tanh}}}\n"
    spec = laid(tmp_path, top + "outputs: {out: list, a: u.a}\n", base=base)
    assert [*spec.graph.parameters()] == ["u.a.weight", "u.a.bias", "list.0.weight", "list.0.bias"]
    printed = spec.source()
    assert "gelu" in printed
    assert "tanh" in printed.lower()
    assert "relu" not in printed.lower()
    long = base.replace("{a: linear 4, b: relu}", "{order: [c, a], layers: {a: linear 4, b: relu, c: linear 4}}")
    spec = laid(tmp_path, "blocks: {unit: {b: gelu}}\n", base=long)
    assert [*spec.graph.parameters()][:2] == ["u.c.weight", "u.c.bias"]
    assert "gelu" in spec.source()
