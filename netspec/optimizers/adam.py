"""Adam and its kin: steps scaled by a running estimate of the gradients' squares."""

from __future__ import annotations

from netspec.optimizers.base import Betas, Eps, Foreach, Fused, Maximize, Optimizer, Rate, WeightDecay
from netspec.records import Bool, Float


class Adam(Optimizer):
    """Scales the step of every weight by running means of its gradient and of the gradient's square."""

    example = "adam lr=1e-3"

    lr = Rate(1e-3)
    betas = Betas()
    eps = Eps(1e-8)
    weight_decay = WeightDecay()
    amsgrad = Bool("whether the largest mean square so far is taken", False)
    foreach = Foreach()
    maximize = Maximize()
    fused = Fused()
    decoupled_weight_decay = Bool("whether weights decay apart from the gradient, as in AdamW", False)

    def copies(self) -> int:
        return 3 if self.amsgrad is True else 2


class AdamW(Optimizer):
    """Adam with weights that decay apart from the gradient."""

    example = "adamw lr=3e-4 weight_decay=0.01"

    lr = Rate(1e-3)
    betas = Betas()
    eps = Eps(1e-8)
    weight_decay = WeightDecay(1e-2)
    amsgrad = Bool("whether the largest mean square so far is taken", False)
    maximize = Maximize()
    foreach = Foreach()
    fused = Fused()

    def copies(self) -> int:
        return 3 if self.amsgrad is True else 2


class Adamax(Optimizer):
    """Adam with the largest gradient in place of the mean square."""

    example = "adamax lr=2e-3"

    lr = Rate(2e-3)
    betas = Betas()
    eps = Eps(1e-8)
    weight_decay = WeightDecay()
    foreach = Foreach()
    maximize = Maximize()

    def copies(self) -> int:
        return 2


class NAdam(Optimizer):
    """Adam with Nesterov's momentum."""

    counters = 2
    foreach_is_exact = False
    example = "nadam lr=2e-3"

    lr = Rate(2e-3)
    betas = Betas()
    eps = Eps(1e-8)
    weight_decay = WeightDecay()
    momentum_decay = Float("how the momentum grows over the steps", 4e-3, ge=0)
    decoupled_weight_decay = Bool("whether weights decay apart from the gradient", False)
    foreach = Foreach()
    maximize = Maximize()

    def copies(self) -> int:
        return 2


class RAdam(Optimizer):
    """Adam that waits with scaling until its estimate of the squares can be trusted."""

    foreach_is_exact = False
    example = "radam lr=1e-3"

    lr = Rate(1e-3)
    betas = Betas()
    eps = Eps(1e-8)
    weight_decay = WeightDecay()
    decoupled_weight_decay = Bool("whether weights decay apart from the gradient", False)
    foreach = Foreach()
    maximize = Maximize()

    def copies(self) -> int:
        return 2


class SparseAdam(Optimizer):
    """Adam for the sparse gradients of `embedding sparse`, touching only the rows that occurred."""

    sparse = True
    shardable = False
    words = ("sparse_adam",)
    example = "sparse_adam lr=1e-3"

    lr = Rate(1e-3)
    betas = Betas()
    eps = Eps(1e-8)
    maximize = Maximize()

    def problems(self) -> list[tuple[str, str]]:
        return [] if self.eps > 0 and self.lr > 0 else [("eps" if self.lr > 0 else "lr", "must be greater than 0")]
