"""The learning rate schedules of torch.optim, one file a kind. `FAMILIES` says which file answers to which words."""

FAMILIES: dict[str, str] = {
    "falling": (
        "StepLR MultiStepLR ExponentialLR ConstantLR LinearLR PolynomialLR step multistep exponential constant linear "
        "polynomial"
    ),
    "waves": "CosineAnnealingLR CosineAnnealingWarmRestarts CyclicLR OneCycleLR cosine cosine_restarts cyclic onecycle",
    "plateau": "ReduceLROnPlateau plateau",
    "composed": "SequentialLR ChainedScheduler sequential chained",
}
"""Each family file and every word that it answers to; a test holds this against the classes."""

UNDECLARED: dict[str, str] = {
    "LambdaLR": "its schedule is a Python function, and a spec is data",
    "MultiplicativeLR": "its schedule is a Python function, and a spec is data",
}
"""Schedulers of torch.optim that a spec cannot name, each with the reason."""

OMITTED: dict[str, str] = {
    "optimizer": "the optimizer of the same spec",
    "last_epoch": "where a run resumes, which its checkpoint knows",
    "scale_fn": "a Python function; `mode` names torch's own three",
    "scale_mode": "only torch's scale_fn reads it",
}
"""Arguments of torch's that a spec cannot give, each with the reason."""
