"""Losses that look at one output by itself, and compare it with nothing."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.losses.base import Loss
from netspec.records import Bool, Int
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor


class Untargeted(Loss):
    """What losses share that have no target."""

    takes_target = False
    kind = "none"
    torchs = False


class MeanLoss(Untargeted):
    """Makes an output small, or large: it is the mean of its numbers.

    What a critic says of real and of made samples is trained so in a Wasserstein GAN (Arjovsky, Chintala and Bottou
    2017), and so is what the network itself gives as a loss.
    """

    rule = "Takes one output of any shape; the target is not looked at."
    words = ("mean", "mean_loss")
    example = "mean maximise"

    maximise = Bool("whether the output is to be large, so that its mean is taken away", False)

    def fit(self, predictions: Sequence[Tensor], target: Tensor | None) -> None:
        """Any output will do."""

    def kept(self, tape: Tape, *given: Held) -> Held:
        """Nothing."""
        return tape.new((), given)


class LoadBalanceLoss(Untargeted):
    """Spreads tokens over experts: it is least, the number of chosen ones, where all experts have as many.

    With E experts it is E times the sum over them of f P, f the share of tokens that choose the expert and P the mean
    of its probability (Fedus, Zoph and Shazeer 2022, equations 4 to 6); where a token chooses several, as in Mixtral,
    each choice counts. What it counts for is its `weight`, 0.01 in both papers' models.
    """

    rule = "Takes the scores of a router, before a softmax, with the experts on the last axis; the target is not used."
    words = ("load_balance", "load_balance_loss", "load_balancing_loss")
    example = "load_balance chosen=2"
    compares_samples = True
    wants = "scores"

    chosen = Int("the experts that each token goes to", 1, ge=1)

    def fit(self, predictions: Sequence[Tensor], target: Tensor | None) -> None:
        shape = predictions[0].shape
        if len(shape) < 2:
            raise Misfit("takes the scores of a router, tokens x experts, and the output is one number a sample")
        if isinstance(experts := shape[-1], int) and experts < self.chosen:
            raise Misfit(f"lets each token choose {self.chosen} experts, and the output has scores of {experts}")

    def kept(self, tape: Tape, *given: Held) -> Held:
        """The probabilities, and how many tokens choose each expert."""
        likely = tape.softmax(tape.flatten(given[0], 0, -2))
        experts = likely.shape[1:]
        return tape.new((), [tape.mul(tape.new((self.chosen, *experts)), tape.new(experts, [likely]))])
