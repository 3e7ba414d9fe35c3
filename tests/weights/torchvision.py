"""A campaign: torchvision's state_dicts with random weights go into specs and come back out, with the same outputs.

`python -m tests.weights.torchvision FOLDER` compares what a folder has of what this program writes into it, run where
torchvision is installed: `python -m tests.weights.torchvision --reference FOLDER > reference.py`. Names of networks
behind the folder choose some. What the folder lacks is told as skipped. It ends with 1 where something differs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import torch
from safetensors.torch import load_file

import netspec
from netspec.api.spec import Spec
from netspec.runtime.network.weights import save_weights

HERE: Final = Path(__file__).parent
READY: Final = HERE.parent.parent / "specs"
HELD: Final = HERE.parent / "code" / "architectures"


class Network(NamedTuple):
    """One of torchvision's networks, and the spec that is it."""

    spec: Path
    overrides: tuple[str, ...] = ()
    made: str = ""
    """What torchvision's function is called with besides the number of classes."""
    size: int = 64
    """The height and width of the image that outputs are compared on."""


def _stages(block: str, depths: Sequence[int]) -> tuple[str, ...]:
    """The stages of a ResNet of basic blocks."""
    rest = zip((128, 256, 512), depths[1:], strict=True)
    stages = [f"[{block} 64 x{depths[0]}]", *(f"[{block} {c} s2, {block} {c} x{n - 1}]" for c, n in rest)]
    return tuple(f"layers.layer{i + 1}={stage}" for i, stage in enumerate(stages))


def _resnet(depths: list[int], **more: int) -> Network:
    """A ResNet of bottlenecks, whose convolutions may be wider, or have groups."""
    return Network(HERE / "resnet.yaml", (f"params.depths={depths}", *(f"params.{k}={v}" for k, v in more.items())))


def _vgg(counts: list[int], bn: bool) -> Network:
    """A VGG with so many convolutions in each stage."""
    table = [[c, n] for c, n in zip((64, 128, 256, 512, 512), counts, strict=True)]
    return Network(READY / ("vgg16_bn.yaml" if bn else "vgg16.yaml"), (f"layers.features.repeat={table}",))


def _densenet(depths: list[int], growth: int = 32, first: int = 64) -> Network:
    """A DenseNet with so many layers in each block."""
    params = f"params={{growth: {growth}, first: {first}, depths: {depths}, classes: 1000}}"
    return Network(HERE / "densenet.yaml", (params,))


def _efficientnet(channels: list[int], counts: list[int]) -> Network:
    """An EfficientNet, by the channels of its stem, stages and head."""
    stem, *stages, head = channels
    kinds = zip((1, 6, 6, 6, 6, 6, 6), (3, 3, 5, 3, 5, 5, 3), (1, 2, 2, 2, 1, 2, 1), stages, counts, strict=True)
    table = [[*kind, 0] for kind in kinds]
    features = f"[cba {stem} s2, {{repeat: {table}, as: [t, k, s, c, n, b], layers: LAYERS}}, cba {head} k1]"
    layers = "[[mbconv $t $k $(s if i == 0 else 1) $c 0.1 x$n]]"
    return Network(READY / "efficientnet_b0.yaml", (f"layers.features={features.replace('LAYERS', layers)}",))


def _convnext(widths: list[int], depths: list[int]) -> Network:
    """A ConvNeXt."""
    table = [[c, n, 0] for c, n in zip(widths, depths, strict=True)]
    rounds = "[{when: i > 0, layers: [[norm2d, conv $c k2 s2]]}, [cn 0.1 x$n]]"
    features = f"[[conv {widths[0]} k4 s4, norm2d], {{repeat: {table}, as: [c, n, b], layers: {rounds}}}]"
    return Network(READY / "convnext_tiny.yaml", (f"layers.features={features}",))


