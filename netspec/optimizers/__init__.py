"""The optimizers of torch.optim, one file a kind. `FAMILIES` says which file answers to which words."""

FAMILIES: dict[str, str] = {
    "descent": "SGD ASGD Rprop LBFGS Muon",
    "adam": "Adam AdamW Adamax NAdam RAdam SparseAdam sparse_adam",
    "adaptive": "Adagrad Adadelta Adafactor RMSprop",
}
"""Each family file and every word that it answers to; a test holds this against the classes."""

UNDECLARED: dict[str, str] = {}
"""Optimizers of torch.optim that a spec cannot name, each with the reason."""

OMITTED: dict[str, str] = {
    "params": "the parameters of the network that are not frozen",
    "capturable": "for CUDA graphs with the update in them; given wherever the training loop may record one",
    "differentiable": "for gradients through the update itself, which the training loop never takes",
}
"""Arguments of torch's that a spec cannot give, each with the reason."""
