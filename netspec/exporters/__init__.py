"""What a network is exported to. The formats are in `runtime/export/formats`, one file each."""

FAMILIES: dict[str, str] = {
    "onnx": "onnx",
    "c": "c",
}
"""Each file and every word that it answers to; a test holds this against the classes."""
