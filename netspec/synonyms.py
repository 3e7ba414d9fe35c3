"""What other frameworks and papers call the words of the language, by catalogue, and what is made otherwise here."""

from __future__ import annotations

from typing import Final

from netspec.catalogue import PLUGIN


def _meaning(**called: str) -> dict[str, str]:
    """By what others call it, each word of this language."""
    return {name: word for word, names in called.items() for name in names.split()}


def _explained(sentences: dict[str, str]) -> dict[str, str]:
    """By each word of others, the sentence that stands beside it."""
    return {word: sentence for words, sentence in sentences.items() for word in words.split()}


OPERATIONS: Final = _meaning(
    fc=(
        "dense fully_connected fullyconnected lineardense mlp innerproduct inner_product gemm affine connected "
        "linear_layer projection dense_layer"
    ),
    conv="convolution conv_2d convolution2d convolutional convolution_layer",
    conv_transpose=(
        "deconv deconv2d deconvolution transposed_conv conv2d_transpose convtranspose upconv conv2dtranspose "
        "conv_2d_transpose"
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
    maxpool="maxpooling maxpooling2d maxpooling1d maxpooling3d max_pooling pooling subsampling",
    avgpool=(
        "averagepooling averagepooling2d averagepooling1d avg_pooling average_pool averagepool mean_pool meanpool "
        "mean_pooling"
    ),
    attention="mha multi_head_attention multiheadedattention self_attention selfattention attn",
    sdpa="scaled_dot_product dot_product_attention",
    concat="concatenate merge route",
    pad="zeropadding2d padding",
    leaky_relu="lrelu leaky",
    matmul="mm dot",
    add="plus addition residual shortcut eltwise elementwise_add",
    mean="reducemean reduce_mean",
    sum="reducesum reduce_sum",
    lstm="cudnnlstm",
    rnn="simplernn simple_rnn vanilla_rnn",
    embedding="embed",
    dropout="spatialdropout1d drop",
    dropout2d="spatialdropout2d spatial_dropout",
    gelu="gelu_new",
    sub="subtract minus",
    mul="multiply times",
    div="divide",
    hardswish="hswish h_swish hard_swish",
    hardsigmoid="hsigmoid h_sigmoid hard_sigmoid",
    normalize="l2norm l2_norm l2normalize l2normalization l2_normalize",
    pixel_shuffle="depth_to_space depthtospace depth2space subpixel",
    pixel_unshuffle="space_to_depth spacetodepth space2depth reorg focus",
    identity="none noop passthrough",
    flip="reverse",
)
"""Operations."""
_POINTWISE: Final = "It is a convolution of one point: conv 64 k1"
NOT_OPERATIONS: Final = _explained(
    {
        "activation": "Write the activation itself, as in: relu",
        "inputlayer input_layer input inputs": (
            "What goes in is declared in a section of its own, as in input: 3x32x32"
        ),
        "output": "The last value is what the network gives; others are named in a section, as in outputs: [a, b]",
        "depthwiseconv2d depthwise depthwise_conv dwconv": (
            "It is a convolution with a group for each channel: conv $(in.c) k3 g$(in.c) same"
        ),
        "separableconv2d separable_conv": "It is two convolutions: conv $(in.c) k3 g$(in.c) same, conv 64 k1",
        "pointwise pointwise_conv conv1x1 pwconv": _POINTWISE,
        "atrous_conv dilated_conv atrousconv dilatedconv": "It is an argument: conv 64 k3 d2",
        "globalmaxpooling2d globalmaxpool global_max_pool": "Write adaptive_maxpool 1, flatten",
        "upsampling upsampling2d resize upsample2d": "Write upsample s2 for twice the size, upsample 64 for 64 x 64.",
        "timedistributed": "Leave it out: linear acts on the last axis, whatever comes before it.",
        "bidirectional bilstm blstm": "It is an argument: lstm 64 bidirectional",
        "bigru": "It is an argument: gru 64 bidirectional",
        "weight_norm weightnorm": "It is an argument: conv 64 k3 wrap=weight_norm",
        "spectral_norm spectralnorm spectralnormalization": "It is an argument: conv 64 k3 wrap=spectral_norm",
        "norm normalization": "Say which: bn, layernorm, groupnorm 8, instancenorm or rmsnorm.",
        "lambda": "Write the operations themselves, as in: mul 0.5",
        "softmaxwithloss": "Leave it out: the loss stands in `train`, as in loss: cross_entropy",
        "rescaling rescale": "Write mul, as in: mul 0.00392",
        "scale bias": "bn has a factor and an offset of its own; a fixed factor is mul 0.5, a fixed offset add 0.5.",
        "crop centercrop cropping2d": "Write slice, as in: slice 2 1 -1, slice 3 1 -1",
        "sequential modulelist": "Calls stand one after the other, or in a list: [conv 8 k3, relu]",
        "repeat loop": (
            "Write x and a number behind a call, as in relu x3, or {repeat: 3, layers: [conv 8 k3 same, relu]}"
        ),
        "if": "A condition stands behind a call, as in: relu when training",
        "squeeze_excite squeeze_excitation squeezeexcitation seblock selayer se": (
            "It is made of steps: gate: [gap, fc 4, relu, fc $(in.c), sigmoid, unflatten 1 $(in.c)x1x1], "
            "out: mul(in gate)"
        ),
        "positional_encoding positionalencoding pos_embed pos_embedding position_embedding positional_embedding": (
            "Learn one and add it: pos: parameter 1x50x64 init=normal, then x: add(tokens pos)"
        ),
        "basicblock bottleneck residualblock resblock inception se_block c2f c3 sppf convbnrelu conv_bn_relu cbr": (
            "A part that recurs is a block of your own, as in blocks: {unit c: [conv $c k3 same, relu]}"
        ),
    }
)
"""What others have an operation for, and what it is made of here."""
LOSSES: Final = _meaning(
    cross_entropy=(
        "categorical_crossentropy sparse_categorical_crossentropy softmax_cross_entropy crossentropy xent "
        "softmaxwithloss categoricalcrossentropy sparsecategoricalcrossentropy crossentropylossflat "
        "softmax_cross_entropy_with_logits softmax_cross_entropy_with_integer_labels"
    ),
    bce="binary_crossentropy binarycrossentropy",
    bce_logits=(
        "bcewithlogits bce_with_logits sigmoid_cross_entropy sigmoid_binary_cross_entropy sigmoidcrossentropyloss "
        "bcewithlogitslossflat"
    ),
    mse="mean_squared_error meansquarederror euclideanloss l2_loss l2loss squared_error mselossflat",
    mae="mean_absolute_error meanabsoluteerror absolute_error",
    kl="kl_divergence kldivergence kullback_leibler_divergence kld",
    ctc="warpctc",
)
"""Losses."""
NOT_LOSSES: Final = _explained(
    {
        "focal focalloss focal_loss dice diceloss dice_loss iou iou_loss tversky contrastive infonce arcface": (
            "torch has no such loss. A plugin adds it: --plugin FILE.py"
        ),
        "log_cosh logcosh": f"torch has none; huber is the nearest. {PLUGIN}",
    }
)
OPTIMIZERS: Final = _meaning(
    sgd="momentum gradient_descent gradientdescent momentumoptimizer nesterov",
    adam="adamoptimizer fusedadam fused_adam",
    adamw="adam_w adamweightdecay adamw_torch adamw_hf",
    rmsprop="rms_prop rmspropoptimizer",
)
"""Optimizers."""
NOT_OPTIMIZERS: Final = _explained(
    {
        "lion lamb lars ranger sophia novograd adabelief adabound adan prodigy": (
            "torch has no such optimizer; adamw lr=1e-3 is the common choice."
        ),
    }
)
SCHEDULERS: Final = _meaning(
    cosine=(
        "cosine_annealing cosineannealing cosinedecay cosine_decay cosinelr cosine_decay_schedule "
        "get_cosine_schedule_with_warmup cosine_with_warmup cosine_schedule"
    ),
    cosine_restarts="sgdr cosinedecayrestarts warm_restarts cosine_annealing_warm_restarts cosine_with_restarts",
    step="step_lr stepdecay step_decay",
    multistep="multi_step multi_step_lr piecewise_constant piecewiseconstantdecay",
    exponential="exponentialdecay exponential_decay expdecay",
    plateau="reduce_lr_on_plateau reduce_on_plateau",
    onecycle="one_cycle 1cycle fit_one_cycle",
    linear="linear_decay get_linear_schedule_with_warmup linear_with_warmup",
    polynomial="poly polylr polynomialdecay polynomial_decay",
)
"""Schedules of the learning rate."""
NOT_SCHEDULERS: Final = _explained(
    {
        "none": "Leave the scheduler out.",
        "warmup linear_warmup": "It is an argument: cosine warmup=500",
        "lambdalr lambda": "A spec holds no functions; write multistep, linear or sequential with their numbers.",
    }
)
METRICS: Final = _meaning(
    accuracy=(
        "acc top1 categorical_accuracy sparse_categorical_accuracy binary_accuracy categoricalaccuracy binaryaccuracy "
        "multiclassaccuracy accuracy_score"
    ),
    topk="top5 top_5 top_k topkaccuracy topk_accuracy top_k_accuracy top_k_categorical_accuracy",
    f1="f1_score f1score macro_f1 f1_macro fscore multiclassf1score",
    roc_auc="auc auroc roc_auc_score rocaucscore",
    mae="mean_absolute_error meanabsoluteerror",
    mse="mean_squared_error meansquarederror",
    rmse="root_mean_squared_error rootmeansquarederror",
    r2="r2_score r2score",
    confusion="confusionmatrix",
    perplexity="ppl",
)
"""Metrics."""
NOT_METRICS: Final = _explained({"loss val_loss val.loss": "Leave it out: the loss is always measured."})
INITIALIZERS: Final = _meaning(
    kaiming_normal="he_normal henormal he msra msrafill kaiming",
    kaiming_uniform="he_uniform heuniform",
    xavier_uniform="glorot_uniform glorotuniform glorot xavier xavierfill",
    xavier_normal="glorot_normal glorotnormal",
    zeros="zero zeroes",
    ones="one",
    normal="random_normal randomnormal gaussian randn",
    uniform="random_uniform randomuniform rand",
    trunc_normal="truncated_normal truncatednormal truncnorm",
    constant="const fill",
    eye="identity",
)
"""Initialisers."""
NOT_INITIALIZERS: Final = _explained(
    {
        "lecun_uniform lecununiform": "Write kaiming_uniform nonlinearity=linear",
        "none torch": "Leave the rule out, or write default: torch's own values.",
    }
)
TRANSFORMS: Final = _meaning(
    standardize="standardscaler standard_scaler zscore z_score standardise",
    crop="centercrop center_crop",
    reshape="view",
    channels_first="permute transpose hwc_to_chw",
)
"""Transforms of all data."""
NOT_TRANSFORMS: Final = _explained(
    {
        "totensor to_tensor totensorv2 piltotensor toimage todtype convertimagedtype compose": (
            "Leave it out: bytes become floats of 0.0 to 1.0 by themselves."
        ),
        "flatten": "Leave it out: fc flattens what it is given.",
        "grayscale greyscale rgb2gray": "It is an argument of the source: images photos grey",
        "rescale rescaling": "Bytes become 0.0 to 1.0 by themselves; scale 2 -1 makes that -1.0 to 1.0.",
        "minmaxscaler minmax": "Write standardize, which learns a mean and a spread from the training part.",
    }
)
AUGMENTATIONS: Final = _meaning(
    flip=(
        "randomhorizontalflip random_horizontal_flip randomflip horizontal_flip horizontalflip hflip fliplr random_flip"
    ),
    crop="randomcrop random_crop",
    rotate="randomrotation random_rotation rotation randomrotate",
    erase="randomerasing random_erasing cutout random_erase coarsedropout",
    jitter="colorjitter color_jitter colourjitter",
)
"""Random changes to training data."""
NOT_AUGMENTATIONS: Final = _explained(
    {
        "randomverticalflip random_vertical_flip vertical_flip verticalflip vflip flipud": (
            "Write flip direction=vertical"
        ),
        "autoaugment randaugment trivialaugment trivialaugmentwide augmix": (
            "Write the steps, as in [crop 32 pad=4, flip]"
        ),
        "randomresizedcrop": "Resize in `transform` and cut in `augment`: transform: resize 40, augment: crop 32",
    }
)
DATASETS: Final = _meaning(
    images="imagefolder image_folder image_dataset_from_directory folder directory",
    csv="table pandas dataframe tsv tabular",
    npz="numpy arrays",
    text="textfile txt corpus",
)
"""Sources of data."""
NOT_DATASETS: Final = _explained(
    {
        "imagenet fashionmnist fashion_mnist svhn coco": (
            "Nothing is downloaded. Name files of your own: images FOLDER, npz FILE.npz, or mnist FOLDER for files of "
            "that form."
        ),
        "cifar": "There are cifar10 FOLDER and cifar100 FOLDER, for the files of their binary version.",
        "json jsonl hdf5 h5 tfrecord excel xlsx": "Save it as csv, parquet or npz, which are read.",
    }
)
