"""Every catalogue of the language in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netspec import datasets, layers, losses, metrics, ops, optimizers, schedulers, transforms
from netspec.catalogue import Catalogue

if TYPE_CHECKING:
    from netspec.datasets.base import Dataset
    from netspec.exporters import Exporter
    from netspec.initializers import Initializer
    from netspec.layers.base import Op
    from netspec.losses.base import Loss
    from netspec.metrics.base import Metric
    from netspec.optimizers.base import Optimizer
    from netspec.schedulers.base import Scheduler
    from netspec.transforms.base import Random, Transform


def _in(package: str, families: dict[str, str]) -> dict[str, str]:
    """The words of each family by its module's whole name."""
    return {f"netspec.{package}.{file}": words for file, words in families.items()}


def _meaning(**called: str) -> dict[str, str]:
    """By what others call it, each word of this language."""
    return {name: word for word, names in called.items() for name in names.split()}


FOREIGN: Final = _meaning(
    fc="dense fully_connected fullyconnected lineardense mlp innerproduct inner_product gemm affine connected",
    conv="convolution conv_2d convolution2d convolutional convolution_layer",
    conv_transpose=(
        "deconv deconv2d deconvolution transposed_conv conv2d_transpose convtranspose upconv conv2dtranspose"
    ),
    bn="batchnormalization batch_normalization norm2d bn1d bn2d bn3d",
    localresponsenorm="lrn localresponsenormalization local_response_normalization",
    rmsnorm="rmsnormalization rms_normalization",
    layernorm="layernormalization layer_normalization ln",
    groupnorm="gn groupnormalization group_normalization",
    gap=(
        "global_avg_pool global_average_pool globalavgpool globalaveragepooling2d global_pool avgpool_global "
        "globalaveragepool globalaveragepooling1d"
    ),
    maxpool="maxpooling maxpooling2d maxpooling1d max_pooling pooling subsampling",
    avgpool="averagepooling averagepooling2d avg_pooling average_pool averagepool",
    attention="mha multi_head_attention multiheadedattention self_attention selfattention",
    sdpa="scaled_dot_product dot_product_attention",
    upsample="upsampling upsampling2d resize",
    concat="concatenate merge route",
    pad="zeropadding2d padding",
    leaky_relu="lrelu leaky",
    matmul="mm dot",
    add="plus addition residual shortcut eltwise elementwise_add",
    mean="reducemean reduce_mean",
    sum="reducesum reduce_sum",
    lstm="cudnnlstm",
    rnn="simplernn simple_rnn vanilla_rnn",
    dropout="spatialdropout1d",
    dropout2d="spatialdropout2d spatial_dropout",
    gelu="gelu_new",
    sub="subtract minus",
    mul="multiply times",
    div="divide",
    hardswish="hswish h_swish",
    hardsigmoid="hsigmoid h_sigmoid",
)
"""Operations by what other frameworks and papers call them."""
EXPLAINED: Final = {
    word: sentence
    for words, sentence in {
        "activation": "Write the activation itself, as in: relu",
        "inputlayer input_layer": "What goes in is declared in a section of its own, as in input: 3x32x32",
        "depthwiseconv2d depthwise depthwise_conv": (
            "It is a convolution with a group for each channel: conv $(in.c) k3 g$(in.c) same"
        ),
        "separableconv2d separable_conv": "It is two convolutions: conv $(in.c) k3 g$(in.c) same, conv 64 k1",
        "globalmaxpooling2d globalmaxpool global_max_pool": "Write adaptive_maxpool 1, flatten",
        "timedistributed": "Leave it out: linear acts on the last axis, whatever comes before it.",
        "bidirectional": "It is an argument: lstm 64 bidirectional",
        "lambda": "Write the operations themselves, as in: mul 0.5",
        "softmaxwithloss": "Leave it out: the loss stands in `train`, as in loss: cross_entropy",
        "rescaling": "Write mul, as in: mul 0.00392",
        "crop centercrop": "Write slice, as in: slice 2 1 -1, slice 3 1 -1",
        "basicblock bottleneck residualblock resblock inception se_block c2f c3 sppf": (
            "A part that recurs is a block of your own, as in blocks: {unit c: [conv $c k3 same, relu]}"
        ),
    }.items()
    for word in words.split()
}
"""What others have an operation for, and what it is made of here."""
OPERATIONS: Catalogue[Op] = Catalogue(
    "operation", "netspec.layers.base.Op", _in("layers", layers.FAMILIES) | _in("ops", ops.FAMILIES), FOREIGN, EXPLAINED
)
"""Everything a row of the network can name, besides blocks."""


def kind_of_layer(word: str) -> tuple[type[Op], ...]:
    """The operations that a word means in `init` and `train.groups`; `norm` is every normalisation."""
    families = layers.KINDS.get(word.lower(), ())
    found = {c: None for f in families for cs in OPERATIONS.members(f"netspec.layers.{f}").values() for c in cs}
    return tuple(found) or OPERATIONS.find(word)


INITIALIZERS: Catalogue[Initializer] = Catalogue(
    "initialiser",
    "netspec.initializers.Initializer",
    {
        "netspec.initializers": (
            "Zeros Ones Constant Uniform Normal TruncNormal XavierUniform XavierNormal KaimingUniform KaimingNormal "
            "Orthogonal Sparse Eye Dirac Default trunc_normal xavier_uniform xavier_normal kaiming_uniform "
            "kaiming_normal"
        )
    },
)
"""How parameters are filled before training."""

DATASETS: Catalogue[Dataset] = Catalogue("dataset", "netspec.datasets.base.Dataset", _in("datasets", datasets.FAMILIES))
"""Sources of data."""

TRANSFORMS: Catalogue[Transform] = Catalogue(
    "transform", "netspec.transforms.base.Transform", _in("transforms", transforms.TRANSFORMS)
)
"""What is done to all data on its way to the network."""

AUGMENTATIONS: Catalogue[Random] = Catalogue(
    "augmentation", "netspec.transforms.base.Random", _in("transforms", transforms.AUGMENTATIONS)
)
"""Random changes to training data."""

EXPORTERS: Catalogue[Exporter] = Catalogue("format", "netspec.exporters.Exporter", {"netspec.exporters": "onnx"})
"""Formats that a trained network is exported to."""

LOSSES: Catalogue[Loss] = Catalogue(
    "loss",
    "netspec.losses.base.Loss",
    _in("losses", losses.FAMILIES),
    _meaning(
        cross_entropy="categorical_crossentropy sparse_categorical_crossentropy softmax_cross_entropy",
        bce="binary_crossentropy",
        bce_logits="bcewithlogits sigmoid_cross_entropy",
        mse="mean_squared_error",
        mae="mean_absolute_error",
    ),
)
"""What training minimises."""

OPTIMIZERS: Catalogue[Optimizer] = Catalogue(
    "optimizer", "netspec.optimizers.base.Optimizer", _in("optimizers", optimizers.FAMILIES)
)
"""How a step is made of gradients."""

SCHEDULERS: Catalogue[Scheduler] = Catalogue(
    "scheduler", "netspec.schedulers.base.Scheduler", _in("schedulers", schedulers.FAMILIES)
)
"""How the learning rate moves."""

METRICS: Catalogue[Metric] = Catalogue(
    "metric", "netspec.metrics.base.Metric", _in("metrics", metrics.FAMILIES), _meaning(accuracy="acc", roc_auc="auc")
)
"""What is measured besides the loss."""
