"""The losses of torch.nn, one file a kind of target. `FAMILIES` says which file answers to which words."""

FAMILIES: dict[str, str] = {
    "classes": "CrossEntropyLoss NLLLoss MultiMarginLoss ce cross_entropy nll nll_loss multi_margin multi_margin_loss",
    "heads": "AdaptiveLogSoftmaxWithLoss LinearCrossEntropyLoss adaptive_log_softmax linear_cross_entropy",
    "labels": (
        "BCELoss BCEWithLogitsLoss SoftMarginLoss HingeEmbeddingLoss MultiLabelMarginLoss MultiLabelSoftMarginLoss "
        "bce binary_cross_entropy bce_logits binary_cross_entropy_with_logits soft_margin soft_margin_loss hinge "
        "hinge_embedding_loss multilabel_margin multilabel_margin_loss multilabel_soft_margin "
        "multilabel_soft_margin_loss"
    ),
    "values": (
        "MSELoss L1Loss HuberLoss SmoothL1Loss PoissonNLLLoss GaussianNLLLoss KLDivLoss mse mse_loss l2 l1 mae "
        "l1_loss huber huber_loss smooth_l1 smooth_l1_loss poisson poisson_nll_loss gaussian_nll gaussian_nll_loss kl "
        "kl_div"
    ),
    "pairs": (
        "CosineEmbeddingLoss MarginRankingLoss TripletMarginLoss TripletMarginWithDistanceLoss cosine_embedding "
        "cosine_embedding_loss margin_ranking margin_ranking_loss triplet triplet_margin_loss triplet_distance "
        "triplet_margin_with_distance_loss"
    ),
    "sequences": "CTCLoss ctc ctc_loss",
    "contrast": (
        "InfoNCELoss NTXentLoss info_nce infonce info_nce_loss clip_loss nt_xent ntxent nt_xent_loss simclr_loss"
    ),
    "distillation": "DistillationLoss distillation distill distillation_loss",
    "untargeted": "MeanLoss LoadBalanceLoss mean mean_loss load_balance load_balance_loss load_balancing_loss",
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
