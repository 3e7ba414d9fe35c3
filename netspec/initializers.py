"""The initialisers of torch.nn.init, by torch's names without the last underscore."""

from __future__ import annotations

from typing import ClassVar, Final

from netspec.records import Choice, Entry, Float, Int

GAINS: Final = (
    *("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
    *("sigmoid", "tanh", "relu", "leaky_relu", "selu"),
)
MODES: Final = ("fan_in", "fan_out")


class Initializer(Entry):
    """How a tensor is filled before training."""

    ranks: ClassVar[tuple[int, int]] = (0, 99)
    """The fewest and most axes that a tensor may have."""
    printed: ClassVar[bool] = True
    """Whether the network's text fills the tensor so; what it does not fill begins as torch fills it."""
    from_data: ClassVar[bool] = False
    """Whether a run computes it from its training data, before its first step."""

    def leaves_zeros(self, shape: tuple[int, ...]) -> bool:
        """Whether all weights of some output may be 0."""
        return False


class Zeros(Initializer):
    """Fills with 0."""

    example = "zeros"

    def leaves_zeros(self, shape: tuple[int, ...]) -> bool:
        return True


class Ones(Initializer):
    """Fills with 1."""

    example = "ones"


class Constant(Initializer):
    """Fills with one number."""

    example = "constant 0.01"
    val = Float("the number")

    def leaves_zeros(self, shape: tuple[int, ...]) -> bool:
        return bool(self.val == 0)


class Uniform(Initializer):
    """Draws evenly from [a, b)."""

    example = "uniform a=-0.1 b=0.1"
    a = Float("lower end", 0.0)
    b = Float("upper end", 1.0)


class Normal(Initializer):
    """Draws from a normal distribution."""

    example = "normal std=0.02"
    mean = Float("mean of the distribution", 0.0)
    std = Float("its standard deviation", 1.0, ge=0)


class TruncNormal(Normal):
    """Draws from a normal distribution, redrawing what falls outside [a, b]."""

    example, words = "trunc_normal std=0.02", ("trunc_normal",)
    a = Float("lower end", -2.0)
    b = Float("upper end", 2.0)


class Xavier(Initializer):
    """What both initialisers of Glorot and Bengio (2010) share: variance 2 gain^2 / (fan_in + fan_out)."""

    ranks = (2, 99)
    gain = Float("factor on the standard deviation", 1.0)


class XavierUniform(Xavier):
    """Glorot and Bengio's (2010), drawn evenly."""

    example, words = "xavier_uniform", ("xavier_uniform",)


class XavierNormal(Xavier):
    """Glorot and Bengio's (2010), drawn normally."""

    example, words = "xavier_normal", ("xavier_normal",)


class Kaiming(Initializer):
    """What both initialisers of He et al. (2015) share: variance gain^2 / fan."""

    ranks = (2, 99)
    a = Float("negative slope of the leaky ReLU that follows", 0)
    mode = Choice("which fan keeps its variance: fan_in forward, fan_out backward", MODES, "fan_in")
    nonlinearity = Choice("the activation that follows", GAINS, "leaky_relu")


class KaimingUniform(Kaiming):
    """He et al.'s (2015), drawn evenly."""

    example, words = "kaiming_uniform", ("kaiming_uniform",)


class KaimingNormal(Kaiming):
    """He et al.'s (2015), drawn normally."""

    example, words = "kaiming_normal mode=fan_out", ("kaiming_normal",)


class LecunNormal(Initializer):
    """LeCun et al.'s (1998), drawn normally: variance 1 / fan_in, as SELU networks want it."""

    example, words, ranks = "lecun_normal", ("lecun_normal",), (2, 99)


class Orthogonal(Initializer):
    """A random orthogonal matrix (Saxe et al., 2013)."""

    example, ranks = "orthogonal", (2, 99)
    gain = Float("factor on the matrix", 1)


class Sparse(Initializer):
    """A matrix whose columns are mostly zeros (Martens, 2010)."""

    example, ranks = "sparse 0.1", (2, 2)
    sparsity = Float("share of zeros in each column", ge=0, le=1)
    std = Float("standard deviation of the others", 0.01, ge=0)

    def leaves_zeros(self, shape: tuple[int, ...]) -> bool:
        return bool(self.sparsity > 0)


class Eye(Initializer):
    """The identity matrix."""

    example, ranks = "eye", (2, 2)

    def leaves_zeros(self, shape: tuple[int, ...]) -> bool:
        return shape[0] > shape[1]


class Dirac(Initializer):
    """A convolution that passes its input on."""

    example, ranks = "dirac", (3, 5)
    groups = Int("groups of the convolution", 1, ge=1)

    def leaves_zeros(self, shape: tuple[int, ...]) -> bool:
        return shape[0] > shape[1] * self.groups


class PartialDirac(Initializer):
    """A convolution whose first filters pass its channels on, one each; the others stay as torch draws them."""

    example, words, ranks = "partial_dirac", ("partial_dirac",), (3, 5)


class Default(Initializer):
    """What torch does by itself; keeps later rules away."""

    example, printed = "default", False


class Whitening(Initializer):
    """A convolution's filters that make the values of a patch uncorrelated, of variance 1, computed from training data.

    Half of them are the eigenvectors of the covariance of the patches that the layer is given, each divided by the root
    of its eigenvalue plus eps; the other half are their negatives (Jordan, "94% on CIFAR-10 in 3.29 seconds", 2024).
    `weights: {freeze: [NAME.weight]}` keeps them. Until a run has begun, they are as torch draws them.
    """

    example, ranks, printed, from_data = "whitening eps=5e-4", (3, 5), False, True
    eps = Float("added to each eigenvalue, so that what hardly occurs is not blown up", 5e-4, gt=0)
    samples = Int("training samples whose patches are looked at, spread over all of them", 5000, ge=1)
