"""A network that keeps what it has read goes on as the one that reads the whole text again, token for token."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

import netspec
from netspec.runs.generate import Remembering, Whole, remembering
from netspec.runs.generate_file import FileReader
from netspec.runs.language_model import language_model, window_of
from netspec.runs.onnx_model import OnnxModel
from netspec.runs.sampling import Sampling, tokens_after
from netspec.views.cached import Uncacheable, cached

SPECS = Path(__file__).parents[2] / "specs"
READY = {
    "char_lm": ["params.context=12", "data.source.length=12"],
    "nanogpt_tiny": ["params.context=12"],
    "llama": [],
    "lstm_lm_small": [],
    "lstm_lm_small_tied": [],
    "transformer_lm_small": [],
    "mixtral_tiny": [],
    "mamba_tiny": [],
}
"""The ready language models, with a short window where they have one."""
HEAD = "netspec: 1\nname: Small\ninput: int T\nlayers:\n"
WRITTEN = {
    "attention by hand": """
  e: embedding 30 8
  q: linear(e) 8 nobias
  k: linear(e) 8 nobias
  v: linear(e) 8 nobias
  kt: transpose(k) 1 2
  scores: matmul(q kt), div 2.8
  mask: causal T
  seen: add(scores mask), softmax -1
  out: matmul(seen v), linear 30
""",
    "a mask of ones and a bias of distances": """
  e: embedding 30 8, unsqueeze 1
  i: arange T
  far: unsqueeze(i) 1, sub(prev i), to float32, mul -0.3
  q: linear(e) 8
  k: linear(e) 8, transpose 2 3
  ones: ones TxT dtype=bool, to float32, tril, eq 0
  scores: matmul(q k), add(prev far), masked_fill(prev ones), softmax -1
  v: linear(e) 8
  out: matmul(scores v), squeeze 1, linear 30
""",
    "a layer of attention": """
  e: embedding 30 8
  a: attention 2 is_causal
  m: causal T
  b: attention(a a a m) 2
  out: linear 30
""",
    "a gru": """
  e: embedding 30 8
  rnn: gru 6 batch_first
  again: gru 6 batch_first num_layers=2
  out: linear 30
""",
    "convolutions that pad before": """
  e: embedding 30 8, transpose 1 2
  a: pad 2 0, conv1d 8 k3, relu
  b: pad 4 0, conv1d 8 k3 d2, relu
  out: transpose 1 2, linear 30
""",
    "convolutions that are cut behind": """
  e: embedding 30 8, transpose 1 2
  a: conv1d 8 k3 p4 d2, slice 2 0 -4, relu
  out: transpose 1 2, linear 30
""",
    "one layer used twice, in a block": """
  e: embedding 30 8
  mix: linear 8, tanh
  again: use(mix) mix
  at: [attention 2 is_causal, linear 8]
  last: slice 1 -1
  out: linear 30
""",
    "a stack of encoder layers": """
  e: embedding 30 8
  enc: transformer_encoder 2 num_layers=2 dim_feedforward=12 batch_first norm_first norm is_causal activation=gelu
  out: linear 30
""",
    "an encoder layer without biases": """
  e: embedding 30 8
  m: causal T
  enc: transformer_encoder_layer(e m) 2 dim_feedforward=12 batch_first nobias
  out: linear 30
""",
    "a cell of one's own": """
  e: embedding 30 8
  z: zeros Bx6
  c: zeros Bx6
  scale: parameter 6
  r:
    scan: {over: {u: e}, carry: {h: z -> nxt, k: c}}
    layers:
      both: concat(u h) -1, linear 6, mul(prev scale)
      gate: [linear 6, sigmoid]
      k: lerp(k both gate)
      nxt: tanh(k)
      o: linear(nxt) 5, flip 1
    outputs: {o: o, n: nxt}
  w: concat(r r.n) -1
  out: linear 30
""",
    "a scan of each place, and experts that are modules": """
  e: embedding 30 8
  g: gru 8 batch_first
  r: {scan: g, layers: [linear 8, flip 1, relu]}
  t: flatten 0 1
  top: linear 4, softmax -1, topk 2
  experts:
    route: {over: t, to: top.indices, weights: top}
    repeat: 4
    layers: [[linear 8, relu]]
  b: reshape B -1 8
  out: linear 30
