"""Files of other tools that are taken for specs: whose they are, told at once and before anything else."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any, Final

HEAD: Final = 64 * 1024
"""How many characters of a text are looked at."""
WRITE: Final = "A spec begins with netspec: 1 and describes the network by layers; `netspec init` writes one to change."
KEYS: Final[tuple[tuple[frozenset[str], str], ...]] = tuple(
    (frozenset(keys.split()), whose)
    for keys, whose in (
        ("_base_", "a configuration of MMEngine"),
        ("type backbone", "a configuration of MMEngine"),
        ("backbone head", "a model file of Ultralytics"),
        ("train val names", "a data set file of Ultralytics"),
        ("train val nc", "a data set file of Ultralytics"),
        ("task mode model", "settings of Ultralytics"),
        ("input_features output_features", "a configuration of Ludwig"),
        ("class_name config", "a model of Keras"),
        ("modelTopology", "a model of TensorFlow.js"),
        ("model_type", "a model's configuration of Hugging Face"),
        ("architectures", "a model's configuration of Hugging Face"),
        ("model_name_or_path", "settings of Hugging Face"),
        ("base_model datasets", "a configuration of Axolotl"),
        ("MODEL SOLVER", "a configuration of Detectron2"),
        ("MODEL DATASETS", "a configuration of Detectron2"),
        ("_BASE_", "a configuration of Detectron2"),
        ("Global Arch", "a configuration of PaddlePaddle"),
        ("nodes arg_nodes", "a network of MXNet"),
        ("_target_", "a configuration of Hydra"),
        ("class_path", "a configuration of Lightning"),
        ("ir_version graph", "a network of ONNX as JSON"),
        ("irVersion graph", "a network of ONNX as JSON"),
        ("cells nbformat", "a notebook"),
    )
)
"""Keys at the top that tell whose a mapping is."""
LOOKS: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(look, re.MULTILINE), whose)
    for look, whose in (
        (r"^\s*layers?\s*\{|^\s*input_param\s*\{|^\s*train_net\s*:", "a network of Caffe"),
        (r"^\s*op\s*\{", "a network of Caffe2"),
        (r"^\s*train_config\s*:?\s*\{", "a configuration of TensorFlow"),
        (r"^\s*\[(?:net|network|convolutional|maxpool|shortcut|route|yolo|connected)\]\s*$", "a network of Darknet"),
        (
            r"^\s*(?:import|from) (?:torch|tensorflow|keras|jax|flax|mxnet)\b|^class \w+\(.*Module\):|^\w+ = [\w.]+\(",
            "a Python program",
        ),
        (r"^\s*\(\w+\): \w+\(", "a module as torch prints it"),
        (r"^\s*(?:ir_version|producer_name|opset_import)\b.*[:{]", "a network of ONNX as text"),
        (r"\A(?:\s*[#;].*\n)*\s*\[[\w.]+\]\s*\n", "a file of INI or TOML"),
    )
)
"""What tells whose a text is that is no mapping."""
SUFFIXES: Final = {
    ".py": "a Python program",
    ".ipynb": "a notebook",
    ".prototxt": "a network of Caffe",
    ".caffemodel": "weights of Caffe",
    ".onnx": "a network of ONNX",
    ".mlmodel": "a network of Core ML",
    ".gguf": "a file of weights",
    ".md": "a text",
    ".tflite": "a network of TensorFlow Lite",
    ".pb": "a network of TensorFlow",
    ".h5": "a model of Keras",
    ".keras": "a model of Keras",
    ".pt": "a file of torch",
    ".pth": "a file of torch",
    ".ckpt": "a checkpoint",
    ".safetensors": "a file of weights",
    ".npz": "a file of arrays",
    ".npy": "a file of arrays",
    ".csv": "a table",
}
"""What files are by their ending."""
WEIGHTS: Final = {".pt", ".pth", ".safetensors", ".ckpt"}


def by_name(name: str) -> str:
    """What a file is by its ending; empty for one that may be a spec."""
    return SUFFIXES.get(PurePath(name).suffix.lower(), "")


def by_text(text: str) -> str:
    """Whose a text is that is no mapping; empty for a spec, and where it looks like none that is known."""
    head = text[:HEAD]
    if re.search(r"^netspec\s*:", head, re.MULTILINE):
        return ""
    return next((whose for look, whose in LOOKS if look.search(head)), "")


def by_data(data: Any) -> str:
    """Whose a mapping is; empty for a spec, also for one with mistakes in it."""
    if not isinstance(data, dict) or data.keys() & {"netspec", "layers", "extends"}:
        return ""
    found = next((whose for keys, whose in KEYS if keys <= data.keys()), "")
    if not found and isinstance(data.get("defaults"), list):
        return "a configuration of Hydra"
    inner = data.get("model")
    return found or (by_data(inner) if isinstance(inner, dict) else "")


def way_on(name: str, whose: str) -> str:
    """What to do with a file of another tool."""
    suffix = PurePath(name).suffix.lower()
    if suffix in WEIGHTS:
        return f"Weights stand in a spec, as in weights: {{load: {PurePath(name).stem}.safetensors}}."
    if whose in ("a table", "a file of arrays", "a data set file of Ultralytics"):
        return "Data stands in a spec, as in data: csv table.csv target=label. " + WRITE
    if "Python" in whose:
        return f"{WRITE} Modules, losses and data in Python are plugins: --plugin FILE.py"
    return WRITE
