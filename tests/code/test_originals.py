"""Ready specs against the classes of other libraries that they are: what tensors they have, and what they give.

What the originals have and give is stored beside the rule that their numbers were made by.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import netspec
from tests.code.originals import filled, numbers

ROOT = Path(__file__).parent.parent.parent
STORED = sorted((Path(__file__).parent / "originals").glob("*.json"))


def _inputs(stored: dict[str, Any]) -> list[torch.Tensor]:
    """What an original was given: shapes of numbers by the rule, and whole numbers as they are."""
    return [
        numbers(int(torch.tensor(given).prod()), 77).reshape(given) if name in stored["drawn"] else torch.tensor(given)
        for name, given in stored["inputs"].items()
    ]


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_ready_spec_is_its_original(path: Path) -> None:
    stored = json.loads(path.read_text())
    net = netspec.load(ROOT / "specs" / path.name.replace("json", "yaml")).build().double().eval()
    state = net.state_dict()
    assert [(name, list(tensor.shape)) for name, tensor in state.items()] == [*stored["state"].items()]
    floats = ((i, name, tensor) for i, (name, tensor) in enumerate(state.items()) if tensor.is_floating_point())
    with torch.no_grad():
        for i, name, tensor in floats:
            tensor.copy_(filled(name, tuple(tensor.shape), i))
        given = net(*_inputs(stored))
    outputs = given if isinstance(given, dict) else dict.fromkeys(stored["outputs"], given)
    assert outputs.keys() == stored["outputs"].keys()
    for name, wanted in stored["outputs"].items():
        found = outputs[name]
        assert list(found.shape) == wanted["shape"]
        told = [*found.flatten()[:6].tolist(), float(found.mean()), float(found.square().mean().sqrt())]
        assert told == pytest.approx([*wanted["first"], wanted["mean"], wanted["size"]], rel=1e-12, abs=1e-13)


def test_a_llama_with_its_cache_goes_on_where_it_was() -> None:
    """Several tokens after none, one after several: all as without a cache, whatever stands in it."""
    plain, cached = (netspec.load(ROOT / "specs" / f"{name}.yaml") for name in ("llama", "llama_cached"))
    net = plain.build().double()
    going = cached.build(net.state_dict()).double()
    ids = torch.randint(0, 211, (2, 11), generator=torch.Generator().manual_seed(0))
    keys = values = torch.zeros(2, 2, 2, 0, 12, dtype=torch.float64)
    found = []
    with torch.no_grad():
        for begin, end in ((0, 6), (6, 7), (7, 8), (8, 11)):
            given = going(ids[:, begin:end], keys, values)
            keys, values = given["present_keys"], given["present_values"]
            found.append(given["logits"])
        assert torch.allclose(torch.cat(found, 1), net(ids), rtol=0, atol=1e-14)
    assert keys.shape == values.shape == (2, 2, 2, 11, 12)


def test_the_sizes_of_the_originals_are_a_matter_of_params() -> None:
    """What the heads of the files say: of each family one, by its number of parameters."""
    llama = "vocab=32000 d=4096 heads=32 kv_heads=32 hidden=11008 depth=32"
    swin = "classes=1000 d=96 depths=[2,2,6,2] heads=[3,6,12,24] window=7 size=224"
    clip = (
        "vocab=49408 context=77 end=49407 text_d=512 text_heads=8 text_hidden=2048 text_depth=12 "
        "image=224 patch=32 d=768 heads=12 hidden=3072 depth=12 embedding=512"
    )
    ddpm = "widths=[128,256,256,256] attention=[false,true,false,false] size=32 groups=32 head=0"
    for name, sizes, wanted in (
        ("llama", llama, 6_738_415_616),
        ("t5", "vocab=32128 d=512 kv=64 heads=8 hidden=2048 depth=6 decoder_depth=6", 60_506_624),
        ("clip_model", clip, 151_277_313),
        ("whisper_encoder", "mels=80 frames=3000 d=384 heads=6 hidden=1536 depth=4", 8_208_384),
        ("unet_ddpm", ddpm, 35_746_307),
        ("swin_t", swin, 28_288_354),
    ):
        given = [f"params.{each}" for each in sizes.split()]
        assert netspec.load(ROOT / "specs" / f"{name}.yaml", given).graph.parameter_count == wanted, name