def _swin(depths: list[int]) -> Network:
    """A Swin transformer of the width of the tiny one."""
    table = [[n, heads, 0] for n, heads in zip(depths, (3, 6, 12, 24), strict=True)]
    rounds = "[PatchMerging when i > 0, [SwinTransformerBlock $heads $(i % 2 * (window // 2)) 0.1 x$n]]"
    stem = "[conv 96 k4 s4, permute 0 2 3 1, layernorm]"
    features = f"[{stem}, {{repeat: {table}, as: [n, heads, b], layers: {rounds}}}]"
    return Network(HELD / "swin_t.yaml", (f"layers.features={features}",), size=224)


def _vit(patch: int) -> Network:
    """A vision transformer of the base size, over images of 64 x 64."""
    params = f"params={{p: {patch}, d: 768, heads: 12, depth: 12, classes: 10}}"
    mlp = "blocks.encoder_block.mlp=[linear $(4*d), gelu, dropout 0, linear $d, dropout 0]"
    return Network(READY / "vit_tiny_tv.yaml", (params, mlp), "image_size=64")


def _regnet(depths: list[int], widths: list[int], group: int) -> Network:
    """A RegNetY."""
    given = (f"params.depths={depths}", f"params.widths={widths}", f"params.group_width={group}")
    return Network(HELD / "regnet_y_400mf.yaml", given)


def _shufflenet(widths: list[int]) -> Network:
    """A ShuffleNetV2."""
    *stages, last = widths
    kinds = zip((2, 3, 4), stages, (3, 7, 3), strict=True)
    given = [f"layers.stage{i}=[down {c}, InvertedResidual x{n}]" for i, c, n in kinds]
    return Network(HELD / "shufflenet_v2.yaml", (*given, f"layers.conv5=[conv {last} k1 nobias, bn, relu]"))


_SQUEEZED: Final = (
    "layers.features=[conv 64 k3 s2, relu, maxpool 3 s2 ceil_mode, fire 16 64, fire 16 64, maxpool 3 s2 ceil_mode, "
    "fire 32 128, fire 32 128, maxpool 3 s2 ceil_mode, fire 48 192, fire 48 192, fire 64 256, fire 64 256]"
)
_SMALL: Final = (
    "layers.features=[Conv2dNormActivation 16 s2 act=hardswish, {repeat: [[3, 16, 16, 8, relu, 2], "
    "[3, 72, 24, 0, relu, 2], [3, 88, 24, 0, relu, 1], [5, 96, 40, 24, hardswish, 2], [5, 240, 40, 64, hardswish, 1], "
    "[5, 240, 40, 64, hardswish, 1], [5, 120, 48, 32, hardswish, 1], [5, 144, 48, 40, hardswish, 1], "
    "[5, 288, 96, 72, hardswish, 2], [5, 576, 96, 144, hardswish, 1], [5, 576, 96, 144, hardswish, 1]], "
    "as: [k, expand, c, squeeze, act, s], layers: [InvertedResidual $k $expand $c $squeeze $act s$s]}, "
    "Conv2dNormActivation 576 k1 act=hardswish]",
    "layers.classifier=[linear 1024, hardswish, dropout 0.2, linear $classes]",
)
_DEEPER: Final = "layers.backbone.layer3=[bottleneck 256, bottleneck 256 d2 x22]"

