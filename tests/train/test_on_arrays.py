"""Losses and metrics on arrays, as a file is measured by, are those on tensors, as a run is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from netspec.language.calls import read_entry
from netspec.metrics.base import Metric, OfOutput
from netspec.runtime.arrays.losses import FORMS
from netspec.runtime.arrays.objective import ArrayObjective
from netspec.runtime.arrays.tensor import ArrayTensor
from netspec.runtime.train.loss import Objective
from netspec.runtime.train.tally import Tally
from netspec.sections.objective import alone
from netspec.vocabulary import LOSSES, METRICS
from tests.train.test_every_loss import CASES, N

MORE = {
    "CrossEntropyLoss": ["ce reduction=sum", "ce ignore_index=1", "ce weight=1x2x3 ignore_index=0",
                         "ce label_smoothing=0.2 ignore_index=2"],
    "NLLLoss": ["nll weight=1x0x3", "nll reduction=sum ignore_index=1"],
    "MultiMarginLoss": ["multi_margin margin=0.5 weight=1x2x3", "multi_margin reduction=sum"],
    "BCELoss": ["bce weight=1x2x3", "bce reduction=sum"],
    "BCEWithLogitsLoss": ["bce_logits weight=1x2x3", "bce_logits weight=1x2x3 pos_weight=2x1x0.5 reduction=sum"],
    "MultiLabelSoftMarginLoss": ["multilabel_soft_margin weight=1x2x3"],
    "HuberLoss": ["huber delta=2 reduction=sum"],
    "SmoothL1Loss": ["smooth_l1 beta=0", "smooth_l1 beta=2"],
    "PoissonNLLLoss": ["poisson full", "poisson log_input=false"],
    "GaussianNLLLoss": ["gaussian_nll full=true", "gaussian_nll eps=0.8"],
    "KLDivLoss": ["kl reduction=sum"],
    "HingeEmbeddingLoss": ["hinge margin=0.3"],
    "CosineEmbeddingLoss": ["cosine_embedding margin=0.2 reduction=sum"],
    "TripletMarginLoss": ["triplet margin=0.5 swap", "triplet p=1"],
    "TripletMarginWithDistanceLoss": ["triplet_distance swap=true"],
    "CTCLoss": ["ctc blank=3 zero_infinity", "ctc reduction=sum"],
    "InfoNCELoss": ["info_nce symmetric=false", "info_nce normalize=false temperature=2"],
    "MeanLoss": ["mean"],
    "LoadBalanceLoss": ["load_balance"],
    "DistillationLoss": ["distillation"],
}  # fmt: skip
"""Further arguments of losses, on the outputs and targets of their cases."""
ROWS = [(name, row) for name, make in CASES.items() for row in (make()[0], *MORE.get(name, ()))]
METRIC_ROWS = {
    "Accuracy": ["accuracy"],
    "TopK": ["topk 2"],
    "Confusion": ["confusion"],
    "Precision": ["precision", "precision average=micro"],
    "Recall": ["recall", "recall average=weighted"],
    "F1": ["f1"],
    "RocAuc": ["roc_auc"],
    "Perplexity": ["perplexity"],
    "MAE": ["mae"],
    "MSE": ["mse"],
    "RMSE": ["rmse"],
    "R2": ["r2"],
}
GENERATOR = torch.Generator().manual_seed(5)
SCORES = torch.randn(40, 4, generator=GENERATOR).mul(2).round() / 2 + torch.arange(4) / 128
CLASSES = torch.randint(0, 4, (40,), generator=GENERATOR)
OF = {  # each kind of target: its loss, what a network gives, and what that is compared with
    "classes": ("ce", SCORES, CLASSES),
    "skipped": ("ce ignore_index=2", SCORES, CLASSES),
    "shares": ("ce", SCORES, torch.nn.functional.one_hot(CLASSES).float()),
    "places": ("ce axis=-1", SCORES.view(10, 4, 4), CLASSES.view(10, 4)),
    "two": ("nll", SCORES[:, :2].log_softmax(1), CLASSES % 2),
    "yes": ("bce_logits", SCORES[:, 0], (CLASSES > 1).float()),
    "labels": ("bce", SCORES.sigmoid(), (torch.rand(40, 4, generator=GENERATOR) > 0.5).float()),
    "counts": ("poisson", SCORES, CLASSES.unsqueeze(1).expand(-1, 4).float()),
    "numbers": ("mse", SCORES, SCORES * 2 + torch.randn(40, 4, generator=GENERATOR)),
    "constant": ("mse", SCORES, SCORES.clone().fill_(3.0)),
    "empty": ("ce ignore_index=3", SCORES, CLASSES.clone().fill_(3)),
}


def told(objective: Any, metrics: list[Metric], made: Any, outputs: Any, target: torch.Tensor, axis: int = 0) -> Any:
    """What both tell of three batches, the last one smaller."""
    tally, size = Tally(objective, metrics), 3 if objective.compares_samples else 7
    count = len(target)
    with np.errstate(all="ignore"):
        for start in range(0, count, size):
            given = [made(x.narrow(axis, start, min(size, count - start)).numpy().copy()) for x in outputs]
            tally.add(given[0] if len(given) == 1 else tuple(given), made(target[start : start + size].numpy()))
        return tally.values()


def near(found: Any, wanted: Any) -> bool:
    return bool(np.allclose(np.asarray(found, float), np.asarray(wanted, float), rtol=2e-5, atol=1e-6, equal_nan=True))


def test_every_loss_has_a_form_or_weights_of_its_own() -> None:
    own = {cls.__name__ for cls in LOSSES.classes() if cls.owns_parameters is True}
    assert FORMS.keys() | own == {cls.__name__ for cls in LOSSES.classes()}
    assert not FORMS.keys() & own
    assert METRIC_ROWS.keys() == {cls.__name__ for cls in METRICS.classes() if cls is not OfOutput}


@pytest.mark.parametrize(("name", "row"), [each for each in ROWS if each[0] in FORMS], ids=lambda x: x)
def test_losses(name: str, row: str) -> None:
    loss = read_entry(row, (), LOSSES)[0]
    _, network, target, *_ = CASES[name]()
    with torch.no_grad():
        outputs = network(torch.randn(N, 8, generator=torch.Generator().manual_seed(1)))
    outputs = [*outputs.values()] if isinstance(outputs, dict) else [outputs] if hasattr(outputs, "shape") else outputs
    if row == "poisson log_input=false":
        outputs = [x.abs() for x in outputs]
    axis = 1 if name == "CTCLoss" else 0
    wanted = told(Objective(loss), [], torch.from_numpy, outputs, target, axis)
    found = told(ArrayObjective(alone(loss), {}, ()), [], ArrayTensor.of, outputs, target, axis)
    assert near(found["loss"], wanted["loss"]), (found, wanted)
    assert isinstance(found["loss"], float)


@pytest.mark.parametrize("kind", OF)
def test_metrics(kind: str) -> None:
    row, scores, target = OF[kind]
    loss = read_entry(row, (), LOSSES)[0]
    rows = [row for rows in METRIC_ROWS.values() for row in rows]
    metrics = [metric for metric, _ in (read_entry(each, (), METRICS) for each in rows)]
    metrics = [each for each in metrics if loss.target_kind in each.kinds and (kind != "two" or each.label != "top2")]
    wanted = told(Objective(loss), metrics, torch.from_numpy, [scores], target)
    found = told(ArrayObjective(alone(loss), {}, ()), metrics, ArrayTensor.of, [scores], target)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert near(found[name], value), (name, found[name], value)
        assert type(found[name]) is type(value)


def test_weights_and_scales_that_were_learnt() -> None:
    """As the data decides them: class weights by name, and a target that was scaled."""
    loss = read_entry({"cross_entropy": {"weight": "balanced"}}, (), LOSSES)[0]
    learnt: dict[str, Any] = {"weights": {"weight": {"of": "balanced", "values": [1.0, 2.0, 0.5, 3.0]}}}
    pairs = [(Objective(loss, learnt=learnt), ArrayObjective(alone(loss), learnt, ()), SCORES, CLASSES)]
    loss, learnt = read_entry("mse", (), LOSSES)[0], {"scale": {"mean": [1.0, 2, 3, 4], "deviation": [1.0, 2, 3, 4]}}
    pairs.append((Objective(loss, learnt=learnt), ArrayObjective(alone(loss), learnt, ()), SCORES, SCORES + 1))
    mae = [read_entry("mae", (), METRICS)[0]]
    for place, (mine, theirs, scores, target) in enumerate(pairs):
        wanted = told(mine, mae * place, torch.from_numpy, [scores], target)
        assert all(near(x, wanted[name]) for name, x in
                   told(theirs, mae * place, ArrayTensor.of, [scores], target).items())  # fmt: skip
