"""Measures of how well a network does, one file a kind of target. `FAMILIES` says which file answers to which words.

Each is exact over the whole of the data: batches add up counts, and the value is computed from
the total once.
"""

FAMILIES: dict[str, str] = {
    "classes": "Accuracy TopK Confusion Precision Recall F1 topk confusion_matrix",
    "ranking": "RocAuc Perplexity roc_auc",
    "values": "MAE MSE RMSE R2",
}
"""Each family file and every word that it answers to; a test holds this against the classes."""
