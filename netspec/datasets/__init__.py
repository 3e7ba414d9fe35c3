"""Sources of data, one file each. `FAMILIES` says which file answers to which words."""

FAMILIES: dict[str, str] = {
    "digits": "Digits",
    "mnist": "MNIST",
    "idx": "IDX",
    "npz": "NPZ",
    "npy": "NPY",
    "images": "Images",
    "csv": "CSV",
    "parquet": "Parquet",
    "text": "Text",
}
"""Each file and every word that it answers to; a test holds this against the classes."""
