"""Optimizers that follow the gradient itself: with momentum, averaged, by sign, by curvature, orthogonalised."""

from __future__ import annotations

from netspec.optimizers.base import Eps, Foreach, Fused, Maximize, Numbers, Optimizer, Rate, WeightDecay
from netspec.records import Bool, Choice, Float, Int


class SGD(Optimizer):
    """Steps against the gradient, with momentum if wanted."""

    counters = 0
    letters = {"m": "momentum"}
    example = "sgd lr=0.01 momentum=0.9"

    lr = Rate(0.001)
    momentum = Float("share of the last step that is taken again", 0, ge=0)
    dampening = Float("share of the gradient that momentum leaves out", 0)
    weight_decay = WeightDecay()
    nesterov = Bool("whether the gradient is taken where momentum leads", False)
    maximize = Maximize()
    foreach = Foreach()
    fused = Fused()

    def problems(self) -> list[tuple[str, str]]:
        if self.nesterov and (self.momentum <= 0 or self.dampening != 0):
            return [("nesterov", "needs a momentum greater than 0 and no dampening")]
        return super().problems()

    def copies(self) -> int:
        return int(self.momentum != 0)


class ASGD(Optimizer):
    """Gradient descent whose result is the average of the weights passed."""

    counters = 3
    foreach_is_exact = False
    example = "asgd lr=0.01"

    lr = Rate(0.01)
    lambd = Float("how fast the weights decay", 1e-4, ge=0)
    alpha = Float("the power by which the rate falls", 0.75)
    t0 = Float("the step from which on weights are averaged", 1e6, ge=0)
    weight_decay = WeightDecay()
    foreach = Foreach()
    maximize = Maximize()

    def copies(self) -> int:
        return 1


class Rprop(Optimizer):
    """Looks only at the gradient's sign, and keeps a step length for every weight."""

    shardable = False
    example = "rprop lr=0.01"

    lr = Rate(0.01)
    etas = Numbers("by what a step shrinks when the sign turns, and grows when it stays", (0.5, 1.2))
    step_sizes = Numbers("the shortest and the longest step", (1e-6, 50))
    foreach = Foreach()
    maximize = Maximize()

    def problems(self) -> list[tuple[str, str]]:
        shrink, grow = self.etas
        return [] if 0 < shrink < 1 < grow else [("etas", "needs a number below 1 and one above 1, as 0.5x1.2")]

    def copies(self) -> int:
        return 2


class LBFGS(Optimizer):
    """Estimates the curvature from past gradients; each step computes the loss several times."""

    needs_closure = True
    takes_groups = False
    shardable = False
    example = "lbfgs lr=1 max_iter=10"

    lr = Rate(1)
    max_iter = Int("iterations in a step", 20, ge=1)
    max_eval = Int("times that a step may compute the loss; null is 5/4 of max_iter", None, ge=1)
    tolerance_grad = Float("the largest gradient that ends a step", 1e-7, ge=0)
    tolerance_change = Float("the smallest change of weights or loss that goes on", 1e-9, ge=0)
    history_size = Int("past gradients that are kept", 100, ge=1)
    line_search_fn = Choice("how the length of a step is found; null takes the rate", ("strong_wolfe",), None)


class Muon(Optimizer):
    """Makes the momentum of every weight matrix orthogonal before it is applied.

    A convolution's filters are the rows of a matrix. Parameters of one axis need another optimizer.
    """

    ranks = (2, 3, 4, 5)
    counters = 0
    shardable = False
    example = "muon lr=0.02"

    lr = Rate(0.001)
    weight_decay = WeightDecay(0.1)
    momentum = Float("share of the last step that is taken again", 0.95, ge=0)
    nesterov = Bool("whether the gradient is taken where momentum leads", True)
    ns_coefficients = Numbers("the Newton-Schulz polynomial", (3.4445, -4.775, 2.0315), ge=-1e6)
    eps = Eps(1e-7)
    ns_steps = Int("Newton-Schulz iterations", 5, ge=1, le=99)
    adjust_lr_fn = Choice("how the rate follows a matrix's shape", ("original", "match_rms_adamw"), None)
    rescaled = Bool(
        "whether each step first brings a matrix to the norm of an orthogonal one, the root of its rows",
        False,
        torch=False,
        keyword=True,
    )

    def copies(self) -> int:
        return 1
