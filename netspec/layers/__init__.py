"""The layers of torch.nn, one file a family. `FAMILIES` says which file answers to which words."""

FAMILIES: dict[str, str] = {
    "convolution": "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d conv conv_transpose",
    "linear": "Linear FC Identity fc",
}
"""Each family file and every word that it answers to; a test holds this against the classes."""
