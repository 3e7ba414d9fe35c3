"""The losses of torch.nn, one file a kind of target. `FAMILIES` says which file answers to which words."""

FAMILIES: dict[str, str] = {
    "classes": "CrossEntropyLoss ce cross_entropy NLLLoss nll nll_loss MultiMarginLoss multi_margin multi_margin_loss",
    "heads": "AdaptiveLogSoftmaxWithLoss adaptive_log_softmax LinearCrossEntropyLoss linear_cross_entropy",
    "labels": "BCELoss bce binary_cross_entropy BCEWithLogitsLoss bce_logits binary_cross_entropy_with_logits "
    "SoftMarginLoss soft_margin soft_margin_loss HingeEmbeddingLoss hinge hinge_embedding_loss "
    "MultiLabelMarginLoss multilabel_margin multilabel_margin_loss "
    "MultiLabelSoftMarginLoss multilabel_soft_margin multilabel_soft_margin_loss",
    "values": "MSELoss mse mse_loss l2 L1Loss l1 mae l1_loss HuberLoss huber huber_loss SmoothL1Loss smooth_l1 "
    "smooth_l1_loss PoissonNLLLoss poisson poisson_nll_loss GaussianNLLLoss gaussian_nll gaussian_nll_loss "
    "KLDivLoss kl kl_div",
    "pairs": "CosineEmbeddingLoss cosine_embedding cosine_embedding_loss MarginRankingLoss margin_ranking "
    "margin_ranking_loss TripletMarginLoss triplet triplet_margin_loss TripletMarginWithDistanceLoss "
    "triplet_distance triplet_margin_with_distance_loss",
    "sequences": "CTCLoss ctc ctc_loss",
}
"""Each family file and every word that it answers to; a test holds this against the classes."""

UNDECLARED: dict[str, str] = {
    "NLLLoss2d": "torch's own deprecated name of NLLLoss, which takes maps as well",
}
"""Losses of torch.nn that a spec cannot name, each with the reason."""

OMITTED: dict[str, str] = {
    "size_average": "deprecated in torch, `reduction` says the same",
    "reduce": "deprecated in torch, `reduction` says the same",
    "device": "the loss lives where the network does",
    "dtype": "the loss has the network's dtype",
    "distance_function": "a Python function; torch's default is the Euclidean distance",
    "options": "a Python object that only chooses how the work is cut into pieces",
}
"""Arguments of torch's that a spec cannot give, each with the reason."""
