"""Writes docs/architectures.md: specs beside the code that they become. `python -m tests.architectures` renews it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import netspec

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = ROOT / "docs" / "architectures.md"

SHOWN: Final = {
    "resnet18": (
        "ResNet-18",
        "torchvision's network, name for name. One block; its uses differ in two numbers and in whether the shortcut "
        "has a convolution, and that is what the printed class takes and decides.",
    ),
    "unet_buda_f8": (
        "A U-Net",
        "The pytorch-hub U-Net. `concat(prev encoder4)` is the skip; names of the inner modules carry a prefix in the "
        "original, so the block's names are templates, and its forward takes the members in their order.",
    ),
    "image_and_table": (
        "Two inputs",
        "Branches begin at the input that they name. What a head must know of its inputs' sizes is inferred.",
    ),
    "nanogpt_tiny": (
        "A small GPT",
        "nanoGPT's network. `T` is a length that only the run knows; the head shares the embedding's tensor, and at "
        "inference only the last position is computed.",
    ),
    "mamba_tiny": (
        "Mamba",
        "The network of transformers' MambaForCausalLM. `scan` goes along the sequence with the state of each channel, "
        "which is printed as a loop; what only depends on one place is computed before it, for all places at once.",
    ),
}


def page() -> str:
    """The whole page."""
    parts = [
        "<!-- Written by `python -m tests.architectures`; change the specs, not this file. -->",
        "# Architectures",
        "Whole networks beside the code that `netspec build` makes of them. The specs lie in `specs/`, with forty "
        "more; [the language](language.md) explains every word.",
    ]
    for name, (title, text) in SHOWN.items():
        path = ROOT / "specs" / f"{name}.yaml"
        source = netspec.load(path).source()
        parts += [f"## {title}", text, f"```yaml\n{path.read_text()}```", f"```python\n{source}```"]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
