"""What a network is exported to. The formats are in `runtime/export/formats`, one file each."""

FAMILIES: dict[str, str] = {
    "onnx": "onnx",
    "c": "c",
    "py": "py",
    "pt2": "pt2",
}
"""Each file and every word that it answers to; a test holds this against the classes."""
