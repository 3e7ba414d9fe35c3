"""Outputs `when training`: their heads run in training alone, and the printed network says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import netspec
from netspec.text.report import SpecError

SPEC = """\
netspec: 1
input: 8
layers:
  body: fc 16, relu
  aux: [fc 8, bn, dropout 0.5, fc 3]
  more: fc(body) 16, relu, dropout 0.2
  out: fc 3
outputs: {logits: out, aux: aux when training}
"""


def calls(net: nn.Module, x: torch.Tensor) -> list[str]:
    """The modules that a pass calls, by their names."""
    found: list[str] = []
    handles = [
        module.register_forward_pre_hook(lambda _, __, name=name: found.append(name))
        for name, module in net.named_modules()
    ]
    net(x)
    for handle in handles:
        handle.remove()
    return found


def test_a_head_runs_and_is_given_in_training_alone() -> None:
    net, x = netspec.loads(SPEC).build(), torch.randn(4, 8)
    assert "aux" in calls(net.train(), x)
    assert [*net(x)] == ["logits", "aux"]
    assert not any(name.startswith("aux") for name in calls(net.eval(), x))
    assert [*net(x)] == ["logits"]
    assert any(name.startswith("aux") for name in net.state_dict())


def test_the_printed_network_asks_as_a_person_would() -> None:
    forward = netspec.loads(SPEC).source().partition("class Net(")[2].partition("def forward")[2]
    lines = [line.partition("  #")[0].rstrip() for line in forward.splitlines()[1:]]
    assert lines == [
        "        body = F.relu(self.body(x))",
        "        if self.training:",
        "            aux = self.aux(body)",
        "        x = F.dropout(F.relu(self.more(body)), 0.2, self.training)",
        "        x = self.out(x)",
        "        if self.training:",
        '            return {"logits": x, "aux": aux}',
        '        return {"logits": x}',
    ]


def test_a_list_gives_a_tuple_in_training_and_one_tensor_outside() -> None:
    net = netspec.loads(SPEC.replace("{logits: out, aux: aux when training}", "[out, aux when training]")).build()
    given = net.train()(torch.randn(4, 8))
    assert isinstance(given, tuple)
    assert [x.shape for x in given] == [(4, 3), (4, 3)]
    assert net.eval()(torch.randn(4, 8)).shape == (4, 3)


def test_the_last_steps_and_their_return_stand_under_one_condition() -> None:
    spec = (
        SPEC.replace("  out: fc 3\n", "")
        .replace("logits: out", "logits: more")
        .replace("  aux: [fc 8, bn, dropout 0.5, fc 3]\n", "")
        .replace("outputs", "  aux: [fc(body) 8, fc 3]\noutputs")
    )
    printed = netspec.loads(spec).source()
    assert printed.rstrip().count("if self.training:") == 1
    assert [*netspec.loads(spec).build().train()(torch.randn(2, 8))] == ["logits", "aux"]


def test_inner_values_are_given_without_a_head() -> None:
    """What a loss of deep supervision is on: a value that is needed anyway, given in training too."""
    spec = SPEC.replace("aux: aux when training", "early: body when training, late: more when training").replace(
        "  aux: [fc 8, bn, dropout 0.5, fc 3]\n", ""
    )
    net = netspec.loads(spec).build()
    assert [*net.train()(torch.randn(2, 8))] == ["logits", "early", "late"]
    assert [*net.eval()(torch.randn(2, 8))] == ["logits"]


def test_a_head_inside_what_always_runs_is_refused() -> None:
    spec = """\
netspec: 1
input: 8
layers:
  net: {layers: {body: "fc 16, relu", aux: fc(body) 3, out: fc(body) 3}, outputs: {out: out, aux: aux}}
outputs: {logits: net, aux: net.aux when training}
"""
    with pytest.raises(SpecError, match="needed in training only, and runs inside net"):
        netspec.loads(spec)


def test_an_output_of_a_block_has_no_condition() -> None:
    spec = """\
netspec: 1
input: 8
layers:
  net: {layers: {body: "fc 16, relu", aux: fc(body) 3}, outputs: [body, aux when training]}
"""
    with pytest.raises(SpecError, match="only an output of the whole network"):
        netspec.loads(spec)


def test_an_exported_file_has_no_head(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    spec = netspec.loads(SPEC)
    spec.export(tmp_path / "net.onnx")
    graph = onnx.load(tmp_path / "net.onnx").graph
    assert len(graph.output) == 1
    assert not any("aux" in tensor.name for tensor in graph.initializer)


# --- whole networks ---------------------------------------------------------------------------------

ROOT = Path(__file__).parent.parent.parent


def test_inception_has_torchvisions_auxiliary_classifier() -> None:
    """Its names stand in the order of torchvision's state_dict; outside training it is the network without it."""
    spec = netspec.load(ROOT / "specs" / "inception_v3.yaml")
    plain = netspec.load(ROOT / "tests" / "code" / "architectures" / "inception_v3.yaml")
    with torch.device("meta"):
        net, other = spec.build(), plain.build()
        given = net.train()(torch.zeros(2, 3, 299, 299))
        assert [tuple(x.shape) for x in given] == [(2, 1000), (2, 1000)]
        assert tuple(net.eval()(torch.zeros(2, 3, 299, 299)).shape) == (2, 1000)
    names = list(net.state_dict())
    own = [name for name in names if name.startswith("AuxLogits.")]
    norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    convolutions = [[f"{conv}.conv.weight", *(f"{conv}.bn.{part}" for part in norm)] for conv in ("conv0", "conv1")]
    parts = [*convolutions[0], *convolutions[1], "fc.weight", "fc.bias"]
    assert own == [f"AuxLogits.{part}" for part in parts]
    assert names[names.index(own[0]) - 1].startswith("Mixed_6e.")
    assert names[names.index(own[-1]) + 1].startswith("Mixed_7a.")
    assert [name for name in names if name not in own] == list(other.state_dict())
    printed = [line.partition("  #")[0].strip() for line in spec.source().splitlines()]
    head = ["if self.training:", "AuxLogits = self.AuxLogits(Mixed_6e)", "x = self.Mixed_7a(Mixed_6e)"]
    assert printed[-10:-7] == head
    assert printed[-3:] == ["if self.training:", "return x, AuxLogits", "return x"]