NETWORKS: Final[dict[str, Network]] = {
    "alexnet": Network(READY / "alexnet.yaml"),
    "vgg11": _vgg([1, 1, 2, 2, 2], False),
    "vgg13_bn": _vgg([2, 2, 2, 2, 2], True),
    "vgg16": _vgg([2, 2, 3, 3, 3], False),
    "vgg19_bn": _vgg([2, 2, 4, 4, 4], True),
    "resnet18": Network(READY / "resnet18.yaml"),
    "resnet34": Network(READY / "resnet18.yaml", _stages("basic", [3, 4, 6, 3])),
    "resnet50": _resnet([3, 4, 6, 3]),
    "resnet101": _resnet([3, 4, 23, 3]),
    "resnet152": _resnet([3, 8, 36, 3]),
    "resnext50_32x4d": _resnet([3, 4, 6, 3], groups=32, base=4),
    "resnext101_32x8d": _resnet([3, 4, 23, 3], groups=32, base=8),
    "resnext101_64x4d": _resnet([3, 4, 23, 3], groups=64, base=4),
    "wide_resnet50_2": _resnet([3, 4, 6, 3], base=128),
    "wide_resnet101_2": _resnet([3, 4, 23, 3], base=128),
    "densenet121": _densenet([6, 12, 24, 16]),
    "densenet161": _densenet([6, 12, 36, 24], 48, 96),
    "densenet169": _densenet([6, 12, 32, 32]),
    "densenet201": _densenet([6, 12, 48, 32]),
    "squeezenet1_0": Network(READY / "squeezenet1_0.yaml"),
    "squeezenet1_1": Network(READY / "squeezenet1_0.yaml", (_SQUEEZED,)),
    "googlenet": Network(READY / "googlenet.yaml", made="aux_logits=False, init_weights=True"),
    "inception_v3": Network(HELD / "inception_v3.yaml", made="aux_logits=False, init_weights=True", size=96),
    "mobilenet_v2": Network(READY / "mobilenet_v2.yaml"),
    "mobilenet_v3_large": Network(HELD / "mobilenet_v3_large.yaml"),
    "mobilenet_v3_small": Network(HELD / "mobilenet_v3_large.yaml", _SMALL),
    "mnasnet1_0": Network(HERE / "mnasnet.yaml"),
    "shufflenet_v2_x0_5": _shufflenet([48, 96, 192, 1024]),
    "shufflenet_v2_x1_0": _shufflenet([116, 232, 464, 1024]),
    "shufflenet_v2_x1_5": _shufflenet([176, 352, 704, 1024]),
    "shufflenet_v2_x2_0": _shufflenet([244, 488, 976, 2048]),
    "efficientnet_b0": _efficientnet([32, 16, 24, 40, 80, 112, 192, 320, 1280], [1, 2, 2, 3, 3, 4, 1]),
    "efficientnet_b1": _efficientnet([32, 16, 24, 40, 80, 112, 192, 320, 1280], [2, 3, 3, 4, 4, 5, 2]),
    "efficientnet_b2": _efficientnet([32, 16, 24, 48, 88, 120, 208, 352, 1408], [2, 3, 3, 4, 4, 5, 2]),
    "efficientnet_v2_s": Network(HELD / "efficientnet_v2_s.yaml"),
    "regnet_y_400mf": _regnet([1, 3, 6, 6], [48, 104, 208, 440], 8),
    "regnet_y_800mf": _regnet([1, 3, 8, 2], [64, 144, 320, 784], 16),
    "regnet_y_1_6gf": _regnet([2, 6, 17, 2], [48, 120, 336, 888], 24),
    "convnext_tiny": _convnext([96, 192, 384, 768], [3, 3, 9, 3]),
    "convnext_small": _convnext([96, 192, 384, 768], [3, 3, 27, 3]),
    "convnext_base": _convnext([128, 256, 512, 1024], [3, 3, 27, 3]),
    "swin_t": _swin([2, 2, 6, 2]),
    "swin_s": _swin([2, 2, 18, 2]),
    "vit_b_16": _vit(16),
    "vit_b_32": _vit(32),
    "maxvit_t": Network(HELD / "maxvit_t.yaml", size=224),
    "fcn_resnet50": Network(READY / "fcn_resnet50.yaml"),
    "fcn_resnet101": Network(READY / "fcn_resnet50.yaml", (_DEEPER,)),
    "deeplabv3_resnet50": Network(HERE / "deeplabv3.yaml"),
    "deeplabv3_resnet101": Network(HERE / "deeplabv3.yaml", (_DEEPER,)),
    "lraspp_mobilenet_v3_large": Network(HELD / "lraspp_mobilenet_v3_large.yaml"),
}
"""By the names of torchvision's functions."""

