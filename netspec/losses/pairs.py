"""Losses that compare several outputs of the network with each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netspec.losses.base import Loss, Range, Reduction, alike, need_batch_rank, need_target_shape
from netspec.records import Bool, Float
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor, show


class Together(Loss):
    """A loss over two or three outputs of one shape."""

    mixes = False

    def fit(self, predictions: Sequence[Tensor], target: Tensor | None) -> None:
        first, *others = predictions
        for other in others:
            if not alike(first.shape, other.shape):
                text = f"compares outputs of one shape, they are {show(first.shape)} and {show(other.shape)}"
                raise Misfit(text)
        if target is not None and self.takes_target:
            self.fit_target(first, target)

    def fit_target(self, first: Tensor, target: Tensor) -> None:
        """The rule for the target, given the shape of the outputs."""

    def target_range(self, predictions: Sequence[Tensor], target: Tensor) -> Range:
        return (-1, 1) if self.takes_target else (None, None)


class CosineEmbeddingLoss(Together):
    """Turns two outputs towards each other where the target is 1, and apart where it is -1."""

    rule = "Takes two outputs of B x width and targets of -1 and 1 of B."
    kind = "other"
    predictions, signs = 2, True
    words = ("cosine_embedding", "cosine_embedding_loss")
    example = "cosine_embedding margin=0.2"

    margin = Float("the cosine that unlike pairs may have", 0.0, ge=-1, le=1)
    reduction = Reduction()

    def fit_target(self, first: Tensor, target: Tensor) -> None:
        """Refuse a target with another shape than one number a pair. Raises Misfit."""
        need_batch_rank(first, 2, what="batch x features")
        need_target_shape(first, target, first.shape[:1], "1 or -1 for each pair")

    def kept(self, tape: Tape, *given: Held) -> Held:
        """Both outputs, their products, and which pairs are alike."""
        one, other, target = given
        rows = [tape.new(one.shape[:1], [tape.mul(x, y)]) for x, y in ((one, other), (one, one), (other, other))]
        cosine = tape.div(rows[0], tape.each(tape.mul(rows[1], rows[2]), "result"))
        wide = tape.each(tape.add(cosine), "input" if cosine.grad else "")
        both = [tape.add(cosine), wide]
        if cosine.grad:
            tape.keep(*(tape.new(target.shape, dtype="bool") for _ in both))
        return tape.new((), both)


class MarginRankingLoss(Together):
    """Asks that the first output is larger by a margin where the target is 1, smaller where it is -1."""

    rule = "Takes two outputs of one shape and targets of -1 and 1 of that shape."
    kind = "other"
    predictions, signs = 2, True
    words = ("margin_ranking", "margin_ranking_loss")
    example = "margin_ranking margin=0.1"

    margin = Float("by how much one should be larger", 0.0)
    reduction = Reduction()

    def fit_target(self, first: Tensor, target: Tensor) -> None:
        """Refuse a target with another shape than the predictions. Raises Misfit."""
        need_target_shape(first, target, first.shape, "1 or -1 for each pair")

    def kept(self, tape: Tape, *given: Held) -> Held:
        """The target turned round, and by how much the order fails."""
        one, other, target = given
        lacking = tape.mul(tape.each(target), tape.add(one, other))
        return tape.new((), [tape.each(tape.each(lacking), "input")])


class Triplet(Together):
    """What both triplet losses share: an anchor, one of its kind and one of another kind."""

    rule = "Takes three outputs of one shape, an anchor, its like and its unlike; the target is not looked at."
    predictions = 3
    takes_target = False
    kind = "none"

    swap: Any
    """Whether the nearer of anchor and like one counts against the other kind."""

    def kept(self, tape: Tape, *given: Held) -> Held:
        """The differences, their norms, and by how much the order fails."""
        anchor, like, unlike = given[:3]
        near, far = _distance(tape, anchor, like), _distance(tape, anchor, unlike)
        if self.swap:
            far = tape.add(far, _distance(tape, like, unlike))
        return tape.new((), [tape.each(tape.add(near, far), "input")])


class TripletMarginLoss(Triplet):
    """Asks that an anchor is nearer to one of its kind than to one of another kind, by a margin."""

    words = ("triplet", "triplet_margin_loss")
    example = "triplet margin=0.5"

    margin = Float("by how much it should be nearer", 1.0, gt=0)
    p = Float("the norm that measures the distance", 2.0, gt=0)
    eps = Float("added to the differences", 1e-6, ge=0)
    swap = Bool("whether the nearer of anchor and like one counts against the other kind", False)
    reduction = Reduction()


class TripletMarginWithDistanceLoss(Triplet):
    """The triplet loss over torch's own pairwise Euclidean distance."""

    words = ("triplet_distance", "triplet_margin_with_distance_loss")
    example = "triplet_distance margin=0.5"

    margin = Float("by how much it should be nearer", 1.0, gt=0, keyword=True)
    swap = Bool("whether the nearer of anchor and like one counts against the other kind", False, keyword=True)
    reduction = Reduction(keyword=True)


def _distance(tape: Tape, one: Held, other: Held) -> Held:
    """The norm of a difference; both are kept."""
    difference = tape.each(tape.add(one, other))
    made = tape.new(difference.shape[:-1], [difference])
    tape.keep(*((difference, made) if made.grad else ()))
    return made
