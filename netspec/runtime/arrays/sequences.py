"""The probability of a sequence over all its alignments with a longer one, on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def alignments(logs: Array, target: Array, lengths: Array, blank: int) -> Array:
    """The negative logarithm of what all alignments of each target have together, one number a sequence.

    `logs` are log probabilities, time x batch x classes, and `target` the classes, batch x length, of which each
    sequence has the first `lengths`. What follows is the forward recursion over the classes with a blank around each
    (Graves et al. 2006, section 4.1).
    """
    batch, length = target.shape
    labels = np.full((batch, 2 * length + 1), blank)
    labels[:, 1::2] = target
    taken = np.take_along_axis(logs, np.broadcast_to(labels, (len(logs), *labels.shape)), 2)
    skips = np.zeros(labels.shape, bool)  # past a blank, between classes that differ
    skips[:, 2:] = (labels[:, 2:] != blank) & (labels[:, 2:] != labels[:, :-2])
    reached = np.full(labels.shape, -np.inf, logs.dtype)
    reached[:, :2] = taken[0, :, :2]
    for step in taken[1:]:
        one, two = (np.pad(reached, ((0, 0), (n, 0)), constant_values=-np.inf)[:, :-n] for n in (1, 2))
        reached = np.logaddexp(np.logaddexp(reached, one), np.where(skips, two, -np.inf)) + step
    rows = np.arange(batch)
    last = np.where(lengths > 0, reached[rows, np.maximum(2 * lengths - 1, 0)], -np.inf)
    found: Array = -np.logaddexp(reached[rows, 2 * lengths], last)
    return found
