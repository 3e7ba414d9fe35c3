"""Losses that tell the pairs of a batch from all other combinations in it."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.losses.base import need_batch_rank
from netspec.losses.pairs import Together
from netspec.records import Bool, Float
from netspec.saved import Held, Tape
from netspec.tensors import Tensor


class Contrast(Together):
    """What contrastive losses share: two outputs of a batch, of which rows with the same number belong together.

    Of several processes each compares the samples of its own part of the batch.
    """

    rule = "Takes two outputs of B x width, whose rows belong together; the target is not looked at."
    predictions = 2
    takes_target = False
    kind = "none"
    torchs = False
    compares_samples = True

    def fit(self, predictions: Sequence[Tensor], target: Tensor | None) -> None:
        for prediction in predictions:
            need_batch_rank(prediction, 2, what="batch x features")
        super().fit(predictions, target)


class InfoNCELoss(Contrast):
    """Asks of each row of one output which row of the other belongs to it, and the reverse, as CLIP does.

    The cosines of all pairs, divided by the temperature, are scores of a cross entropy in both directions, whose mean
    it is (Radford et al. 2021, figure 3). With `learned` the logarithm of 1/temperature is trained with the network,
    up to 100 as there.
    """

    words = ("info_nce", "infonce", "info_nce_loss", "clip_loss")
    example = "info_nce temperature=0.07 learned"

    temperature = Float("what cosines are divided by; where it is learned, at first", 0.07, gt=0)
    learned = Bool("whether the temperature is trained with the network", False)
    symmetric = Bool("whether rows of the second output are asked too", True)
    normalize = Bool("whether rows are brought to length 1 first", True)

    @property
    def owns_parameters(self) -> bool:  # type: ignore[override]  # the base has it for all of a class
        """Whether its temperature is trained."""
        return self.learned

    def kept(self, tape: Tape, *given: Held) -> Held:
        """Both outputs, their lengths, and the probabilities both ways."""
        one, other = map(tape.normalized, given[:2]) if self.normalize else given[:2]
        if self.learned:
            scale = tape.own("logit_scale")
            one = tape.mul(tape.each(tape.each(scale, "result"), "input"), one)
            scores = tape.matmul(one, other.transpose(0, 1))
        else:
            scores = tape.each(tape.matmul(one, other.transpose(0, 1)))
        own = tape.new(one.shape[:1], dtype="int64")
        found = [
            tape.picked(tape.softmax(each), own) for each in (scores, scores.transpose(0, 1))[: 1 + self.symmetric]
        ]
        return tape.add(*found)


class NTXentLoss(Contrast):
    """Asks of each row of both outputs which one of all others belongs to it, as SimCLR does.

    The normalized temperature-scaled cross entropy over 2 B rows (Chen et al. 2020, equation 1).
    """

    words = ("nt_xent", "ntxent", "nt_xent_loss", "simclr_loss")
    example = "nt_xent temperature=0.5"

    temperature = Float("what cosines are divided by", 0.5, gt=0)

    def kept(self, tape: Tape, *given: Held) -> Held:
        """Both outputs, their lengths, the probabilities, and which row each is itself."""
        one, other = given[:2]
        rows = tape.normalized(tape.new((one.shape[0] * 2, one.shape[1]), [one, other]))
        scores = tape.each(tape.matmul(rows, rows.transpose(0, 1)))
        tape.keep(tape.new(scores.shape, dtype="bool") if scores.grad else None)
        own = tape.new(rows.shape[:1], dtype="int64")
        return tape.picked(tape.softmax(tape.each(scores)), own)
