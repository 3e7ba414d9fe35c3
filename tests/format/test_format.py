"""What formatting does to a text, and what it leaves alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from textwrap import dedent

import pytest

import netspec
from netspec.text.reader import read_text
from netspec.text.report import SpecError
from netspec.views.format import formatted


def short(text: str) -> str:
    return formatted(read_text(dedent(text)))


def long(text: str) -> str:
    return formatted(read_text(dedent(text)), long=True)


@pytest.mark.parametrize(
    ("row", "spelled"),
    [
        ("conv 1->6 k5", "{conv: {in_channels: 1, out_channels: 6, kernel_size: 5}}"),
        (
            "conv 6 k3x5 s2 same nobias",
            "{conv: {out_channels: 6, kernel_size: [3, 5], stride: 2, same: true, bias: false}}",
        ),
        ("maxpool 3 s2 p1 ceil_mode", "{maxpool: {kernel_size: 3, stride: 2, padding: 1, ceil_mode: true}}"),
        ("fc 400->120->84 between=relu", "{fc: {in_features: 400, out_features: [120, 84], between: relu}}"),
        ("fc ->120->84", "{fc: {out_features: [120, 84]}}"),
        ("linear $(min(a, b))", '{linear: {out_features: "$(min(a, b))"}}'),
        ("bn eps=1e-3", "{bn: {eps: 1e-3}}"),
        ("permute 0 2 3 1", "{permute: {dims: [0, 2, 3, 1]}}"),
        ("sdpa(query=q key=k value=v) heads=4", "{sdpa: {inputs: {query: q, key: k, value: v}, heads: 4}}"),
        ("conv 8 k3 wrap=weight_norm", "{conv: {out_channels: 8, kernel_size: 3, wrap: weight_norm}}"),
        ("bn x3 when i > 0", "{bn: {}, repeat: 3, when: i > 0}"),
        ("concat(in parts.*) 1", "{concat: {inputs: [in, parts.*], dim: 1}}"),
        ("relu", "relu"),
        ("use(other) stem", "use(other) stem"),
        ("$act", "$act"),
    ],
)
def test_a_call_in_both_forms(row: str, spelled: str) -> None:
    quoted = f'"{row}"' if "," in row else row
    assert long(f"layers: [{quoted}]") == f"layers: [{spelled}]\n"
    assert short(f"layers: [{spelled}]") == f"layers: [{quoted}]\n"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("conv   6   k5,relu", "conv 6 k5, relu"),
        ("conv 6 kernel_size=5", "conv 6 k5"),
        ("conv out_channels=6 k5", "conv 6 k5"),
        ("conv 6 5 bias=false", "conv 6 k5 nobias"),
        ("conv 1→6 k5", "conv 1->6 k5"),
        ("maxpool k3", "maxpool 3"),
        ("dropout p=0.5", "dropout 0.5"),
        ("wide n=3", "wide 3"),
        ("wide 3 s=2 flag=true", "wide 3 s2 flag"),
    ],
)
def test_one_way_to_write_a_row(written: str, expected: str) -> None:
    head = "blocks: {wide n s=1 flag=false: relu}\nlayers:\n  - "
    assert short(head + written) == head + expected + "\n"
    assert short(head + expected) == head + expected + "\n"


def test_what_no_row_can_say_stays_long() -> None:
    text = """\
    layers:
      - repeat: [1, 2]
        as: n
        layers: [{conv: {out_channels: $n, kernel_size: 1}, repeat: [1, 2], as: k}]
      - {fold: {output_size: [4], kernel_size: 2}}
    """
    assert short(text) == dedent(text)


def test_comments_stay_and_move_above_a_row_where_they_must() -> None:
    text = """\
    # the head
    layers:
      # first
      - conv 6 k5, relu   # six maps

      - pool 2
    """
    assert long(text) == dedent("""\
    # the head
    layers:
      # first
      - chain:   # six maps
          - conv: {out_channels: 6, kernel_size: 5}
          - relu

      - pool: {kernel_size: 2}
    """)
    inside = """\
    layers:
      stem:
        chain:   # six maps
          # of the width that the paper has
          - conv:
              out_channels: 6
              kernel_size: 5  # pixels
          - relu
      last: relu
    """
    assert short(inside) == dedent("""\
    layers:
      # of the width that the paper has
      # pixels
      stem: conv 6 k5, relu   # six maps
      last: relu
    """)
    assert short(long(text)) == dedent(text)
    assert long(inside) == dedent(inside)


def test_sections_of_training_are_formatted_too() -> None:
    text = """\
    data: {source: {mnist: {path: data/mnist}}, transform: [{pad: {padding: 2}}]}
    train:
      loss: {cross_entropy: {label_smoothing: 0.1}}
      optimizer: {adamw: {lr: 2e-3}}   # decoupled
      metrics: [accuracy, {top_k: {k: 5}}]
    init: {conv: {kaiming_normal: {mode: fan_out}}, linear: {weight: {normal: {std: 0.02}}, bias: zeros}}
    """
    rows = short(text)
    assert "optimizer: adamw lr=2e-3   # decoupled" in rows
    assert "loss: cross_entropy label_smoothing=0.1" in rows
    assert "init: {conv: kaiming_normal mode=fan_out, linear: {weight: normal std=0.02, bias: zeros}}" in rows
    assert long(rows) == long(text)
    assert short(long(rows)) == rows


def test_steps_for_one_of_several_inputs_are_formatted() -> None:
    text = """\
    data:
      source: npz a.npz
      transform:
        - {Resize: {size: 8}}
        - {left: {Scale: {factor: 2}}, right: [scale 3 1, {pad: {padding: 0}}]}
      augment: {left: [flip, {rotate: {degrees: 5}}]}
    """
    rows = short(text)
    assert "- {left: Scale 2, right: [scale 3 1, pad 0]}" in rows
    assert "augment: {left: [flip, rotate 5]}" in rows
    assert long(rows) == long(text)
    assert short(long(rows)) == rows


def test_unreadable_rows_are_all_named_and_nothing_is_written() -> None:
    with pytest.raises(SpecError) as caught:
        short("layers:\n  - conv 6 k5,,relu\n  - conv 6 kern=5\n  - fc )\n")
    assert [problem.code for problem in caught.value.problems] == ["row", "unknown-argument", "row"]


@pytest.mark.parametrize(
    "layers",
    ["{h: {repeat: 3}}", "{h: {repeat: $n, when: n > 1}}", "{h: {repeat: [[1, 2], [3, 4]], as: [a, b]}, o: fc 3}"],
)
@pytest.mark.parametrize("write", [short, long])
def test_what_completes_a_level_of_the_spec_below_is_no_row(layers: str, write: Callable[[str], str]) -> None:
    text = f"extends: base.yaml\nlayers: {layers}\n"
    assert write(text) == text


def test_a_spec_that_extends_another_keeps_the_form_of_its_calls() -> None:
    # A mapping merges with what it is laid over, a row takes its place.
    text = "extends: base.yaml\nlayers: {a: {conv: {kernel_size: 5}}, b: conv out_channels=4 kernel_size=3}\n"
    assert short(text) == text.replace("out_channels=4 kernel_size=3", "4 k3")
    assert long(text) == text


@pytest.mark.parametrize("text", ["010", "12", "true", "null", "1e3", ".5", "0x1f", "2x3", "1x28x28", "-3", "~"])
@pytest.mark.parametrize("form", [short, long])
def test_a_text_that_looks_like_something_else_stays_one(text: str, form: Callable[[str], str]) -> None:
    source = f'{{csv: {{path: "{text}", target: "{text}", numbers: [a, "{text}"]}}}}'
    spec = f"netspec: 1\ninput: 2\nlayers: [fc 3]\ndata: {{source: {source}}}\n"
    before, after = netspec.loads(spec).experiment.data, netspec.loads(form(spec)).experiment.data
    assert before is not None
    assert after is not None
    assert before.source == after.source


def test_a_quoted_number_where_numbers_stand_is_one() -> None:
    assert short('layers: [{conv: {out_channels: "8", kernel_size: 3}}]') == "layers: [conv 8 k3]\n"


@pytest.mark.parametrize("text", ["010", "-007", "00.5", "0x10", "01e3"])
def test_what_is_quoted_because_readers_differ_stays_quoted(text: str) -> None:
    spec = f'blocks:\n  b k: [fc 8]\nlayers:\n  a: {{b: {{k: "{text}"}}}}\n'
    for write in (short, long):
        assert f'"{text}"' in write(spec) or f"b {text}" in write(spec)
        assert not re.search(rf": {text}\b", write(spec))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("npz path=./a.npz", "npz ./a.npz"),
        ("npz path=~/data/a.npz", "npz ~/data/a.npz"),
        ("npz path=d040.npz", "npz d040.npz"),
        ("npz path=2024.npz", "npz 2024.npz"),
        ("npz path=x3", "npz path=x3"),
        ("npz path=when", "npz path=when"),
        ("npz a.npz inputs=k3 target=b2", "npz a.npz inputs=k3 target=b2"),
    ],
)
def test_a_word_stands_without_its_name_where_the_row_reads_it_as_that_word(source: str, expected: str) -> None:
    spec = f"netspec: 1\ninput: 2\nlayers: [fc 3]\ndata: {source}\n"
    assert short(spec) == spec.replace(source, expected)
    before, after = netspec.loads(spec).experiment.data, netspec.loads(short(spec)).experiment.data
    assert before is not None
    assert after is not None
    assert before.source == after.source