REFERENCE: Final = """\
import sys
import torch
import torchvision
from safetensors.torch import save_file

FOLDER = {folder!r}
NETWORKS = {networks!r}
for fill in [name for name in vars(torch.nn.init) if name.endswith("_") and not name.startswith("_")]:
    setattr(torch.nn.init, fill, lambda tensor, *_, **__: tensor)  # all of it is drawn below
for name in sys.argv[1:] or NETWORKS:
    made, size = NETWORKS[name]
    find = getattr(torchvision.models.segmentation, name, None) or getattr(torchvision.models, name)
    options = eval(f"dict({{made}})")
    if hasattr(torchvision.models.segmentation, name):
        options["weights_backbone"] = None
    torch.manual_seed(0)
    net = find(weights=None, num_classes=10, **options).eval()
    with torch.no_grad():
        for key, tensor in net.state_dict().items():
            if key.endswith("running_mean"):
                tensor.normal_(std=0.1)
            elif key.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
        for parameter in net.parameters():
            bound = max(1, parameter[0].numel()) ** -0.5 if parameter.ndim > 1 else 0.5
            parameter.uniform_(-bound, bound)
    save_file({{k: t.contiguous().clone() for k, t in net.state_dict().items()}}, f"{{FOLDER}}/{{name}}.safetensors")
    x = torch.randn(2, 3, size, size, dtype=torch.float64)
    with torch.inference_mode():
        y = net.double()(x)
    y = y["out"] if isinstance(y, dict) else y
    save_file({{"x": x, "y": y.contiguous()}}, f"{{FOLDER}}/{{name}}.outputs.safetensors")
    print(name, flush=True)
"""


def spec_of(name: str) -> Spec:
    """The spec of a network with ten classes, over images of the size that it is compared on."""
    network = NETWORKS[name]
    size = f"input=3x{network.size}x{network.size}"
    return netspec.load(network.spec, [*network.overrides, size, "params.classes=10"])


def differs(name: str, folder: Path) -> str:
    """How a network differs from its reference in a folder; empty where it does not."""
    weights, held = folder / f"{name}.safetensors", load_file(folder / f"{name}.outputs.safetensors")
    wanted = load_file(weights)
    net = spec_of(name).build(wanted)
    back = folder / f".{name}.back.safetensors"
    save_weights(net.state_dict(), back)
    again = load_file(back)
    back.unlink()
    if again.keys() != wanted.keys() or not all(torch.equal(again[n], wanted[n]) for n in wanted):
        return "the tensors that come back out are others"
    with torch.inference_mode():
        found = net.double().eval()(held["x"])
    found = found["out"] if isinstance(found, dict) else found
    far = float((found - held["y"]).abs().max())
    return f"the outputs differ by {far:.3g}" if far else ""


def results(folder: Path, names: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """Of each network what became of it: `equal`, why it is skipped, or what is wrong."""
    for name in names or NETWORKS:
        if not (folder / f"{name}.outputs.safetensors").exists():
            yield name, "skipped: the folder has no reference of it"
            continue
        try:
            yield name, differs(name, folder) or "equal"
        except netspec.errors.NetspecError as error:
            yield name, f"does not load: {error}"


def main(arguments: Sequence[str]) -> int:
    """Compare, or print the program that writes what is compared with."""
    if arguments[:1] == ["--reference"]:
        made = {name: (network.made, network.size) for name, network in NETWORKS.items()}
        print(REFERENCE.format(folder=arguments[1], networks=made))
        return 0
    counts = {"equal": 0, "skipped": 0, "other": 0}
    for name, said in results(Path(arguments[0]), arguments[1:]):
        counts[said.partition(":")[0] if said.partition(":")[0] in counts else "other"] += 1
        print(f"{name:<28} {said}", flush=True)
    print(", ".join(f"{count} {word}" for word, count in counts.items()))
    return 1 if counts["other"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