""",
}


WAYS = (Sampling(temperature=0), Sampling(seed=3), Sampling(0.7, top_k=8, top_p=0.9, seed=1))


def same(spec: netspec.Spec, count: int, prompt: list[int], ways: Sequence[Sampling] = WAYS) -> None:
    """Hold both ways of reading against one another."""
    torch.manual_seed(0)
    module, model = spec.build().eval(), language_model(spec)
    reader = remembering(spec, module, model)
    assert isinstance(reader, Remembering)
    for how in ways:
        kept = list(islice(tokens_after(reader, prompt, how, None), count))
        assert kept == list(islice(tokens_after(Whole(module, model), prompt, how, None), count))
        assert len(set(kept)) > 2 or how.temperature == 0


@pytest.mark.parametrize("name", READY)
def test_ready_language_models_go_on_alike(name: str) -> None:
    same(netspec.load(SPECS / f"{name}.yaml", READY[name]), 20, [3, 1, 4, 1, 5])


@pytest.mark.parametrize("name", WRITTEN)
def test_what_mixes_places_goes_on_alike(name: str) -> None:
    same(netspec.Spec.loads(HEAD + WRITTEN[name]), 12, [3, 1, 4], WAYS[1:2])


UNKEPT = {
    "embedding 30 8, lstm 8 bidirectional batch_first, linear 30": "(lstm) reads the text backwards too",
    "embedding 30 8, attention 2, linear 30": "(attention) looks at what comes after each token",
    "embedding 30 8, flip 1, linear 30": "(flip) may mix places",
    "embedding 30 8, softmax 1, linear 30": "works along the text",
    "embedding 30 8, transpose 1 2, conv1d 8 k3 same, transpose 1 2, linear 30": "sees what comes after each token",
    "embedding 30 8, linear 30": "it keeps nothing of what it has read",
    "embedding 30 8, transformer_encoder_layer 2 batch_first, linear 30": "looks at what comes after each token",
    "embedding 30 8, cumsum 1, linear 30": "(cumsum) may mix places",
}
SCANNED = """  e: embedding 30 8
  z: {start} Bx8
  r: {{scan: {{over: {{u: e}}, carry: {{h: z}}{way}}}, layers: {{h: {step}}}}}
  out: linear 30
"""
UNSCANNED = {
    ("zeros", ", reverse: true", "add(u h)"): "r reads the text backwards",
    ("ones", "", "add(u h)"): "r begins h as what is computed, and not as zeros",
    ("zeros", "", "'sum(e) 1, add(prev h)'"): "r looks at e, which is of the whole text",
}


@pytest.mark.parametrize(("row", "said"), UNKEPT.items())
def test_what_cannot_be_kept_is_named(row: str, said: str) -> None:
    spec = netspec.Spec.loads(f"{HEAD}  - {row}\n")
    with pytest.raises(Uncacheable) as found:
        cached(spec.graph, next(iter(spec.graph.outputs)))
    assert said in str(found.value)


@pytest.mark.parametrize(("written", "said"), UNSCANNED.items())
def test_a_scan_that_cannot_be_kept_is_named(written: tuple[str, str, str], said: str) -> None:
    start, way, step = written
    spec = netspec.Spec.loads(HEAD + SCANNED.format(start=start, way=way, step=step))
    with pytest.raises(Uncacheable, match=said):
        cached(spec.graph, "out")


@pytest.mark.parametrize("name", [*WRITTEN][-4:])
def test_a_file_keeps_the_same(name: str, tmp_path: Path) -> None:
    spec = netspec.Spec.loads(f"{HEAD}{WRITTEN[name]}export: {{onnx: {{cache: true}}}}\n")
    torch.manual_seed(0)
    module, model = spec.build().eval(), language_model(spec)
    spec.export(tmp_path / "net.onnx", module)
    reader = FileReader(OnnxModel.read(tmp_path / "net.onnx"), model, True)
    kept = list(islice(tokens_after(reader, [3, 1, 4], WAYS[1], None), 12))
    assert kept == list(islice(tokens_after(Whole(module, model), [3, 1, 4], WAYS[1], None), 12))


def test_a_network_that_looks_ahead_is_found_by_what_it_gives() -> None:
    """Of products by hand nothing says that they look ahead; its second layer then sees other things."""
    layer = "  k{0}: transpose(e{0}) 1 2\n  s{0}: matmul(e{0} k{0}), softmax -1\n  e{1}: matmul(s{0} e{0}), linear 8\n"
    spec = netspec.Spec.loads(f"{HEAD}  e0: embedding 30 8\n{layer.format(0, 1)}{layer.format(1, 2)}  out: linear 30\n")
    torch.manual_seed(0)
    with pytest.raises(Uncacheable, match="changes what is made of it"):
        remembering(spec, spec.build().eval(), language_model(spec))


def test_its_source_is_printed_as_any_other() -> None:
    found = cached(netspec.load(SPECS / "char_lm.yaml").graph, "head")
    assert [memory.past for memory in found.memory][:2] == ["past_h_0_attn_y_1", "past_h_0_attn_y_2"]
    assert "torch.cat([past_h_0_attn_y_1, h_0_attn_y1], dim=1)" in netspec.Spec.loads(found.text).source()


def test_each_token_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work of a step does not grow with the text: what goes into the network is the new token alone."""
    spec = netspec.load(SPECS / "char_lm.yaml")
    module, model = spec.build().eval(), language_model(spec)
    reader = remembering(spec, module, model)
    assert isinstance(reader, Remembering)
    seen: list[tuple[int, int]] = []

    def noted(network: Any) -> Any:
        def run(text: torch.Tensor, *held: torch.Tensor) -> Any:
            seen.append((text.shape[1], held[0].shape[1]))
            return network(text, *held)

        return run

    reader.module, reader.single = noted(reader.module), noted(reader.single)
    list(islice(tokens_after(reader, [1, 2, 3], Sampling(), None), 6))
    assert seen == [(3, 0), (1, 3), (1, 4), (1, 5), (1, 6), (1, 7)]


def test_the_window_of_positions_is_found() -> None:
    windows = {name: window_of(netspec.load(SPECS / f"{name}.yaml").graph) for name in READY}
    unbound = ("llama", "lstm_lm_small", "lstm_lm_small_tied", "mixtral_tiny", "mamba_tiny")
    known = {"char_lm": 32, "nanogpt_tiny": 32, "transformer_lm_small": 5000}
    assert windows == known | dict.fromkeys(unbound)
