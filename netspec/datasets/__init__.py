"""Sources of data, one file each. `FAMILIES` says which file answers to which words."""

FAMILIES: dict[str, str] = {
    "digits": "digits",
    "mnist": "mnist",
    "cifar": "cifar10 cifar100",
    "idx": "idx",
    "npz": "npz",
    "npy": "npy",
    "images": "images",
    "csv": "csv",
    "parquet": "parquet",
    "text": "text",
    "json": "json",
}
"""Each file and every word that it answers to; a test holds this against the classes."""
